"""Who of those that are expected is heard, and since when not. No ROS here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Presence(Enum):
    """What is known of one that is expected."""

    HEARD = "heard"
    AWAITED = "awaited"  # not heard yet, and there is time for that
    MISSING = "missing"  # not heard in the time that it had to begin
    SILENT = "silent"  # heard once, and no more


class Attendance:
    """Expects `names` from `now` on; for the first sign of life there is `start_within`, for each next `silent_after`.

    All times in seconds.
    """

    def __init__(self, names: Iterable[str], now: float, *, silent_after: float, start_within: float) -> None:
        self._silent_after, self._start_within, self._since = silent_after, start_within, now
        self._heard: dict[str, float | None] = dict.fromkeys(names)

    @property
    def names(self) -> tuple[str, ...]:
        """Who is expected."""
        return tuple(self._heard)

    def hear(self, name: str, now: float) -> None:
        """A sign of life of anybody."""
        if name in self._heard:
            self._heard[name] = now

    def silence(self, name: str, now: float) -> float:
        """Time since `name` was heard, or since it is expected [s]."""
        heard = self._heard[name]
        return now - (self._since if heard is None else heard)

    def presence(self, name: str, now: float) -> Presence:
        """What is known of `name`."""
        silence = self.silence(name, now)
        if self._heard[name] is None:
            return Presence.AWAITED if silence < self._start_within else Presence.MISSING
        return Presence.HEARD if silence < self._silent_after else Presence.SILENT
