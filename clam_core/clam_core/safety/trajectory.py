"""Trajectories under the rules of ros2_control's joint_trajectory_controller, positions interpolated linearly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.safety.reasons import Reason, Refusal

Vector = npt.NDArray[np.float64]


def in_order(wanted: Sequence[str], names: Sequence[str], positions: npt.ArrayLike) -> Vector:
    """`positions` of `names`, put in the order of `wanted` ``(A,)``: all joints, in any order, each once.

    Raises:
        Refusal: other joints, another size, or numbers that are not finite.
    """
    if sorted(names) != sorted(wanted):
        raise Refusal(Reason.JOINT_NAMES, f"joints are [{', '.join(names)}], the arm takes [{', '.join(wanted)}]")
    values = np.asarray(positions, dtype=np.float64)
    if values.shape != (len(wanted),):
        raise Refusal(Reason.SHAPE, f"positions have shape {values.shape}, {len(wanted)} joints are named")
    if not np.isfinite(values).all():
        raise Refusal(Reason.NOT_FINITE, f"positions are not finite: {values.tolist()}")
    where = {name: index for index, name in enumerate(names)}
    return values[[where[name] for name in wanted]]


@dataclass(frozen=True)
class Trajectory:
    """Positions ``(T, A)`` [rad, m] at strictly increasing `times` ``(T,)`` [s] on the filter's clock."""

    times: Vector
    positions: Vector

    @classmethod
    def build(
        cls,
        wanted: Sequence[str],
        names: Sequence[str],
        times: Sequence[float],
        points: Sequence[Sequence[float]],
        *,
        start: float,
        now: float,
        measured: Vector,
    ) -> Trajectory:
        """From a message: `times` are seconds from `start`; the way to the first point begins at `measured`.

        Raises:
            Refusal: other joints, no points, times that do not strictly increase, wrong sizes, numbers that are
            not finite, or an end in the past.
        """
        if not points:
            raise Refusal(Reason.EMPTY, "the trajectory has no points")
        if len(times) != len(points):
            raise Refusal(Reason.SHAPE, f"{len(points)} points but {len(times)} times")
        values = np.array([in_order(wanted, names, point) for point in points])
        if not all(map(math.isfinite, times)) or times[0] < 0 or (np.diff(times) <= 0).any():
            raise Refusal(Reason.TIME, f"time_from_start must begin at 0 or later and strictly increase, got {times}")
        at = start + np.asarray(times, dtype=np.float64)
        if at[-1] < now:
            raise Refusal(Reason.TIME, f"the trajectory ended {now - at[-1]:.3f} s ago: synchronize clocks, or stamp 0")
        begin = min(max(start, now), at[-1])
        if at[0] > begin:
            at, values = np.concatenate([[begin], at]), np.vstack([measured, values])
        return cls(at, values)

    @classmethod
    def move(cls, begin: Vector, end: Vector, *, speed: Vector, now: float) -> Trajectory:
        """From `begin` to `end` ``(A,)`` in a straight line of joint space, starting and ending at rest.

        No joint is ever faster than `speed` ``(A,)`` [rad/s, m/s]. The time law is the quintic 10τ³ - 15τ⁴ + 6τ⁵,
        whose greatest rate is 15/8 of the mean.

        Raises:
            Refusal: `end` is not finite.
        """
        if not np.isfinite(end).all():
            raise Refusal(Reason.NOT_FINITE, f"positions are not finite: {end.tolist()}")
        duration = max(float((np.abs(end - begin) / speed).max()) * 15 / 8, 0.1)
        tau = np.linspace(0.0, 1.0, max(8, math.ceil(duration / 0.05)) + 1)
        way = 10 * tau**3 - 15 * tau**4 + 6 * tau**5
        return cls(now + duration * tau, begin + way[:, None] * (end - begin))

    @property
    def end(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    @property
    def fastest(self) -> Vector:
        """Greatest speed of each joint ``(A,)`` [rad/s, m/s]."""
        if len(self.times) < 2:
            return np.zeros(self.positions.shape[1])
        return np.asarray((np.abs(np.diff(self.positions, axis=0)) / np.diff(self.times)[:, None]).max(axis=0))

    def delayed(self, seconds: float) -> Trajectory:
        """The same way, `seconds` later."""
        return Trajectory(self.times + seconds, self.positions) if seconds > 0 else self

    def at(self, now: float) -> Vector:
        """Positions ``(A,)`` at `now` [s]; the first or last point outside the trajectory's time."""
        return np.array([np.interp(now, self.times, column) for column in self.positions.T])
