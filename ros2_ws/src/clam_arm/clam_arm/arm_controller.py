"""What the driver does 50 times a second: measure, follow a trajectory, filter, send. No ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_arm.backend import Backend
from clam_core.errors import ClamError
from clam_core.safety import Measurement, Reason, Refusal, SafetyFilter, State, Trajectory

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """A command as it came in: `times` [s] from `start` [s on the controller's clock], points ``(T, A)``."""

    names: Sequence[str]
    times: Sequence[float]
    points: Sequence[Sequence[float]]
    start: float


class ArmController:
    """One arm: `backend` behind `safety`. `move_speed` ``(A,)`` [rad/s, m/s] is that of moves to named poses.

    A move is what a person asked for: commands are refused as busy until it ends. A new command replaces a
    trajectory that is under way. Used by one thread.
    """

    def __init__(self, backend: Backend, safety: SafetyFilter, move_speed: npt.ArrayLike) -> None:
        self.backend = backend
        self.safety = safety
        self.moving = ""  # name of the pose that the arm is moved to
        self.stopped = ""  # why the last move was cancelled before its end
        self._move_speed = np.minimum(np.asarray(move_speed, dtype=np.float64), safety.limits.speed)
        self._trajectory: Trajectory | None = None
        self.moves = 0  # so far; tells one from the next
        self._followed_at = self._resumed_at = 0.0
        self.complaint = ""  # of the backend, while it cannot measure

    def tick(self, now: float) -> Measurement | None:
        """One period: returns the measurement if it is new and sound."""
        fresh = self._measure(now)
        self._follow(now)
        setpoint = self.safety.output(now)
        if setpoint is not None:
            try:
                self.backend.send(setpoint)
            except ClamError as error:
                self.safety.count(Refusal(Reason.BACKEND, str(error)))
                self.cancel(now, str(error))
        return fresh

    def command(self, request: Request, now: float) -> Refusal | None:
        """Follow a command from now on, or say why not (and hold, unless a move is under way)."""
        went_on = self.safety.silence.heard(now)
        if self.moving:
            return self.safety.count(Refusal(Reason.BUSY, f"the arm moves to {self.moving}"))
        self._trajectory = None
        try:
            measured = self.safety.ready(now)
            if went_on is not None:
                raise went_on
        except Refusal as refusal:
            return self.safety.count(refusal)
        if len(request.points) == 1 and len(request.times) == 1 and request.times[0] == 0:
            return self.safety.command(request.names, request.points[0], now)
        try:
            trajectory = Trajectory.build(
                self.safety.limits.names,
                request.names,
                request.times,
                request.points,
                start=request.start,
                now=now,
                measured=self.safety.setpoint(measured),
            )
            self.safety.check_trajectory(trajectory)
        except Refusal as refusal:
            return self._refuse(refusal, now)
        self._trajectory = trajectory
        return None

    def refuse(self, refusal: Refusal, now: float) -> Refusal:
        """Count a command that somebody else found wanting, and hold unless a move is under way."""
        self.safety.silence.heard(now)
        return self._refuse(refusal, now)

    def pending(self, now: float) -> float:
        """Seconds until the accepted trajectory begins; 0 if there is none, or it is under way."""
        return 0.0 if self._trajectory is None else max(0.0, float(self._trajectory.times[0]) - now)

    def move(self, name: str, pose: Sequence[float], now: float, gap: float | None = None) -> None:
        """Begin a slow move of the arm's joints ``(J,)`` [rad] to a named pose.

        The gripper moves to `gap` [m] on the way, or keeps its grip without one. Where the driver pauses, so does
        the move: it goes on from where it was, as nobody waits for the arm at a certain time.

        Raises:
            Refusal: the arm cannot be commanded now, or the pose or the way there violates a limit.
        """
        try:
            if self.moving:
                raise Refusal(Reason.BUSY, f"the arm moves to {self.moving}")
            begin = self.safety.setpoint(self.safety.ready(now))
            end = np.array([*pose, begin[-1] if gap is None else gap])
            trajectory = Trajectory.move(begin, end, speed=self._move_speed, now=now)
            self.safety.check_trajectory(trajectory, returning=True)
        except Refusal as refusal:
            self.safety.count(refusal)
            raise
        self._trajectory, self.moving, self.stopped = trajectory, name, ""
        self._followed_at = now
        self.moves += 1

    def cancel(self, now: float, why: str) -> None:
        """Stop whatever is under way and hold."""
        if self.moving:
            self.safety.silence.demand(f"the move to {self.moving}")
        self._trajectory, self.moving, self.stopped = None, "", why
        self.safety.hold(now)

    def estop(self, now: float, why: str = "requested") -> None:
        """Stop, hold, and latch."""
        self.cancel(now, "e-stop")
        self.safety.estop(now, why)

    def switch_torque(self, on: bool, now: float) -> None:
        """Tell the motors; may block. Between `disable` and `enable` of the filter nothing else sends.

        Raises:
            ClamError: the arm cannot do it, or `on` and nobody knows where it is at `now`.
        """
        if on:
            measured = self.safety.measured
            if measured is None or not self.safety.is_fresh(now):
                raise ClamError(f"torque is not switched on, or the arm could jump to its last goal: {self._lost(now)}")
            self.backend.send(self.safety.setpoint(measured))
        self.backend.torque(on)

    def distance(self, pose: Sequence[float]) -> float:
        """Greatest distance of an arm joint from a pose ``(J,)`` [rad]."""
        measured = self.safety.measured
        return float("inf") if measured is None else float(np.abs(measured.positions[:-1] - np.array(pose)).max())

    def _measure(self, now: float) -> Measurement | None:
        last = self.safety.measured
        try:
            measurement = self.backend.read(now)
        except ClamError as error:
            if str(error) != self.complaint:  # once, not 50 times a second
                self.safety.count(Refusal(Reason.BACKEND, str(error)))
            self.complaint = str(error)
            return None
        self.complaint = ""
        if measurement is None or (last is not None and measurement.stamp == last.stamp):
            return None
        return measurement if self.safety.observe(measurement, now) is None else None

    def _follow(self, now: float) -> None:
        trajectory = self._trajectory
        if trajectory is None or now < trajectory.times[0]:
            return
        if self.moving:
            pause = self._pause(now)
            trajectory = self._trajectory = trajectory.delayed(pause)
            if pause and not self.safety.is_fresh(now):
                return
        names = self.safety.limits.names
        refusal = self.safety.command(names, trajectory.at(now), now, returning=bool(self.moving))
        if refusal is not None:
            self.cancel(now, str(refusal))
        elif now >= trajectory.end and not self._waits_for_silence(trajectory, now):
            if self.moving:
                self.safety.silence.demand(f"the move to {self.moving}")
            self._trajectory, self.moving = None, ""
            self.safety.rest()

    def _pause(self, now: float) -> float:
        """Seconds since the last call that one step of a move must not make up for.

        After a pause of the driver that is all, until its backend has heard of the arm again.
        """
        elapsed, self._followed_at = now - self._followed_at, now
        settings = self.safety.settings
        if elapsed > settings.horizon:
            self._resumed_at = now
        if not self.safety.is_fresh(now) and now - self._resumed_at <= settings.measurement_timeout:
            return elapsed
        return max(0.0, elapsed - settings.horizon)

    def _waits_for_silence(self, trajectory: Trajectory, now: float) -> bool:
        """A move ends a bit later if somebody commanded shortly before: who stopped for it is then obeyed at once."""
        late = now >= trajectory.end + self.safety.settings.command_timeout
        return bool(self.moving) and not late and not self.safety.silence.lasts(now)

    def _refuse(self, refusal: Refusal, now: float) -> Refusal:
        if not self.moving:
            self.cancel(now, str(refusal))
        return self.safety.count(refusal)

    def _lost(self, now: float) -> str:
        """Why nobody knows where the arm is."""
        if self.complaint:
            return self.complaint
        age = self.safety.measurement_age(now)
        old = "it was never measured" if age == float("inf") else f"its last sound measurement is {age:.1f} s old"
        return f"{old}; is its software running, has it power? /diagnostics counts measurements that were refused"

    def state(self, now: float) -> State:
        """What the arm does."""
        return self.safety.state(now)
