"""The WidowX 250 6DOF (wx250s): names, limits, poses. Numbers of the arm itself come from its URDF only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from clam_description.expand import urdf
from clam_description.joints import Joint, Limit, read_joints
from clam_description.kinematics import Matrix, link_poses

ARM_JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
FINGER_JOINTS = ("left_finger", "right_finger")
#: Order of `joint_states` on the real robot; `gripper` is the servo, which moves the fingers.
JOINT_STATE_ORDER = (*ARM_JOINTS, "gripper", *FINGER_JOINTS)

BASE_LINK = "base_link"
END_EFFECTOR_LINK = "ee_gripper_link"  # between the fingers

#: Named poses of `ARM_JOINTS` in rad, as in Interbotix's driver: the arm stretched out, and folded to be switched off.
HOME = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SLEEP = (0.0, -1.80, 1.55, 0.0, 0.8, 0.0)


def joint_limits() -> dict[str, Limit]:
    """Limits of every joint in `JOINT_STATE_ORDER`, in this order, read from the URDF."""
    limits = {joint.name: joint.limit for joint in _joints() if joint.limit is not None}
    return {name: limits[name] for name in JOINT_STATE_ORDER}


def end_effector_pose(arm: Sequence[float]) -> Matrix:
    """Pose of `END_EFFECTOR_LINK` in `BASE_LINK` as a homogeneous matrix of shape (4, 4).

    Args:
        arm: positions of `ARM_JOINTS` in rad.

    Raises:
        ValueError: not six positions.
    """
    if len(arm) != len(ARM_JOINTS):
        raise ValueError(f"{len(arm)} joint positions; the arm needs {len(ARM_JOINTS)}: {', '.join(ARM_JOINTS)}")
    positions = dict(zip(ARM_JOINTS, map(float, arm), strict=True))
    return link_poses(_joints(), positions, root=BASE_LINK)[END_EFFECTOR_LINK]


@cache
def _joints() -> tuple[Joint, ...]:
    return read_joints(urdf("wx250s"))
