"""`ros2 launch clam_bringup robot.launch.py --show-args`: the graph `robot`, and the description where it can be."""

from pathlib import Path

from clam_bringup.launch_description import launch_description, robot_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Called by launch."""
    return launch_description("robot", robot_description(Path(__file__)))
