"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

clam_call = late("clam_bringup.call")
clam_launch = late("clam_bringup.runner")
