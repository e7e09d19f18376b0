"""What an operator can say, by page, key or service."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from clam_core.teleop.messages import MAX_BYTES, MessageRefused
from clam_eval.rollout import Rollout

#: Name of the button, which is the service's after ``evaluation/``, and the key for it in a terminal.
BUTTONS = {
    "clear": "c",
    "scene_ready": "r",
    "score_0": "0",
    "score_half": "5",
    "score_1": "1",
    "invalid": "i",
    "abort": "a",
    "estop": "e",
    "correct_0": "",
    "correct_half": "",
    "correct_1": "",
}
SCORES = {"score_0": 0.0, "score_half": 0.5, "score_1": 1.0}
CORRECTIONS = {"correct_0": 0.0, "correct_half": 0.5, "correct_1": 1.0}
#: Buttons by which people say that the arm may move: they count only while the robot is ready.
RELEASES = ("clear", "scene_ready")
INVALID = "invalid, says the operator"
DOUBLE = 1.0  # [s] within which two presses of a button are one


@dataclass(frozen=True)
class Press:
    """A button of the page; `stamp` [s] is on the page's clock, `number` that of the attempt that the page showed."""

    button: str
    stamp: float
    number: int


def parse_press(text: str) -> Press:
    """What the page says: ``{"type": "input", "sequence": 1, "stamp": 12.5, "button": "score_1", "number": 3}``, stamp
    in ms.

    Raises:
        MessageRefused: it is something else.
    """
    if len(text) > MAX_BYTES:
        raise MessageRefused(f"{len(text)} characters; a message has at most {MAX_BYTES}")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageRefused(f"not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("type") != "input" or data.get("button") not in (*BUTTONS, ""):
        raise MessageRefused(f"no button of {', '.join(BUTTONS)}")
    stamp = data.get("stamp")
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not math.isfinite(stamp):
        raise MessageRefused("stamp is no finite number")
    number = data.get("number")
    if isinstance(number, bool) or not isinstance(number, int):
        raise MessageRefused("number is no whole number")
    return Press(data["button"], stamp / 1000.0, number)


class Doubles:
    """A key that is held, and a second operator who presses the same button a moment later: both mean one press.

    `now` [s] is on a steady clock. What was refused may be pressed again at once.
    """

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}

    def is_double(self, button: str, now: float) -> bool:
        """Whether `button` was taken a moment ago, and has been pressed since without a pause."""
        double = button in self._taken and now - self._taken[button] < DOUBLE
        if double:
            self._taken[button] = now
        return double

    def taken(self, button: str, now: float) -> None:
        """This press counted."""
        self._taken[button] = now


def apply(button: str, rollout: Rollout | None, now: float) -> str:
    """Tell the rollout; why that means nothing now, or an empty text. Not the e-stop itself, but what comes of it."""
    if rollout is None or rollout.over:
        return "no rollout is under way"
    if button == "clear":
        return "" if rollout.is_clear() else "nobody asks for that now"
    if button == "scene_ready":
        return "" if rollout.scene_is_reset() else "nobody waits for the scene now"
    if button in SCORES:
        if not rollout.rules.by_person:
            return "the simulator scores: start with scorer:=person"
        return "" if rollout.person_says(SCORES[button], now) else "there is nothing to score yet"
    if button == "invalid":
        rollout.invalidate(INVALID)
        return ""
    why = "stopped by the operator's e-stop" if button == "estop" else "stopped by the operator"
    return "" if rollout.abort(now, why) else "there is nothing to stop"


def allowed(rollout: Rollout | None) -> list[str]:
    """Buttons that mean something now."""
    if rollout is None or rollout.over:
        return ["estop"]
    phase = rollout.phase.value
    names = {"barred": ["clear"], "scene": ["scene_ready"]}.get(phase, [])
    names += list(SCORES) if rollout.rules.by_person and phase in ("running", "scoring") else []
    return [*names, "invalid", *(["abort"] if phase != "scoring" else []), "estop"]
