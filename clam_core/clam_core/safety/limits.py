"""The limits of an arm. They are mandatory, finite and plausible: none can be switched off by a large number."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError

Vector = npt.NDArray[np.float64]
Point = tuple[float, float, float]

#: Nothing beyond these is a limit of a table-top arm.
MAX_ANGLE, MAX_SPEED = 2 * math.pi, 4 * math.pi  # [rad], [rad/s]
MAX_GAP, MAX_GAP_SPEED, MAX_REACH = 0.5, 2.0, 3.0  # [m], [m/s], [m]

#: The workspace box where nothing else is set: a WidowX on its table, in the frame of the arm's base [m].
WORKSPACE_LOWER: Point = (-0.1, -0.5, 0.01)
WORKSPACE_UPPER: Point = (0.65, 0.5, 0.7)
#: How far a WidowX's fingertips are beyond its end effector, along the x axis of that [m].
FINGERTIP = 0.0187
#: How far below the floor of the box they may be [m]: as far as that is above the table, for they take what lies on it.
FINGERTIP_ALLOWANCE = 0.01


@dataclass(frozen=True)
class Limits:
    """Limits of `joints` (arm, in chain order) and of one gripper.

    `lower`, `upper` [rad] and `velocity` [rad/s] are of the joints. The gripper is commanded by the total gap
    between its fingers [m], [m/s]. The workspace is a box for the end effector in the frame of the arm's base [m]. The
    fingertips, `fingertip` [m] further along the end effector's x axis, may be `FINGERTIP_ALLOWANCE` below its floor,
    and no deeper: they would be in the table.

    Raises:
        ClamError: a limit is missing, not finite, not plausible, or lower is not below upper.
    """

    joints: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    velocity: tuple[float, ...]
    gripper: str
    gripper_lower: float
    gripper_upper: float
    gripper_velocity: float
    workspace_lower: Point
    workspace_upper: Point
    fingertip: float = FINGERTIP

    def __post_init__(self) -> None:
        if not self.joints or len(set(self.names)) != len(self.names):
            raise ClamError(f"limits name the joints {list(self.names)}: give each joint once, and at least one")
        for what in ("lower", "upper", "velocity"):
            if len(getattr(self, what)) != len(self.joints):
                raise ClamError(
                    f"{len(getattr(self, what))} {what} limits for {len(self.joints)} joints: give one each"
                )
        for name, lower, upper, velocity in zip(self.joints, self.lower, self.upper, self.velocity, strict=True):
            _check_range(f"joint '{name}'", lower, upper, -MAX_ANGLE, MAX_ANGLE, "rad")
            _check_speed(f"joint '{name}'", velocity, MAX_SPEED, "rad/s")
        _check_range(f"gripper '{self.gripper}'", self.gripper_lower, self.gripper_upper, 0.0, MAX_GAP, "m")
        _check_speed(f"gripper '{self.gripper}'", self.gripper_velocity, MAX_GAP_SPEED, "m/s")
        if len(self.workspace_lower) != 3 or len(self.workspace_upper) != 3:
            raise ClamError("the workspace box needs three lower and three upper numbers: x, y, z [m]")
        for axis, lower, upper in zip("xyz", self.workspace_lower, self.workspace_upper, strict=True):
            _check_range(f"workspace {axis}", lower, upper, -MAX_REACH, MAX_REACH, "m")
        if not 0.0 <= self.fingertip <= MAX_GAP:
            raise ClamError(f"fingertips {self.fingertip} m beyond the end effector: give 0 to {MAX_GAP:g}")

    @property
    def names(self) -> tuple[str, ...]:
        """All commanded joints: the arm's, then the gripper; the order of every vector ``(A,)``."""
        return (*self.joints, self.gripper)

    @property
    def low(self) -> Vector:
        """Lower position limits ``(A,)`` [rad, gripper m]."""
        return np.array([*self.lower, self.gripper_lower])

    @property
    def high(self) -> Vector:
        """Upper position limits ``(A,)`` [rad, gripper m]."""
        return np.array([*self.upper, self.gripper_upper])

    @property
    def speed(self) -> Vector:
        """Velocity limits ``(A,)`` [rad/s, gripper m/s]."""
        return np.array([*self.velocity, self.gripper_velocity])


def joint_limits(urdf: str, joints: Sequence[str]) -> list[tuple[float, float, float]]:
    """Lower [rad or m], upper, and velocity [rad/s or m/s] of each of `joints` in a URDF.

    Raises:
        ClamError: the URDF does not name a joint, or gives it no complete limit.
    """
    elements = {element.get("name"): element for element in ElementTree.fromstring(urdf).findall("joint")}
    found = []
    for name in joints:
        limit = elements[name].find("limit") if name in elements else None
        values = [None if limit is None else limit.get(key) for key in ("lower", "upper", "velocity")]
        if None in values:
            raise ClamError(f"the URDF gives joint '{name}' no lower, upper and velocity limit: add <limit … />")
        lower, upper, velocity = (float(value) for value in values if value is not None)
        found.append((lower, upper, velocity))
    return found


def _check_range(what: str, lower: float, upper: float, least: float, most: float, unit: str) -> None:
    for bound, value in (("lower", lower), ("upper", upper)):
        if not (math.isfinite(value) and least <= value <= most):
            raise ClamError(
                f"{what} has {bound} limit {value} {unit}: limits cannot be switched off, "
                f"give a number from {least:.4g} to {most:.4g}"
            )
    if not lower < upper:
        raise ClamError(f"{what} has lower limit {lower} {unit} and upper limit {upper} {unit}: lower must be less")


def _check_speed(what: str, value: float, most: float, unit: str) -> None:
    if not (math.isfinite(value) and 0.0 < value <= most):
        raise ClamError(
            f"{what} has velocity limit {value} {unit}: limits cannot be switched off, "
            f"give a number above 0 and up to {most:.4g}"
        )
