"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

node_watch = late("clam_ros.watch")
