"""All of it together: messages of a page and joint positions of an arm in, commands and requests out.

Every `now` [s] is of one monotonic clock. Vectors are ``(A,)``: the arm's joints [rad], then the gripper's gap [m].
Used by one thread.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from clam_core.safety import Limits
from clam_core.teleop.buttons import Buttons
from clam_core.teleop.clutch import Clutch, State
from clam_core.teleop.devices import Device, make_device
from clam_core.teleop.differential_kinematics import DifferentialKinematics
from clam_core.teleop.faults import Cause, Fault
from clam_core.teleop.frames import Pose
from clam_core.teleop.gripper import Gripper
from clam_core.teleop.hand_follower import HandFollower
from clam_core.teleop.messages import InputMessage
from clam_core.teleop.sample import Sample
from clam_core.teleop.settings import TeleopSettings
from clam_core.teleop.stream_check import StreamCheck

Vector = npt.NDArray[np.float64]

SAG = 0.015  # [rad] that a resting arm may be off its setpoint: holding there keeps it from sinking at every clutch
SQUEEZED = 0.01  # [m] that what is gripped may keep the gap wider than commanded, when somebody else moved the arm
AFTER = 1.0  # [s] that holding goes on after the page is gone; then the driver holds by itself
LONGEST_STEP = 0.1  # [s] a longer pause between two ticks is not made up for


class Teleoperator:
    """`open` and `close` begin and end a connection; `receive` takes its messages, `observe` the arm's positions.

    `tick`, called at a steady rate, gives the command, or None when nothing may be sent. Nothing is sent before
    somebody has taken hold of the arm: that a page is open moves nothing, and disturbs nobody else who commands it.
    """

    def __init__(self, kinematics: DifferentialKinematics, limits: Limits, settings: TeleopSettings) -> None:
        self.limits, self.settings = limits, settings
        self.clutch = Clutch(settings.timeout)
        self.counts: Counter[str] = Counter()  # messages
        self.connected = False
        self.device = ""
        self.sample: Sample | None = None  # the newest sound one
        self._follower = HandFollower(kinematics, limits, settings)
        self._gripper = Gripper(limits.gripper_lower, limits.gripper_upper, settings.gripper_speed)
        self._check = StreamCheck(settings)
        self._buttons = Buttons()
        self._reader: Device | None = None
        self._pressed: list[str] = []
        self._measured: Vector | None = None
        self._measured_at = -np.inf
        self._setpoint: Vector | None = None
        self._grip: float | None = None  # last setpoint of the gripper: it may hold something, so it outlives a pause
        self._engagement = 0  # that the follower is in; 0: none
        self._taken = False  # somebody has taken hold of the arm since the page was opened
        self._ticked = -np.inf
        self._closed_at = -np.inf
        self._busy = ""

    # What comes in ------------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        """A page is connected; what it sends begins anew."""
        self.connected, self.device, self._reader = True, "", None
        self._forget()
        self.clutch.heard(now)
        self.clutch.fault(Fault(Cause.CLOSED, "let go of the squeeze to begin"))

    def close(self, now: float) -> None:
        """The page is gone."""
        if self.connected:
            self.connected, self._closed_at = False, now
            self._pressed = [button for button in self._pressed if button == "estop"]
            self.clutch.close()

    def receive(self, message: InputMessage, arrived: float) -> None:
        """A message that came at `arrived`."""
        self.counts["messages"] += 1
        self.clutch.heard(arrived)
        if self._reader is None or message.device != self.device:
            self._take_device(message)
        assert self._reader is not None
        sample = self._reader.sample(message)
        fault = self._check.fault(sample, message.sequence, arrived)
        if fault is not None:
            self.clutch.fault(fault)
            if fault.cause is Cause.ORDER:
                return
        self._pressed += self._buttons.update(sample.buttons, sample.stamp)
        self.sample = sample
        if fault is None:
            self.clutch.update(sample, arrived)

    def observe(self, positions: Vector, now: float) -> None:
        """The arm was measured at `positions` ``(A,)``."""
        if np.isfinite(positions).all():
            self._measured, self._measured_at = positions, now

    def requests(self) -> list[str]:
        """Buttons that were pressed since the last call."""
        pressed, self._pressed = self._pressed, []
        return pressed

    def begin(self, what: str, *, keeps_grip: bool = False) -> None:
        """Somebody else moves or stops the arm now: send nothing until `end`.

        `keeps_grip`: the gripper stays as it was commanded meanwhile.
        """
        self._busy = what
        self.clutch.obstacle = Fault(Cause.BUSY, what)
        self.clutch.fault(self.clutch.obstacle)
        if not keeps_grip:
            self._grip = None

    def end(self) -> None:
        """The arm is ours again."""
        self._busy, self.clutch.obstacle = "", None

    # What goes out ------------------------------------------------------------------------------------------

    def tick(self, now: float) -> Vector | None:
        """The command ``(A,)``."""
        seconds = min(max(now - self._ticked, 0.0), LONGEST_STEP)
        self._ticked = now
        self.clutch.obstacle = self._obstacle(now)
        self.clutch.tick(now)
        if not self.connected and now - self._closed_at >= AFTER:
            self._forget()
        measured, obstacle = self._measured, self.clutch.obstacle
        if measured is None or obstacle is not None:
            self._engagement, self._setpoint = 0, None
            if obstacle is not None and obstacle.cause is Cause.ARM:
                self._grip = None
            return None
        if self.clutch.state is State.ENGAGED and self.sample is not None and self.sample.hand is not None:
            self._setpoint = self._follow(self.sample, self.sample.hand, measured, seconds)
        elif self._engagement or self._setpoint is None:
            self._engagement = 0
            self._setpoint = self._settled(measured)
        if not self._taken:
            self._setpoint = None  # the arm may still be moved by others
            return None
        self._grip = float(self._setpoint[-1])
        return self._setpoint

    @property
    def warning(self) -> str:
        """One line for the operator; empty if all is well."""
        return self._follower.warning if self._engagement else ""

    @property
    def lag(self) -> float:
        """Seconds that the newest message came later than the fastest one."""
        return self._check.lag

    # Inside -------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Nobody has hold of the arm: where it was and what it gripped may be different by now."""
        self._setpoint = self._grip = None
        self._engagement, self._taken = 0, False

    def _take_device(self, message: InputMessage) -> None:
        if self._reader is not None:
            self.clutch.fault(Fault(Cause.DEVICE, f"{message.device} instead of {self.device}: let go to begin"))
        self.device, self._reader = message.device, make_device(message.device, self.settings)
        self._check, self._buttons = StreamCheck(self.settings), Buttons()
        self._buttons.ignore(message.buttons - {"estop"})

    def _obstacle(self, now: float) -> Fault | None:
        if self._busy:
            return Fault(Cause.BUSY, self._busy)
        if now - self._measured_at > self.settings.arm_timeout:
            return Fault(Cause.ARM, "the arm's joint states are missing or old: is its driver active?")
        return None

    def _follow(self, sample: Sample, hand: Pose, measured: Vector, seconds: float) -> Vector:
        if self._engagement != self.clutch.engagements:
            start = self._settled(measured)
            outside = self._follower.outside(start[:-1])
            if outside > 0:
                text = f"the end effector is {100 * outside:.0f} cm outside its workspace: bring the arm home"
                self.clutch.fault(Fault(Cause.ARM, text))
                return start
            assert self._reader is not None
            self._follower.engage(hand, start[:-1], self._reader.scale)
            self._gripper.engage(sample.trigger)
            self._engagement, self._grip, self._taken = self.clutch.engagements, float(start[-1]), True
        arm = self._follower.step(hand, measured[:-1], seconds)
        assert self._grip is not None
        return np.append(arm, self._gripper.step(self._grip, sample.trigger, seconds))

    def _settled(self, measured: Vector) -> Vector:
        """Where to hold: where the arm is measured, or its setpoint if that is the same but for gravity."""
        here = measured if self._setpoint is None else measured + np.clip(self._setpoint - measured, -SAG, SAG)
        here = np.clip(here, self.limits.low, self.limits.high)
        if self._setpoint is not None and self._grip is not None:
            here[-1] = self._grip
        elif self._grip is not None:  # somebody else has moved the arm
            here[-1] = np.clip(self._grip, measured[-1] - SQUEEZED, measured[-1])
        return np.asarray(here)
