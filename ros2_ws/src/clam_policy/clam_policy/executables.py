"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

measure_latency = late("clam_policy.measure_latency")
policy = late("clam_policy.policy")
