"""What is known of the topics while they are heard: rates, ages and stamps, and whether that is as it should be."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW, PERIODS = 2.0, 10  # [s], and expected periods, over which rates are measured: whichever is longer
ENOUGH = 1.0  # [s] of messages that a rate needs to be believed, or three periods
BEAT = 0.1  # [s] between two calls of `TopicMonitor.beat`
COMES = "comes at"
MEND = (
    "; of a busy machine ask less (`rate:=10.0 width:=320 height:=240`), or allow more (`rate_tolerance:=0.5`, "
    "`required:=topic:hz`)"
)


@dataclass(frozen=True)
class Limits:
    """How far a required topic may be from what is expected.

    `tolerance` is the share by which its rate may differ, `stale_after` [s] the longest silence (or three periods
    where that is longer), `stamp_age` [s] the largest difference between its stamps and this machine's clock.
    """

    tolerance: float = 0.2
    stale_after: float = 0.5
    stamp_age: float = 1.0


@dataclass
class _Heard:
    expected: float | None
    arrivals: deque[tuple[float, int]] = field(default_factory=deque)  # (steady time [s], bytes)
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    beats: int = 0  # since then
    zero_stamps: int = 0
    stamp_age: float = 0.0

    @property
    def window(self) -> float:
        """Over which its rate is measured [s]."""
        return max(WINDOW, PERIODS / self.expected) if self.expected else WINDOW


class TopicMonitor:
    """Fed with every message. `expected` maps topic to its rate [Hz], None where none is required.

    Times are of a steady clock [s]. Used by one thread.
    """

    def __init__(self, expected: Mapping[str, float | None], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._topics = {topic: _Heard(rate) for topic, rate in expected.items()}

    def note(self, topic: str, now: float, size: int, age: float | None = None) -> None:
        """A message of `size` bytes arrived; its stamp was `age` [s] old, infinite if it was 0, None if unknown."""
        heard = self._topics[topic]
        if not heard.count:
            heard.first = now
        heard.count += 1
        heard.last, heard.beats = now, 0
        heard.arrivals.append((now, size))
        _forget(heard, now)
        if age is not None:
            heard.zero_stamps = heard.zero_stamps + 1 if age == float("inf") else 0
            heard.stamp_age = age

    def beat(self) -> None:
        """To be called every `BEAT` by the thread that notes the messages, if it can.

        Where it was held up it has heard nothing meanwhile, and is no judge of silence: messages wait to be noted.
        """
        for heard in self._topics.values():
            heard.beats += 1

    def rate(self, topic: str, now: float) -> float:
        """Messages per second, by those of the last seconds."""
        heard = self._topics[topic]
        _forget(heard, now)
        if len(heard.arrivals) < 2:
            return 0.0
        return (len(heard.arrivals) - 1) / max(heard.arrivals[-1][0] - heard.arrivals[0][0], 1e-9)

    def bytes_per_second(self, now: float) -> float:
        """What all topics together bring."""
        total = 0.0
        for heard in self._topics.values():
            _forget(heard, now)
            span = min(heard.window, max(now - heard.first, 0.1))
            total += sum(size for _, size in heard.arrivals) / span
        return total

    def slow(self, now: float) -> dict[str, tuple[float, float]]:
        """Required topics that are silent or come too slowly: their rate, and the rate expected [Hz].

        A rate is that of messages over a while (`ENOUGH`); before, it says nothing.
        """
        found = {}
        for topic, heard in self._topics.items():
            if heard.expected is not None:
                silent = min(now - heard.last, heard.beats * BEAT) > self._patience(heard.expected)
                rate = 0.0 if silent else self.rate(topic, now)
                enough = silent or _span(heard) >= _enough(heard.expected)
                if enough and rate < (1 - self.limits.tolerance) * heard.expected:
                    found[topic] = (rate, heard.expected)
        return found

    def refusals(self, now: float) -> list[str]:
        """Why a recording should not begin, one reason for every required topic that is not as it should be.

        The last one that comes too slowly says what helps.
        """
        reasons: list[str] = []
        slow: int | None = None
        for topic, heard in self._topics.items():
            if heard.expected is not None and (why := self._refusal(topic, heard, heard.expected, now)):
                if why.startswith(COMES) and self.rate(topic, now) < heard.expected:
                    slow = len(reasons)
                reasons.append(f"{topic} {why}")
        if slow is not None:
            reasons[slow] += MEND
        return reasons

    def table(self, now: float) -> dict[str, dict[str, float | bool | None]]:
        """Every topic's rate, the rate expected (None: any) and whether all is well with it."""
        bad = {topic for topic, heard in self._topics.items() if self._wrong(topic, heard, now)}
        return {
            topic: {"rate": round(self.rate(topic, now), 2), "expected": heard.expected, "ok": topic not in bad}
            for topic, heard in self._topics.items()
        }

    def _wrong(self, topic: str, heard: _Heard, now: float) -> bool:
        return heard.expected is not None and self._refusal(topic, heard, heard.expected, now) is not None

    def _refusal(self, topic: str, heard: _Heard, expected: float, now: float) -> str | None:
        if not heard.count:
            return "is silent: start its node, or take it out of `required`"
        if now - heard.last > self._patience(expected):
            return f"is stale: its last message came {now - heard.last:.1f} s ago"
        if heard.zero_stamps:
            return "has stamp 0: its driver sets none"
        if abs(heard.stamp_age) > self.limits.stamp_age:
            where = "behind" if heard.stamp_age > 0 else "ahead of"
            return f"is stamped {abs(heard.stamp_age):.1f} s {where} this machine's clock: synchronize the clocks"
        if now - heard.first < _enough(expected):
            return f"has come for {now - heard.first:.1f} s only: wait a moment"
        rate = self.rate(topic, now)
        if abs(rate - expected) > self.limits.tolerance * expected:
            return f"{COMES} {rate:.1f} Hz, not {expected:g}"
        return None

    def _patience(self, expected: float) -> float:
        return max(self.limits.stale_after, 3.0 / expected)


def _enough(expected: float) -> float:
    """Time [s] over which messages must have come before their rate says something."""
    return max(ENOUGH, 3.0 / expected)


def _span(heard: _Heard) -> float:
    """Time [s] between the first and the last message that its rate is measured by."""
    return heard.arrivals[-1][0] - heard.arrivals[0][0] if heard.arrivals else 0.0


def _forget(heard: _Heard, now: float) -> None:
    while heard.arrivals and heard.arrivals[0][0] < now - heard.window:
        heard.arrivals.popleft()
