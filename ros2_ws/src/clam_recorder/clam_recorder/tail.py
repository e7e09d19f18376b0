"""When the end of an episode is in: everything that was sent before somebody asked for the stop. No ROS here."""

from __future__ import annotations

from collections import Counter

LOOKS = 5  # in succession without a message: a topic rests
MOST_LOOKS = 4 * LOOKS  # at topics that neither rest nor say when their messages were made
LATEST = 2.0  # [s] for topics whose stamps never pass the stop: late, or of another clock


class Tail:
    """Counts looks, not seconds: whoever stood still for a while has messages waiting, and must not call that silence.

    A topic is in when it rests, or once a message came that was made after `begin` [ns].
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

    def look(self, now: int) -> bool:
        """Whether the end is in, at `now` [ns]; messages were taken in since the last look."""
        self._looks += 1
        self._silent.update(dict.fromkeys(self._stamped, 1))
        late = now - self._begin > LATEST * 1e9
        tired = self._looks >= MOST_LOOKS
        return self._looks >= LOOKS and all(
            topic in self._past or self._silent[topic] >= LOOKS or (tired and (late or not stamped))
            for topic, stamped in self._stamped.items()
        )
