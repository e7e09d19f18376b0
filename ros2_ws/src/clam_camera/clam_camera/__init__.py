"""The camera node, over sources of frames that know no ROS."""
