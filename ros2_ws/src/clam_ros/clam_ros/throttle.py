"""Log lines that come again and again, each time with other numbers: once at first, then now and then with a count."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

PERIOD = 10.0  # [s] between two lines of the same cause
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?(e[-+]?\d+)?(?![\w])")


@dataclass
class _Said:
    at: float  # [s]
    held_back: int = 0


class Throttle:
    """Says a cause at once, then at most every `period` [s], with how many lines of it were held back.

    The cause of a line is its text without the numbers: ages and rates are others each time. By any thread; `clock`
    tells steady seconds.
    """

    def __init__(self, period: float = PERIOD, clock: Callable[[], float] = time.monotonic) -> None:
        self._period, self._clock = period, clock
        self._said: dict[str, _Said] = {}
        self._lock = threading.Lock()

    def say(self, log: Callable[[str], object], text: str, details: str = "") -> None:
        """`log` the line `text` (and `details` after it, which are no part of the cause), unless it is too soon."""
        cause, now = _NUMBER.sub("#", text), self._clock()
        with self._lock:
            said = self._said.get(cause)
            if said is not None and now - said.at < self._period:
                said.held_back += 1
                return
            self._said[cause] = _Said(now)
        count = "" if said is None or not said.held_back else f" ({said.held_back} more like this were not logged)"
        log(f"{text}{count}{details}")
