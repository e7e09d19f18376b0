"""What runs together: graphs of nodes as data, and `ros2 launch` and `clam-launch` to start them."""
