"""Why the arm holds although somebody may still squeeze: a code to count and a line to read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Cause(str, Enum):
    """Its value is the key under which faults are counted."""

    LOST = "lost"  # the controller is not tracked, or not there
    GAP = "gap"  # the page was silent by its own clock
    ORDER = "order"
    LATE = "late"
    JUMP = "jump"
    TIMEOUT = "timeout"  # nothing came, by our clock
    CLOSED = "closed"  # the page is gone
    DEVICE = "device"  # the page changed the device
    ARM = "arm"  # its joint states are missing, or it cannot be commanded
    BUSY = "busy"  # it moves home, or the e-stop was pressed


@dataclass(frozen=True)
class Fault:
    """`text` is one line for the operator."""

    cause: Cause
    text: str
