"""The filter between any command and any arm: check, then approach at limited speed, or hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from clam_core.safety.checks import Checks, Kinematics
from clam_core.safety.limits import Limits
from clam_core.safety.measurement import Measurement, check_measurement
from clam_core.safety.reasons import Reason, Refusal
from clam_core.safety.settings import FilterSettings
from clam_core.safety.silence import Silence
from clam_core.safety.trajectory import Trajectory, in_order

Vector = npt.NDArray[np.float64]


class State(str, Enum):
    """What the arm does."""

    DISABLED = "disabled"  # no torque: nothing is sent
    ACTIVE = "active"  # follows commands
    HOLD = "hold"  # stays where it was measured
    ESTOP = "e-stop"  # holds until an explicit reset
    FAULT = "fault"  # no sound measurement: nothing is sent, the motors keep their last goal


class SafetyFilter:
    """Takes measurements and commands, gives the setpoint to send. Every `now` [s] is of one monotonic clock.

    A refused command makes the arm hold. To hold is to stay where the arm was measured at that moment; only the
    gripper keeps its last setpoint, because opening when a policy falls silent would drop what it grips. The
    filter starts disabled.
    """

    def __init__(self, limits: Limits, kinematics: Kinematics, settings: FilterSettings | None = None) -> None:
        self.limits = limits
        self.settings = settings or FilterSettings()
        self.counts: Counter[str] = Counter()
        self.last_refusal: Refusal | None = None
        self.measured: Measurement | None = None
        self.estopped: str | None = None
        self.commanded_at: float | None = None
        self.silence = Silence(self.settings.command_timeout)
        self._checks = Checks(limits, kinematics)
        self._low, self._high, self._speed = limits.low, limits.high, limits.speed
        self._enabled_at: float | None = None
        self._target: Vector | None = None  # accepted command, or where to hold
        self._sent: Vector | None = None
        self._sent_at = 0.0
        self._grip: float | None = None  # last setpoint of the gripper while torque is on
        self._holding = True
        self._returning = False
        self._latched = False  # the target is where the arm was measured when it began to hold

    # What comes in ------------------------------------------------------------------------------------------

    def observe(self, measurement: Measurement, now: float) -> Refusal | None:
        """Take a measurement; a known fault is refused, and the last sound one ages."""
        try:
            check_measurement(self.limits, measurement, self.measured, now)
        except Refusal as refusal:
            return self.count(refusal)
        self.measured = measurement
        return None

    def command(
        self, names: Sequence[str], positions: npt.ArrayLike, now: float, *, returning: bool = False
    ) -> Refusal | None:
        """Take a command ``(A,)`` for the named joints, to be reached within the horizon.

        `returning`: it is of a path that `check_trajectory` found to lead back into the workspace box.
        """
        try:
            measured = self.ready(now)
        except Refusal as refusal:
            return self.count(refusal)
        try:
            target = in_order(self.limits.names, names, positions)
            self._checks.position(target)
            target = self._within_speed(target, measured, now)
            if not returning:
                self._checks.workspace(target)
        except Refusal as refusal:
            self.hold(now)
            return self.count(refusal)
        self._target, self._returning, self.commanded_at = target, returning, now
        self._holding = self._latched = False
        return None

    def check_trajectory(self, trajectory: Trajectory, *, returning: bool = False) -> None:
        """Check all points and speeds before it starts; its setpoints are commands all the same.

        `returning`: it may begin outside the workspace box, if it leads back into it.

        Raises:
            Refusal: a point outside the limits or the box, or a segment faster than a velocity limit.
        """
        for point in trajectory.positions:
            self._checks.position(point)
            if not returning:
                self._checks.workspace(point)
        if returning:
            self._checks.returns_to_workspace(trajectory.positions)
        self._checks.trajectory_speed(trajectory.fastest)

    def enable(self, now: float) -> None:
        """Torque is on: hold where the arm is, and be slow at first."""
        self._enabled_at = now
        self._forget()
        self._grip = None
        self.silence.demand("the switching of torque")

    def disable(self) -> None:
        """Torque is off: send nothing."""
        self._enabled_at = None
        self._forget()
        self._grip = None

    def estop(self, now: float, why: str = "requested") -> None:
        """Hold, and refuse every command until `reset_estop`."""
        self.estopped = self.estopped or why
        self.hold(now)

    def reset_estop(self, now: float) -> Refusal | None:
        """End the e-stop, explicitly. Refused without a sound measurement: nobody knows where the arm is."""
        if not self.is_fresh(now):
            return self.count(self._no_measurement(now))
        self.estopped = None
        self.silence.demand("the e-stop")
        if self._enabled_at is not None:
            self._enabled_at = now
        return None

    def hold(self, now: float) -> None:
        """Stay where the arm is measured now. Repeated, it changes nothing: gravity must not drag the hold down."""
        if self._latched:
            return
        self._holding = self._latched = True
        if self.measured is None or not self.is_fresh(now):
            self._target = self._sent
            return
        self._target = self._here(self.measured)

    def rest(self) -> None:
        """Commands have ended as planned: hold the last of them, and do not miss any more."""
        self._holding, self._latched = True, False

    def count(self, refusal: Refusal) -> Refusal:
        """Remember a refusal under its reason."""
        self.counts[refusal.reason.value] += 1
        self.last_refusal = refusal
        return refusal

    # What goes out ------------------------------------------------------------------------------------------

    def output(self, now: float) -> Vector | None:
        """Setpoint ``(A,)`` to send now, or None to send nothing. Call it at a steady rate."""
        if self._enabled_at is None:
            return None
        if self.measured is None or not self.is_fresh(now):
            if self._sent is not None:
                age = self.measurement_age(now)
                self.count(Refusal(Reason.MEASUREMENT_STALE, f"the last sound measurement is {age:.3f} s old"))
            self._forget()  # begin anew from where the arm will be found
            return None
        if self._sent is None or self._target is None:
            self._sent = self._here(self.measured)
            if self._target is None:
                self._target, self._latched = self._sent, True
            self._enabled_at = self._sent_at = now
        elif not self._holding and self.commanded_at is not None:
            silent = now - self.commanded_at
            if silent > self.settings.command_timeout:
                self.count(Refusal(Reason.COMMAND_TIMEOUT, f"no command for {silent:.3f} s"))
                self.hold(now)
        following = self._approach(now)
        strict = not (self._holding or self._returning)
        if strict and self._checks.leaves_workspace(self._sent, following):
            self.count(Refusal(Reason.WORKSPACE, "the way to the command leads out of the workspace box"))
            self.hold(now)
            following = self._approach(now)
        self._sent, self._sent_at, self._grip = following, now, float(following[-1])
        return following.copy()

    def state(self, now: float) -> State:
        """What the arm does."""
        if self.estopped:
            return State.ESTOP
        if not self.is_fresh(now):
            return State.FAULT
        if self._enabled_at is None:
            return State.DISABLED
        return State.HOLD if self._holding else State.ACTIVE

    @property
    def following_error(self) -> float:
        """Greatest distance of a joint of the arm from its setpoint [rad]; overload and stall show here only."""
        if self._sent is None or self.measured is None:
            return 0.0
        return float(np.abs(self._sent - self.measured.positions)[:-1].max())

    def measurement_age(self, now: float) -> float:
        """Seconds since the last sound measurement; infinite before the first."""
        return float("inf") if self.measured is None else now - self.measured.stamp

    def is_fresh(self, now: float) -> bool:
        """Whether the last sound measurement is recent enough to act on."""
        return self.measurement_age(now) <= self.settings.measurement_timeout

    def ready(self, now: float) -> Measurement:
        """The measurement that a command may start from.

        Raises:
            Refusal: e-stop, no torque, or no sound measurement.
        """
        if self.estopped:
            raise Refusal(Reason.ESTOP, f"e-stop is latched ({self.estopped}): reset it first")
        if self._enabled_at is None:
            raise Refusal(Reason.TORQUE_OFF, "torque is off: switch it on first")
        if self.measured is None or not self.is_fresh(now):
            raise self._no_measurement(now)
        return self.measured

    def setpoint(self, measured: Measurement) -> Vector:
        """What was sent last ``(A,)``, or where the arm is if nothing was: always within the limits."""
        return self._here(measured) if self._sent is None else self._sent.copy()

    # Inside -------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._sent = self._target = None
        self._holding, self._latched = True, False

    def _here(self, measured: Measurement) -> Vector:
        """Setpoint of an arm that stays where it is; the gripper keeps its grip."""
        here = np.clip(measured.positions, self._low, self._high)
        if self._grip is not None:
            here[-1] = self._grip
        return here

    def _within_speed(self, target: Vector, measured: Measurement, now: float) -> Vector:
        seconds = self.settings.horizon + now - measured.stamp
        try:
            self._checks.speed(target, measured.positions, seconds)
        except Refusal as refusal:
            if self.settings.on_fast == "refuse":
                raise
            self.count(refusal)
            return self._checks.scaled(target, measured.positions, seconds)
        return target

    def _approach(self, now: float) -> Vector:
        """From the last setpoint towards the target, no joint faster than its (start-up) velocity limit."""
        assert self._sent is not None and self._target is not None and self._enabled_at is not None
        begin = self.settings.startup_speed
        grown = min(1.0, (now - self._enabled_at) / self.settings.startup_time)
        elapsed = min(max(now - self._sent_at, 0.0), self.settings.horizon)
        step = self._speed * (begin + (1 - begin) * grown) * elapsed
        return self._sent + np.clip(self._target - self._sent, -step, step)

    def _no_measurement(self, now: float) -> Refusal:
        age = self.measurement_age(now)
        text = "the arm has not been measured yet" if self.measured is None else f"the last is {age:.3f} s old"
        return Refusal(Reason.NO_MEASUREMENT, f"no sound measurement: {text}")
