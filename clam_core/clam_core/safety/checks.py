"""The checks of positions against limits, one method each. They know no time and remember nothing."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from clam_core.safety.limits import FINGERTIP_ALLOWANCE, Limits
from clam_core.safety.reasons import Reason, Refusal

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
DETOUR = 0.01  # [m]
ROUNDING = 1e-9  # [rad, m] a limit may be commanded exactly


class Kinematics(Protocol):
    """What the checks need of `ForwardKinematics`."""

    def pose(self, positions: Vector) -> Matrix: ...


class Checks:
    """Each raises `Refusal`; vectors are ``(A,)`` in the order of `Limits.names` [rad, gripper m]."""

    def __init__(self, limits: Limits, kinematics: Kinematics) -> None:
        self._names = limits.names
        self._low, self._high, self._speed = limits.low, limits.high, limits.speed
        self._box = np.array(limits.workspace_lower), np.array(limits.workspace_upper)
        self._floor = limits.workspace_lower[2] - FINGERTIP_ALLOWANCE
        self._fingertip = np.array([limits.fingertip, 0.0, 0.0, 1.0])
        self._kinematics = kinematics

    def position(self, target: Vector) -> None:
        """Every joint finite and within its position limits."""
        if not np.isfinite(target).all():  # no comparison below is true of nan
            raise Refusal(Reason.NOT_FINITE, f"positions are not finite: {target.tolist()}")
        beyond = np.maximum(self._low - target, target - self._high)
        if (beyond > ROUNDING).any():
            worst = int(beyond.argmax())
            raise Refusal(
                Reason.POSITION_LIMIT,
                f"joint '{self._names[worst]}' is commanded to {_number(target[worst])}, its limits are "
                f"{self._low[worst]:.4f} to {self._high[worst]:.4f}",
            )

    def speed(self, target: Vector, start: Vector, seconds: float) -> None:
        """`target` can be reached from `start` within `seconds` at the velocity limits."""
        ratio = np.abs(target - start) / (self._speed * seconds)
        if ratio.max() > 1:
            worst = int(ratio.argmax())
            raise Refusal(
                Reason.VELOCITY_LIMIT,
                f"joint '{self._names[worst]}' is commanded from {start[worst]:.4f} to {_number(target[worst])} within "
                f"{seconds:.3f} s: {ratio[worst]:.1f} times the velocity limit {self._speed[worst]:.3f} per s",
            )

    def scaled(self, target: Vector, start: Vector, seconds: float) -> Vector:
        """The point nearest to `target` on the straight line from `start` that `speed` accepts."""
        ratio = float((np.abs(target - start) / (self._speed * seconds)).max())
        return np.asarray(np.clip(start + (target - start) / max(ratio, 1.0), self._low, self._high))

    def trajectory_speed(self, fastest: Vector) -> None:
        """No segment of a trajectory faster than the velocity limits."""
        excess = fastest - self._speed * (1 + 1e-6)
        if (excess > 0).any():
            worst = int(excess.argmax())
            raise Refusal(
                Reason.VELOCITY_LIMIT,
                f"joint '{self._names[worst]}' would move at {fastest[worst]:.3f} per s, its limit is "
                f"{self._speed[worst]:.3f}: give it more time",
            )

    def workspace(self, target: Vector) -> None:
        """The end effector inside its box, and the fingertips not in the table."""
        outside = self._outside(target)
        if outside > ROUNDING:
            end_effector, fingertips = self._points(target)
            place = ", ".join(f"{number:.3f}" for number in end_effector)
            raise Refusal(
                Reason.WORKSPACE,
                f"the end effector would be at ({place}) m, the fingertips {fingertips[2]:.3f} m high: {outside:.3f} m "
                "outside the workspace box",
            )

    def returns_to_workspace(self, path: Matrix) -> None:
        """A path ``(T, A)`` that ends inside the box, and is nowhere further outside than where it begins."""
        self.workspace(path[-1])
        furthest, begin = max(map(self._outside, path)), self._outside(path[0])
        if furthest > begin + DETOUR:
            raise Refusal(
                Reason.WORKSPACE,
                f"the way leads {furthest:.3f} m out of the workspace box, from {begin:.3f} m; if no pose can be "
                "reached, hold the arm, switch torque off (service torque) and lead it into the box by hand",
            )

    def leaves_workspace(self, before: Vector, after: Vector) -> bool:
        """Whether the step from `before` to `after` leads out of the box, or further away from it."""
        outside = self._outside(after)
        return outside > ROUNDING and outside > self._outside(before) + ROUNDING

    def _outside(self, positions: Vector) -> float:
        """Distance of the end effector from the workspace box, or of the fingertips from the table [m]; 0 inside."""
        place, fingertips = self._points(positions)
        lower, upper = self._box
        distance = np.linalg.norm(np.maximum(0.0, np.maximum(lower - place, place - upper)))
        return max(float(distance), self._floor - float(fingertips[2]))

    def _points(self, positions: Vector) -> tuple[Vector, Vector]:
        """End effector and fingertips, each ``(3,)`` [m] in the frame of the arm's base."""
        pose = self._kinematics.pose(positions[:-1])
        return pose[:3, 3], (pose @ self._fingertip)[:3]


def _number(value: float) -> str:
    """A position for people; of 1e308 not all digits."""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3g}"
