"""Numbers of teleoperation that are not limits of the arm."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from clam_core.errors import ClamError

#: Least and greatest value of each setting: what `TeleopSettings` checks, and the range of the node's parameters.
BOUNDS: dict[str, tuple[float, float]] = {
    "scale": (0.1, 3.0),
    "yaw": (-math.pi, math.pi),
    "speed": (0.02, 1.5),
    "turn_speed": (0.1, 6.0),
    "joint_speed": (0.1, 3.1),
    "lead": (0.02, 0.28),
    "gripper_speed": (0.01, 0.5),
    "stick_speed": (0.01, 0.5),
    "stick_turn_speed": (0.05, 3.0),
    "timeout": (0.05, 2.0),
    "arm_timeout": (0.05, 2.0),
    "hand_speed": (0.5, 20.0),
    "hand_turn_speed": (2.0, 100.0),
}


@dataclass(frozen=True)
class TeleopSettings:
    """Lengths in metres, angles in radians, times in seconds.

    `scale`: way of the end effector per way of a headset's controller.
    `yaw`: direction in the arm's base of what lies straight ahead for the operator; π for one who faces the arm.
    `speed`, `turn_speed`: the end effector is led no faster. `joint_speed`: nor is a joint.
    `lead`: a joint is commanded no further from where it is measured; below velocity limit x horizon of the driver.
    `stick_speed`, `stick_turn_speed`: at full deflection of a gamepad's stick, or with a key held.
    `timeout`: without a message for so long, or with messages that are so late, the arm holds.
    `arm_timeout`: nobody takes hold of an arm whose last joint state is older.
    `hand_speed`, `hand_turn_speed`: a hand that is faster has jumped.

    Raises:
        ClamError: a number out of its bounds.
    """

    scale: float = 1.0
    yaw: float = 0.0
    speed: float = 0.5
    turn_speed: float = 2.0
    joint_speed: float = 1.5
    lead: float = 0.2
    gripper_speed: float = 0.15
    stick_speed: float = 0.12
    stick_turn_speed: float = 0.8
    timeout: float = 0.15
    arm_timeout: float = 0.3
    hand_speed: float = 4.0
    hand_turn_speed: float = 25.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), BOUNDS[field.name]
            if not low <= value <= high:
                raise ClamError(f"{field.name} is {value}: give a number from {low:g} to {high:g}")
