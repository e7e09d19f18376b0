"""What stands between any command and any arm: limits, a filter, trajectories. No ROS, no clock of its own.

| a command that | is |
|---|---|
| names other joints, has another size, is not finite | refused |
| lies outside a position limit (arm or gripper) | refused, never clipped |
| lies further from the measured position than the velocity limit allows | refused; scaled if `on_fast` says so |
| puts the end effector outside the workspace box | refused; a move to a named pose leads back |
| comes during e-stop, without torque, or without a sound measurement | refused |
| is of a commander that made no pause there, nor at a move to a named pose | refused until it does |

Whatever is refused is counted by reason, and the arm holds. What is accepted is approached at no more than the
velocity limit, slower at first after the arm was enabled.
"""

from clam_core.safety.filter import SafetyFilter, State
from clam_core.safety.kinematics import ForwardKinematics
from clam_core.safety.limits import Limits
from clam_core.safety.measurement import Measurement
from clam_core.safety.reasons import Reason, Refusal
from clam_core.safety.settings import FilterSettings
from clam_core.safety.trajectory import Trajectory

__all__ = [
    "FilterSettings",
    "ForwardKinematics",
    "Limits",
    "Measurement",
    "Reason",
    "Refusal",
    "SafetyFilter",
    "State",
    "Trajectory",
]
