"""What an operator can say, by page, key or service."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from clam_core.teleop.messages import MAX_BYTES, MessageRefused
from clam_eval.rollout import Rollout

#: Name of the button, which is the service's after ``evaluation/``, and the key for it in a terminal.
BUTTONS = {
    "scene_ready": "r",
    "score_0": "1",
    "score_half": "2",
    "score_1": "3",
    "invalid": "i",
    "abort": "a",
    "estop": "e",
}
SCORES = {"score_0": 0.0, "score_half": 0.5, "score_1": 1.0}
INVALID = "invalid, says the operator"


@dataclass(frozen=True)
class Press:
    """A button of the page; `stamp` [s] is on the page's clock."""

    button: str
    stamp: float


def parse_press(text: str) -> Press:
    """What the page says: ``{"type": "input", "sequence": 1, "stamp": 12.5, "button": "score_1"}``, stamp in ms.

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
    return Press(data["button"], stamp / 1000.0)


def apply(button: str, rollout: Rollout | None, now: float) -> str:
    """Tell the rollout; why that means nothing now, or an empty text. Not the e-stop itself, but what comes of it."""
    if rollout is None or rollout.over:
        return "no rollout is under way"
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
    names = ["scene_ready"] if phase == "scene" else []
    names += list(SCORES) if rollout.rules.by_person and phase in ("running", "scoring") else []
    return [*names, "invalid", *(["abort"] if phase != "scoring" else []), "estop"]
