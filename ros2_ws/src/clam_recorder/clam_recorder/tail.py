"""When the end of an episode is in: everything that was sent before somebody asked for the stop. No ROS here."""

from __future__ import annotations

from collections import Counter

LOOKS = 5  # in succession without a message: a topic rests
MOST_LOOKS = 4 * LOOKS  # where a topic never rests: for the slower ones beside it
LATEST = 2.0  # [s] for topics whose stamps never pass the stop: late, or of another clock


class Tail:
    """Counts looks, not seconds: whoever stood still for a while has messages waiting, and must not call that silence.

    The end is in when all rest. Where a topic never does, it is once a message came that was made after `begin` [ns];
    of topics without stamps nothing better is known than that there was time.
    """

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self._looks = 0
        self._silent: Counter[str] = Counter()  # looks in succession without a message
        self._stamped: dict[str, bool] = {}  # topics that were heard since, and whether their messages have stamps
        self._past: set[str] = set()

    def hear(self, topic: str, stamp: int) -> None:
        """A message of `topic` that was made at `stamp` [ns]; 0: it does not say."""
        self._silent[topic] = -1  # the next look finds one
        self._stamped[topic] = stamp > 0
        if stamp > self._begin:
            self._past.add(topic)

    def look(self, elapsed: float) -> bool:
        """Whether the end is in, `elapsed` seconds after the stop; messages were taken in since the last look."""
        self._looks += 1
        self._silent.update(dict.fromkeys(self._stamped, 1))
        moving = [topic for topic in self._stamped if self._silent[topic] < LOOKS]
        if not moving:
            return self._looks >= LOOKS
        awaited = [topic for topic in moving if self._stamped[topic] and topic not in self._past]
        return self._looks >= MOST_LOOKS and (not awaited or elapsed > LATEST)
