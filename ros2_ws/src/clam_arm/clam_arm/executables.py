"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

arm_driver = late("clam_arm.arm_driver")
