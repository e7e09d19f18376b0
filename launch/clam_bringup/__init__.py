"""What runs together: graphs of nodes as data, and the two ways to start them (``ros2 launch``, ``clam-launch``)."""
