"""What the page says, as JSON over the WebSocket: checked strictly, because it moves an arm.

{"type": "input", "device": "headset", "sequence": 7, "stamp": 1234.5, "squeeze": 1, "trigger": 0.2,
 "buttons": ["record"], "pose": {"position": [x, y, z], "orientation": [x, y, z, w]}}

`stamp` is in milliseconds on the page's monotonic clock. A headset sends `pose` (WebXR's axes), all other devices
`twist`: three directions and three turns from −1 to 1, along and about what is ahead, left and up for the operator.
Either is null while the controller is not tracked or not there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clam_core.teleop.sample import BUTTONS

DEVICES = ("headset", "gamepad", "keyboard")
MAX_BYTES = 2048
FAR = 100.0  # [m] nobody walks further from where the page was opened
KEYS = {"type", "device", "sequence", "stamp", "squeeze", "trigger", "buttons"}
UNIT = 0.02  # what the length of a quaternion may be off


class MessageRefused(Exception):
    """A message that must not be acted upon; says what is wrong with it in one line."""


@dataclass(frozen=True)
class HandPose:
    """`position` [m] and `orientation`, a unit quaternion x, y, z, w, in WebXR's axes."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]


@dataclass(frozen=True)
class InputMessage:
    """One message of type ``input``; `stamp` is in seconds. `motion` is None while the controller is missing."""

    device: str
    sequence: int
    stamp: float
    squeeze: float
    trigger: float
    buttons: frozenset[str]
    motion: HandPose | tuple[float, ...] | None


def parse_input(text: str) -> InputMessage:
    """The message in `text`.

    Raises:
        MessageRefused: not JSON, unknown or missing keys, wrong types, numbers that are not finite or out of range.
    """
    if len(text) > MAX_BYTES:
        raise MessageRefused(f"{len(text)} characters; a message has at most {MAX_BYTES}")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageRefused(f"not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("type") != "input":
        raise MessageRefused("not an object of type 'input'")
    device = data.get("device")
    if device not in DEVICES:
        raise MessageRefused(f"device is {_short(device)}: valid: {', '.join(DEVICES)}")
    motion = "pose" if device == "headset" else "twist"
    if data.keys() != KEYS | {motion}:
        wrong = sorted(data.keys() ^ (KEYS | {motion}))
        raise MessageRefused(f"keys missing or unknown: {_short(wrong)}")
    return InputMessage(
        device=device,
        sequence=_sequence(data["sequence"]),
        stamp=_number(data["stamp"], "stamp", 0.0, 1e12) / 1000.0,
        squeeze=_number(data["squeeze"], "squeeze", 0.0, 1.0),
        trigger=_number(data["trigger"], "trigger", 0.0, 1.0),
        buttons=_buttons(data["buttons"]),
        motion=_motion(data[motion], motion),
    )


def _motion(value: Any, kind: str) -> HandPose | tuple[float, ...] | None:
    if value is None:
        return None
    if kind == "twist":
        return _numbers(value, "twist", 6, 1.0)
    if not isinstance(value, dict) or value.keys() != {"position", "orientation"}:
        raise MessageRefused("pose has no position and orientation")
    orientation = _numbers(value["orientation"], "orientation", 4, 1.0 + UNIT)
    length = math.sqrt(sum(number * number for number in orientation))
    if abs(length - 1.0) > UNIT:
        raise MessageRefused(f"orientation is no unit quaternion: its length is {length:.3f}")
    return HandPose(_numbers(value["position"], "position", 3, FAR), tuple(x / length for x in orientation))


def _numbers(value: Any, what: str, count: int, most: float) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise MessageRefused(f"{what} is {_short(value)}: give {count} numbers")
    return tuple(_number(item, what, -most, most) for item in value)


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise MessageRefused(f"{what} is {_short(value)}: give a number from {low:g} to {high:g}")
    return float(value)


def _sequence(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise MessageRefused(f"sequence is {_short(value)}: give a whole number")
    return value


def _buttons(value: Any) -> frozenset[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(item in BUTTONS for item in value):
        raise MessageRefused(f"buttons are {_short(value)}: valid: {', '.join(BUTTONS)}")
    return frozenset(value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
