"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

measure_recording = late("clam_recorder.measure_recording")
recorder = late("clam_recorder.recorder")
stress_recorder = late("clam_recorder.stress_recorder")
