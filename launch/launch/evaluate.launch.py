"""`ros2 launch clam_bringup evaluate.launch.py --show-args`: the graph `evaluate` of clam_bringup."""

from clam_bringup.launch_description import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Called by launch."""
    return launch_description("evaluate")
