"""Where the links are for given joint positions: a walk down the tree of joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clam_description.joints import Joint, Vector

Matrix = NDArray[np.float64]


def link_poses(joints: Sequence[Joint], positions: Mapping[str, float], root: str = "world") -> dict[str, Matrix]:
    """Pose of `root` and of every link below it in the frame of `root`, as homogeneous matrices of shape (4, 4).

    Args:
        joints: all joints of the robot, from `read_joints`, in any order.
        positions: joint positions in rad or m; those that are not named are 0, and a mimic joint that is not named
            follows its leader.
        root: link whose frame the poses are in.

    Raises:
        ValueError: `positions` names a joint that the robot has not, or that cannot move.
    """
    movable = [joint.name for joint in joints if joint.type != "fixed"]
    for name in positions:
        if name not in movable:
            raise ValueError(f"no movable joint '{name}'; valid: {', '.join(movable)}")
    poses, waiting = {root: np.eye(4)}, [root]
    while waiting:
        parent = waiting.pop()
        for joint in joints:
            if joint.parent == parent:
                poses[joint.child] = poses[parent] @ _transform(joint, _position(joint, positions))
                waiting.append(joint.child)
    return poses


def _position(joint: Joint, positions: Mapping[str, float]) -> float:
    if joint.mimic is None or joint.name in positions:
        return positions.get(joint.name, 0.0)
    return joint.mimic.multiplier * positions.get(joint.mimic.joint, 0.0) + joint.mimic.offset


def _transform(joint: Joint, position: float) -> Matrix:
    """From the child's frame to the parent's: the origin, then the motion about or along the axis."""
    origin, motion = np.eye(4), np.eye(4)
    origin[:3, :3], origin[:3, 3] = _from_rpy(joint.rpy), joint.xyz
    if joint.type in ("revolute", "continuous"):
        motion[:3, :3] = _from_axis(joint.axis, position)
    elif joint.type == "prismatic":
        motion[:3, 3] = position * np.array(joint.axis)
    return origin @ motion


def _from_rpy(rpy: Vector) -> Matrix:
    """Rotation about the fixed axes x, y, z in this order, as URDF has it."""
    roll, pitch, yaw = rpy
    return _from_axis((0, 0, 1), yaw) @ _from_axis((0, 1, 0), pitch) @ _from_axis((1, 0, 0), roll)


def _from_axis(axis: Vector, angle: float) -> Matrix:
    """Rotation by `angle` about the unit vector `axis` (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation
