#!/usr/bin/env bash
# Everything on the path: ROS 2, the virtual environment, and the built workspace.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /clam/.venv/bin/activate
source /clam/ros2_ws/install/setup.bash
exec "$@"
