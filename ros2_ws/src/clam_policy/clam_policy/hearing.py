"""What came on some topics of late. No ROS here; stamps and arrivals in ns (ROS clock), times in s (steady clock)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from clam_core.doctor.heard import Stream


class Hearing:
    """Of each of `topics` the stamps of the last `window` seconds, and the newest message. Used by one thread."""

    def __init__(self, topics: Iterable[str], window: float) -> None:
        self.topics, self.window = tuple(topics), window
        self._came: dict[str, deque[tuple[float, int, int]]] = {}
        #: Topic → newest message.
        self.newest: dict[str, Any] = {}
        self._since = 0.0
        self.begin(0.0)

    def begin(self, time: float) -> None:
        """Forget everything; listening begins at `time`."""
        self._since = time
        self._came = {topic: deque() for topic in self.topics}
        self.newest = {}

    def hear(self, topic: str, stamp: int, arrival: int, message: Any, time: float) -> None:
        """A message came."""
        came = self._came[topic]
        came.append((time, stamp, arrival))
        while came[0][0] < time - self.window:
            came.popleft()
        self.newest[topic] = message

    def missing(self, time: float) -> float:
        """How long it must still listen until what it heard means something [s]."""
        return max(0.0, self._since + self.window - time)

    def streams(self) -> dict[str, Stream]:
        """Topic → what came."""
        return {
            topic: Stream(tuple(stamp for _, stamp, _ in came), tuple(arrival for *_, arrival in came))
            for topic, came in self._came.items()
        }
