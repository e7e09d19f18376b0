"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

camera = late("clam_camera.camera")
measure_transport = late("clam_camera.measure_transport")
