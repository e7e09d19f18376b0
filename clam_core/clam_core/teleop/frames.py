"""Poses, and from WebXR's frame (x right, y up, z back) to REP-103's (x forward, y left, z up)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

#: Rows are REP-103's axes in WebXR's: (x, y, z) → (−z, −x, y).
REP103_FROM_WEBXR: Matrix = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Pose:
    """`position` ``(3,)`` [m] and `rotation` ``(3, 3)``."""

    position: Vector
    rotation: Matrix


def identity() -> Pose:
    """The pose of the frame itself."""
    return Pose(np.zeros(3), np.eye(3))


def from_webxr(position: Sequence[float], orientation: Sequence[float], yaw: float = 0.0) -> Pose:
    """A pose that WebXR reports, in REP-103 axes turned by `yaw` [rad] about the vertical.

    `orientation` is a unit quaternion x, y, z, w. `yaw` is the direction, in the arm's base, of what lies straight
    ahead for the operator.
    """
    axes = about((0.0, 0.0, 1.0), yaw) @ REP103_FROM_WEBXR
    return Pose(axes @ np.asarray(position, dtype=np.float64), axes @ from_quaternion(orientation) @ axes.T)


def from_quaternion(orientation: Sequence[float]) -> Matrix:
    """Rotation ``(3, 3)`` of a unit quaternion x, y, z, w."""
    return np.asarray(Rotation.from_quat(orientation).as_matrix())


def about(axis: Sequence[float], angle: float) -> Matrix:
    """Rotation ``(3, 3)`` by `angle` [rad] about a unit vector."""
    return turn(angle * np.asarray(axis, dtype=np.float64))


def turn(vector: Vector) -> Matrix:
    """Rotation ``(3, 3)`` of a rotation vector ``(3,)``: its direction is the axis, its length the angle [rad]."""
    return np.asarray(Rotation.from_rotvec(vector).as_matrix())


def rotation_vector(rotation: Matrix) -> Vector:
    """The rotation vector ``(3,)`` [rad] of a rotation ``(3, 3)``; its length is at most π."""
    return np.asarray(Rotation.from_matrix(rotation).as_rotvec())


def angle_of(rotation: Matrix) -> float:
    """Angle of a rotation ``(3, 3)`` [rad], 0 to π."""
    return float(Rotation.from_matrix(rotation).magnitude())


def towards(start: Pose, goal: Pose, distance: float, angle: float) -> Pose:
    """From `start` at most `distance` [m] and `angle` [rad] towards `goal`."""
    offset, rotation = goal.position - start.position, goal.rotation @ start.rotation.T
    way, bend = float(np.linalg.norm(offset)), rotation_vector(rotation)
    turned = float(np.linalg.norm(bend))
    position = goal.position if way <= distance else start.position + offset * (distance / way)
    matrix = goal.rotation if turned <= angle else turn(bend * (angle / turned)) @ start.rotation
    return Pose(position, matrix)
