"""While the arm is engaged: the hand's relative motion becomes the end effector's, and that the joints'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.safety import Limits
from clam_core.teleop.differential_kinematics import DifferentialKinematics
from clam_core.teleop.frames import Pose, towards
from clam_core.teleop.settings import TeleopSettings

Vector = npt.NDArray[np.float64]

MARGIN = 0.01  # [m] that targets keep from the workspace box, at whose very edge the driver refuses commands
ROUNDING = 1e-6  # [m]
BEHIND = 0.1  # [s] of full speed: the target runs no further ahead of the end effector


class HandFollower:
    """Positions ``(J,)`` [rad] are of the arm's joints, without the gripper."""

    def __init__(self, kinematics: DifferentialKinematics, limits: Limits, settings: TeleopSettings) -> None:
        self._kinematics, self._settings = kinematics, settings
        self._low, self._high = limits.low[:-1], limits.high[:-1]
        self._box = np.array(limits.workspace_lower), np.array(limits.workspace_upper)
        self._hand = self._anchor = self._target = kinematics.pose
        self._scale = 1.0
        self.warning = ""  # what keeps the end effector from where the hand wants it

    def outside(self, positions: Vector) -> float:
        """Distance of the end effector from the workspace box [m]; 0 inside."""
        self._kinematics.place(positions)
        return self._distance(self._kinematics.pose.position)

    def engage(self, hand: Pose, positions: Vector, scale: float = 1.0) -> None:
        """From now on follow what `hand` does, its ways times `scale`, beginning with the joints at `positions`."""
        self._kinematics.reset(positions)
        self._hand, self._anchor = hand, self._kinematics.pose
        self._target, self._scale = self._anchor, scale
        self.warning = ""

    def step(self, hand: Pose, measured: Vector, seconds: float) -> Vector:
        """Joint positions to command now; `measured` is where the joints are."""
        kinematics, settings = self._kinematics, self._settings
        self.warning = ""
        wanted = self._wanted(hand)
        ahead = towards(kinematics.pose, self._target, settings.speed * BEHIND, settings.turn_speed * BEHIND)
        self._target = towards(ahead, wanted, settings.speed * seconds, settings.turn_speed * seconds)
        before = kinematics.positions
        outside = self._distance(kinematics.pose.position)
        if not kinematics.step(self._target, seconds):
            self.warning = "no joint positions lead there: move another way"
        self._leash(measured)
        if self._distance(kinematics.pose.position) > outside + ROUNDING:
            self.warning = "edge of the workspace"
            kinematics.place(before)
            self._leash(measured)  # what was near enough a moment ago may not be any more
        return kinematics.positions

    def _leash(self, measured: Vector) -> None:
        """Keep the joints within `lead` of where they are measured."""
        positions, lead = self._kinematics.positions, self._settings.lead
        leashed = np.clip(positions, measured - lead, measured + lead)
        if (leashed != positions).any():
            self.warning = "the arm does not keep up: is it blocked?"
            self._kinematics.place(np.clip(leashed, self._low, self._high))

    def _wanted(self, hand: Pose) -> Pose:
        """Where the hand wants the end effector, within the workspace box."""
        position = self._anchor.position + self._scale * (hand.position - self._hand.position)
        lower, upper = self._box
        inside = np.clip(position, lower + MARGIN, upper - MARGIN)
        if np.abs(inside - position).max() > MARGIN:
            self.warning = "edge of the workspace"
        return Pose(inside, hand.rotation @ self._hand.rotation.T @ self._anchor.rotation)

    def _distance(self, position: Vector) -> float:
        lower, upper = self._box
        return float(np.linalg.norm(np.maximum(0.0, np.maximum(lower - position, position - upper))))
