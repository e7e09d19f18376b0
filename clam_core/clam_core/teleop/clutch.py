"""Dead-man and clutch: the arm follows only while the operator squeezes, and only after having let go.

BLOCKED ──let go──▶ RELEASED ──squeeze──▶ ENGAGED
   ▲                    │ ◀────let go────────┘ │
   └──────── any fault ─┴──────────────────────┘
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

from clam_core.teleop.faults import Cause, Fault
from clam_core.teleop.sample import Sample

SQUEEZED, LET_GO = 0.7, 0.4  # hysteresis: squeezes of 0.5 that tremble do not chatter
NOBODY = Fault(Cause.CLOSED, "nobody operates the arm")
LOST = Fault(Cause.LOST, "the controller is not tracked: hold it where the headset sees it; with keys, let go once")
SILENT = Fault(Cause.TIMEOUT, "the page is silent: is it open, and in front?")


class State(str, Enum):
    """What the clutch does."""

    BLOCKED = "blocked"  # holds; squeezing does nothing until the operator has let go
    RELEASED = "released"  # holds; squeezing engages
    ENGAGED = "engaged"  # the arm follows


class Clutch:
    """Fed with the sound samples in their order; every `now` [s] is of one monotonic clock of ours.

    It begins blocked: who opens the page with a squeezed controller must let go first. A controller that is missing
    is a fault and no release. `obstacle` is a fault that lasts; while there is one, nothing leads out of BLOCKED.
    """

    def __init__(self, timeout: float) -> None:
        self.state = State.BLOCKED
        self.reason = NOBODY  # of the last fault
        self.counts: Counter[str] = Counter()
        self.engagements = 0
        self.obstacle: Fault | None = None
        self._timeout = timeout
        self._heard: float | None = None  # None: nobody is connected, silence is nothing new
        self._counted: set[Cause] = set()

    def update(self, sample: Sample, now: float) -> None:
        """Take a sample that came at `now`."""
        self._heard = now
        if sample.hand is None:
            self.fault(LOST)
        elif self.obstacle is not None:
            self.fault(self.obstacle)
        elif sample.squeeze < LET_GO:
            self.state = State.RELEASED
            self._counted.clear()
        elif self.state is State.RELEASED and sample.squeeze > SQUEEZED:
            self.state = State.ENGAGED
            self.engagements += 1

    def heard(self, now: float) -> None:
        """Something came at `now`, though it was no sound sample."""
        self._heard = now

    def tick(self, now: float) -> None:
        """Notice silence and obstacles; call it at a steady rate."""
        if self._heard is not None and now - self._heard > self._timeout:
            self.fault(SILENT)
        if self.obstacle is not None:
            self.fault(self.obstacle)

    def fault(self, fault: Fault) -> None:
        """Hold until the operator has let go. One trouble counts once, however long it lasts."""
        if fault.cause not in self._counted:
            self._counted.add(fault.cause)
            self.counts[fault.cause.value] += 1
        self.state, self.reason = State.BLOCKED, fault

    def close(self) -> None:
        """The page is gone."""
        self._heard = None
        self.fault(NOBODY)
