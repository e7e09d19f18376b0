"""`ros2 launch clam_bringup sim_kitchen.launch.py --show-args`: the graph `sim_kitchen`, and the description."""

from pathlib import Path

from clam_bringup.launch_description import launch_description, robot_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Called by launch."""
    return launch_description("sim_kitchen", robot_description(Path(__file__)))
