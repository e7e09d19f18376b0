"""What `ros2 run` and pip's console scripts start."""

from __future__ import annotations

from clam_core.late import late

kitchen_world = late("clam_sim.kitchen_world")
rollouts = late("clam_sim.rollouts")
scripted_operator = late("clam_sim.scripted_operator")
sim_bridge = late("clam_sim.sim_bridge")
