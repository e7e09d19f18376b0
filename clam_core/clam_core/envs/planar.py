"""Names and units of Gymnasium's planar walkers: joint positions without the torso's x, then all velocities.

This is D4RL's observation too (11 entries of Hopper, 17 of HalfCheetah and of Walker2d; Appendix E).
"""

from __future__ import annotations

import re
from typing import Any

from clam_core.spec import ActionSpec, ObservationSpec

TASKS = ("HalfCheetah", "Hopper", "Walker2d")

_TORSO = {"rootx": "torso_x", "rootz": "torso_z", "rooty": "torso_pitch"}
_SLIDES = ("rootx", "rootz")  # all other joints are hinges


def is_planar_walker(task: str) -> bool:
    """Whether the names below describe `task`, a Gymnasium id of any version."""
    return re.sub(r"-v\d+$", "", task) in TASKS


def planar_observation(model: Any) -> ObservationSpec:
    """What the walker `model` (MuJoCo's) shows; slides in metres, hinges in radians."""
    joints = [model.joint(i).name for i in range(model.njnt)]
    names = [_TORSO.get(joint, joint.removesuffix("_joint")) for joint in joints]
    units = ["m" if joint in _SLIDES else "rad" for joint in joints]
    return ObservationSpec(
        names=(*names[1:], *(f"{name}_velocity" for name in names)),
        units=(*units[1:], *(f"{unit}/s" for unit in units)),
    )


def planar_action(model: Any, low: Any, high: Any) -> ActionSpec:
    """One torque per driven joint, in units of the actuator's gear (1 is 200 N·m for Hopper's thigh)."""
    joints = [model.joint(int(model.actuator_trnid[i, 0])).name for i in range(model.nu)]
    return ActionSpec(
        names=tuple(f"{joint.removesuffix('_joint')}_torque" for joint in joints),
        units=("1",) * len(joints),
        low=tuple(float(x) for x in low),
        high=tuple(float(x) for x in high),
    )
