"""What every input device gives, and the buttons that there are."""

from __future__ import annotations

from dataclasses import dataclass

from clam_core.teleop.frames import Pose

#: What an operator can ask for. `record` starts an episode, or stops the one that is being recorded.
BUTTONS = ("record", "discard", "success", "home", "estop")


@dataclass(frozen=True)
class Sample:
    """What the operator's hand did at `stamp` [s] on the device's own clock.

    `hand` is in axes parallel to those of the arm's base; only its changes count. It is None while the device is not
    tracked or not there: `squeeze` is then no evidence of a release. `squeeze` and `trigger` go from 0 to 1.
    """

    stamp: float
    hand: Pose | None
    squeeze: float
    trigger: float
    buttons: frozenset[str] = frozenset()
