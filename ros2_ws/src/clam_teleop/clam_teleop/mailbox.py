"""What the server's thread hands to the node's: connections that begin and end, and checked messages in their order."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from clam_core.teleop.messages import InputMessage

MOST = 512  # messages of seconds in which nobody looked: older ones are of no use


@dataclass(frozen=True)
class Opened:
    """An operator's page is connected."""

    arrived: float


@dataclass(frozen=True)
class Closed:
    """It is gone."""

    arrived: float


@dataclass(frozen=True)
class Received:
    """A message; `arrived` [s] is on ``time.monotonic``."""

    message: InputMessage
    arrived: float


Event = Opened | Closed | Received


class Mailbox:
    """Filled by one thread, emptied by another."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def opened(self) -> None:
        """See `Opened`."""
        self._events.append(Opened(time.monotonic()))

    def closed(self) -> None:
        """See `Closed`."""
        self._events.append(Closed(time.monotonic()))

    def received(self, message: InputMessage) -> bool:
        """See `Received`; False, and the message is lost, if nobody has looked for a long time."""
        if len(self._events) >= MOST:
            return False
        self._events.append(Received(message, time.monotonic()))
        return True

    def take(self) -> list[Event]:
        """All events since the last call."""
        events: list[Event] = []
        while self._events:
            events.append(self._events.popleft())
        return events
