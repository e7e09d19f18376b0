"""Messages of several stamped streams that belong to one observation. No ROS here; stamps in ns, arrivals in s."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

REMEMBERED = 100  # stamps whose messages have not all come yet


@dataclass(frozen=True)
class Together(Generic[T]):
    """One message of every stream; `stamp` is that of the oldest [ns]."""

    stamp: int
    messages: dict[str, T]


class Join(Generic[T]):
    """Knows when each stream was heard last. `streams` are topics: people read them in diagnostics."""

    def __init__(self, streams: Sequence[str]) -> None:
        self.streams = tuple(streams)
        self._heard: dict[str, float] = {}

    def add(self, stream: str, stamp: int, message: T, now: float) -> Together[T] | None:
        """A message of `stream` came at `now`; the observation that it completes, if any."""
        self._heard[stream] = now
        return self._joined(stream, stamp, message)

    def reset(self) -> None:
        """Forget all messages: nobody listened for a while."""
        self._heard.clear()

    def silence(self, now: float, patience: float) -> str:
        """Which streams nothing has come from yet, or not for `patience` [s]; empty when all flow."""
        absent = [stream for stream in self.streams if stream not in self._heard]
        if absent:
            return f"nothing yet on {_listed(absent)}"
        silent = {stream: now - heard for stream, heard in self._heard.items() if now - heard > patience}
        return f"nothing on {_listed(list(silent))} for {max(silent.values()):.1f} s" if silent else ""

    @property
    def apart(self) -> str:
        """Why the newest messages do not fit together; empty when they do."""
        return ""

    def _joined(self, stream: str, stamp: int, message: T) -> Together[T] | None:
        raise NotImplementedError


class ExactJoin(Join[T]):
    """Messages of the same stamp, in whatever order they come: a simulator stamps one step's alike."""

    def __init__(self, streams: Sequence[str]) -> None:
        super().__init__(streams)
        self._open: dict[int, dict[str, T]] = {}

    def reset(self) -> None:
        """See `Join`."""
        super().reset()
        self._open.clear()

    def _joined(self, stream: str, stamp: int, message: T) -> Together[T] | None:
        parts = self._open.setdefault(stamp, {})
        parts[stream] = message
        if len(parts) < len(self.streams):
            while len(self._open) > REMEMBERED:
                del self._open[next(iter(self._open))]
            return None
        for earlier in list(self._open):  # topics keep their order: what began before this one stays incomplete
            del self._open[earlier]
            if earlier == stamp:
                break
        return Together(stamp, parts)


class NearestJoin(Join[T]):
    """The newest messages whose stamps lie within `tolerance` of each other, once in each `period` (both [ns]).

    The stream that lags most decides: of the others, the message nearest to its newest one counts. Messages older than
    `memory` [ns] are forgotten. A stream whose stamps go back begins anew.
    """

    def __init__(self, streams: Sequence[str], *, period: int, tolerance: int, memory: int) -> None:
        super().__init__(streams)
        self._period, self._tolerance, self._memory = period, tolerance, memory
        self._kept: dict[str, deque[tuple[int, T]]] = {stream: deque() for stream in streams}
        self._interval = dict.fromkeys(streams, 0)  # between the newest two of each [ns]
        self._apart = ""
        self._last: int | None = None
        self._target = 0  # stamp at which the next observation should be

    def reset(self) -> None:
        """See `Join`."""
        super().reset()
        self._apart, self._last = "", None
        for kept in self._kept.values():
            kept.clear()

    @property
    def apart(self) -> str:
        """See `Join`."""
        return self._apart

    def _joined(self, stream: str, stamp: int, message: T) -> Together[T] | None:
        kept = self._kept[stream]
        if kept and stamp == kept[-1][0]:
            return None
        if kept and stamp < kept[-1][0]:
            kept.clear()
        self._interval[stream] = stamp - kept[-1][0] if kept else 0
        kept.append((stamp, message))
        while kept[0][0] < stamp - self._memory:
            kept.popleft()
        return self._newest() if all(self._kept.values()) else None

    def _newest(self) -> Together[T] | None:
        anchor = min(kept[-1][0] for kept in self._kept.values())
        chosen = {stream: min(kept, key=lambda entry: abs(entry[0] - anchor)) for stream, kept in self._kept.items()}
        oldest, newest = (limit(chosen, key=lambda stream: chosen[stream][0]) for limit in (min, max))
        stamp, spread = chosen[oldest][0], chosen[newest][0] - chosen[oldest][0]
        if spread > self._tolerance:
            self._apart = (
                f"'{oldest}' is {spread / 1e9:.3f} s behind '{newest}', at most {self._tolerance / 1e9:g} s is allowed"
            )
            return None
        self._apart = ""
        if not self._is_due(stamp):
            return None
        return Together(stamp, {stream: message for stream, (_, message) in chosen.items()})

    def _is_due(self, stamp: int) -> bool:
        """Of the sets around the time of the next observation the nearest one, at an even pace of one per period."""
        slack = min(max(self._interval.values()), self._period) // 2
        jumped = self._last is None or stamp < self._last - self._period or stamp > self._target + self._period
        if jumped:
            self._target = stamp
        elif self._last is not None and (stamp <= self._last or stamp < self._target - slack):
            return False
        self._last = stamp
        drift = stamp - self._target  # a little is jitter; more is a stream of another rate, or one that was held up
        kept = min(max(drift, -self._period // 4), self._period // 4)
        self._target += self._period + drift - kept
        return True


def _listed(streams: Sequence[str]) -> str:
    return ", ".join(f"'{stream}'" for stream in streams)
