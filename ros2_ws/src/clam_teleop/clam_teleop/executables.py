"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

measure_teleop = late("clam_teleop.measure_latency")
teleop = late("clam_teleop.teleop")
