"""Inverse kinematics of the WidowX 250s with its fingers pointing down, in closed form on the URDF's own joints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_geometry import place
from clam_core.envs.kitchen_spec import ACTION
from clam_description import END_EFFECTOR_LINK


def _between(start: str, end: str) -> tuple[float, float]:
    """From one frame to another when all joints are at 0, forward and up [m]."""
    x, _, z = place(end) - place(start)
    return float(x), float(z)


_SHOULDER = _between("world", "upper_arm_link")
_UPPER_ARM = _between("upper_arm_link", "upper_forearm_link")
_FOREARM = _between("upper_forearm_link", "wrist_link")
_HAND = _between("wrist_link", END_EFFECTOR_LINK)[0]


def joints_for(x: float, y: float, z: float, yaw: float = 0.0) -> npt.NDArray[np.float64]:
    """Positions ``(6,)`` [rad] of the arm's joints that put the end effector at `x`, `y`, `z` [m], pointing down.

    At `yaw` 0 the fingers open along y; half a turn more is the same to them, so the smaller turn of the wrist is
    taken. A place out of reach is replaced by one in its direction.
    """
    waist = np.arctan2(y, x)
    forward, up = np.hypot(x, y) - _SHOULDER[0], z + _HAND - _SHOULDER[1]  # from the shoulder to the wrist
    upper, fore = np.hypot(*_UPPER_ARM), np.hypot(*_FOREARM)
    bend = (upper**2 + fore**2 - forward**2 - up**2) / (2 * upper * fore)
    at_zero = np.arctan2(-_UPPER_ARM[1], -_UPPER_ARM[0]) - np.arctan2(_FOREARM[1], _FOREARM[0])
    elbow = abs(at_zero) - np.arccos(np.clip(bend, -1.0, 1.0))  # angle inside the elbow, at 0 and now
    wrist = np.array(_UPPER_ARM) + fore * np.array([np.cos(elbow), -np.sin(elbow)])
    shoulder = np.arctan2(wrist[1], wrist[0]) - np.arctan2(up, forward)
    turn = (waist - yaw + np.pi / 2) % np.pi - np.pi / 2
    joints = np.array([waist, shoulder, elbow, 0.0, np.pi / 2 - shoulder - elbow, turn])
    return ACTION.clip(np.append(joints, ACTION.low[-1]))[:-1]
