"""The arm as the safety filter sees it, read from its description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_tasks import READY as READY_ARM
from clam_core.envs.kitchen_tasks import READY_GAP
from clam_core.errors import ClamError
from clam_core.safety import ForwardKinematics, Limits
from clam_core.safety.limits import WORKSPACE_LOWER, WORKSPACE_UPPER, joint_limits
from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, HOME, SLEEP
from clam_description import urdf as read_urdf

__all__ = ["HOME", "READY", "SLEEP", "ArmModel", "arm_model"]

#: Where rollouts begin: the middle of where training episodes do. Six joints [rad] and the gripper's gap [m].
READY = (*READY_ARM, sum(READY_GAP) / 2)
GRIPPER_SPEED = 0.05  # [m/s] of moves to named poses


@dataclass(frozen=True)
class ArmModel:
    """URDF text, limits, and forward kinematics from the arm's base to the point between its fingers."""

    urdf: str
    limits: Limits
    kinematics: ForwardKinematics

    @property
    def start(self) -> tuple[float, ...]:
        """Where a simulated arm begins ``(A,)``: asleep, with the gripper half open [rad, gap m]."""
        return (*SLEEP, (self.limits.gripper_lower + self.limits.gripper_upper) / 2)

    def speed(self, arm: float) -> npt.NDArray[np.float64]:
        """Speed ``(A,)`` of a move whose joints turn at `arm` [rad/s]."""
        return np.array([*[arm] * len(self.limits.joints), GRIPPER_SPEED])


def arm_model(
    robot: str,
    *,
    velocity_scale: float = 1.0,
    gripper_velocity: float = 0.5,
    workspace_lower: Sequence[float] = WORKSPACE_LOWER,
    workspace_upper: Sequence[float] = WORKSPACE_UPPER,
) -> ArmModel:
    """Model of a robot of clam_description, with its limits slowed down by `velocity_scale`.

    The gripper is the total gap [m]: twice what the left finger's limits allow.

    Raises:
        ClamError: no such description, or limits that are not sound.
    """
    try:
        urdf = read_urdf(robot)
    except ValueError as error:
        raise ClamError(f"robot '{robot}': {error}") from error
    lower, upper, velocity = zip(*joint_limits(urdf, ARM_JOINTS), strict=True)
    ((closed, opened, _),) = joint_limits(urdf, ["left_finger"])
    limits = Limits(
        joints=tuple(ARM_JOINTS),
        lower=lower,
        upper=upper,
        velocity=tuple(speed * velocity_scale for speed in velocity),
        gripper="gripper",
        gripper_lower=2 * closed,
        gripper_upper=2 * opened,
        gripper_velocity=gripper_velocity,
        workspace_lower=tuple(workspace_lower),  # type: ignore[arg-type]  # Limits checks that there are three
        workspace_upper=tuple(workspace_upper),  # type: ignore[arg-type]
    )
    return ArmModel(urdf, limits, ForwardKinematics(urdf, BASE_LINK, END_EFFECTOR_LINK, ARM_JOINTS))
