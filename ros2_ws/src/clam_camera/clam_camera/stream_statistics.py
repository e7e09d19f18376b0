"""How a stream of frames really is: rate, lost frames, age. Times are of a steady clock [s]."""

from __future__ import annotations

import threading
from collections import deque

WINDOW = 5.0  # [s]


class StreamStatistics:
    """Fed with each frame's arrival in one thread, read in another."""

    def __init__(self) -> None:
        self.frames = 0
        self.drops = 0
        self._arrivals: deque[float] = deque()
        self._number: int | None = None
        self._last: float | None = None
        self._lock = threading.Lock()

    def add(self, arrival: float, number: int | None) -> None:
        """A frame arrived; the gap between its `number` and the previous one counts as drops."""
        with self._lock:
            self.frames += 1
            self._last = arrival
            self._arrivals.append(arrival)
            if number is not None and self._number is not None:
                self.drops += max(0, number - self._number - 1)
            self._number = number

    def restart(self) -> None:
        """The device was opened anew: its numbers, and the rate, begin again. Counts stay."""
        with self._lock:
            self._number = None
            self._arrivals.clear()

    def rate(self, now: float) -> float:
        """Frames per second over the last `WINDOW`; 0 while fewer than two came."""
        with self._lock:
            while self._arrivals and self._arrivals[0] < now - WINDOW:
                self._arrivals.popleft()
            if len(self._arrivals) < 2:
                return 0.0
            return (len(self._arrivals) - 1) / max(self._arrivals[-1] - self._arrivals[0], 1e-9)

    def age(self, now: float) -> float:
        """Seconds since the last frame arrived; infinite before the first."""
        return float("inf") if self._last is None else now - self._last
