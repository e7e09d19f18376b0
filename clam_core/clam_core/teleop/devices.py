"""Input devices behind one interface: whatever a page sends becomes a `Sample`."""

from __future__ import annotations

from typing import Protocol

from clam_core.errors import ClamError, did_you_mean
from clam_core.teleop.frames import Pose, about, from_webxr, identity, turn
from clam_core.teleop.messages import DEVICES, HandPose, InputMessage
from clam_core.teleop.sample import Sample
from clam_core.teleop.settings import TeleopSettings

SCRIPT = "script"
LONGEST_STEP = 0.1  # [s] of a stick: a longer pause between two messages is not made up for


class Device(Protocol):
    """Turns the messages of one controller, in their order, into samples.

    `scale`: way of the end effector per way of the hand. Samples are not scaled: whether a hand jumped is seen in its
    own ways.
    """

    scale: float

    def sample(self, message: InputMessage) -> Sample: ...


class Headset:
    """A tracked controller: its pose in WebXR's axes, aligned by `yaw`."""

    def __init__(self, scale: float, yaw: float) -> None:
        self.scale, self._yaw = scale, yaw

    def sample(self, message: InputMessage) -> Sample:
        """See `Device`."""
        hand = None
        if isinstance(message.motion, HandPose):
            hand = from_webxr(message.motion.position, message.motion.orientation, self._yaw)
        return _sample(message, hand)


class Sticks:
    """Gamepad, keyboard, mouse: what they send is a velocity, which moves a hand that exists only here.

    At full deflection the hand moves at `speed` [m/s] and turns at `turn_speed` [rad/s]; `yaw` as for a headset.
    """

    scale = 1.0

    def __init__(self, speed: float, turn_speed: float, yaw: float) -> None:
        self._speed, self._turn_speed = speed, turn_speed
        self._axes = about((0.0, 0.0, 1.0), yaw)
        self._hand = identity()
        self._stamp: float | None = None

    def sample(self, message: InputMessage) -> Sample:
        """See `Device`."""
        twist = message.motion
        if not isinstance(twist, tuple):
            self._stamp = None
            return _sample(message, None)
        seconds = 0.0 if self._stamp is None else min(max(message.stamp - self._stamp, 0.0), LONGEST_STEP)
        self._stamp = message.stamp
        way, bend = self._axes @ twist[:3], self._axes @ twist[3:]
        self._hand = Pose(
            self._hand.position + self._speed * seconds * way,
            turn(self._turn_speed * seconds * bend) @ self._hand.rotation,
        )
        return _sample(message, self._hand)


def make_device(name: str, settings: TeleopSettings) -> Device:
    """A device as a page names it, or the scripted one.

    Raises:
        ClamError: there is no such device.
    """
    known = (*DEVICES, SCRIPT)
    if name not in known:
        raise ClamError(f"no input device '{name}': {did_you_mean(name, known)}")
    if name == "headset":
        return Headset(settings.scale, settings.yaw)
    yaw = 0.0 if name == SCRIPT else settings.yaw
    return Sticks(settings.stick_speed, settings.stick_turn_speed, yaw)


def _sample(message: InputMessage, hand: Pose | None) -> Sample:
    return Sample(message.stamp, hand, message.squeeze, message.trigger, message.buttons)
