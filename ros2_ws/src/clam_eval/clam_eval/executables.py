"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

correct = late("clam_eval.correction")
evaluator = late("clam_eval.evaluator")
keys = late("clam_eval.keys")
report = late("clam_eval.report")
