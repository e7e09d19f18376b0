"""How many messages come, and how long they take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 1.0  # [s]
KEPT = 2000


@dataclass(frozen=True)
class Answer:
    """A command and the newest message that it used.

    `command` is its stamp [ns]; `sent` [s] on the page's clock, `arrived` [s] on ``time.monotonic``.
    """

    command: int
    sent: float
    arrived: float


class LinkStatistics:
    """Messages of the last second, and the times [s] from the arrival of a message to the command that used it.

    `answers` collects every answer while it is a list.
    """

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=KEPT)
        self._ages: deque[float] = deque(maxlen=KEPT)
        self._answered = 0.0  # arrival of the message that the last answer used
        self.answers: list[Answer] | None = None

    def arrived(self, when: float) -> None:
        """A message came at `when` [s]."""
        self._arrivals.append(when)

    def commanded(self, answer: Answer) -> None:
        """A command went out just now; the first one that uses a message answers it."""
        if answer.arrived == self._answered:
            return
        self._answered = answer.arrived
        self._ages.append(time.monotonic() - answer.arrived)
        if self.answers is not None:
            self.answers.append(answer)

    @property
    def rate(self) -> float:
        """Messages per second."""
        begin = time.monotonic() - WINDOW
        return sum(arrival > begin for arrival in self._arrivals) / WINDOW

    def ages(self) -> tuple[float, float]:
        """Median and 99th percentile of the times from message to command [s]; not a number before the first."""
        if not self._ages:
            return float("nan"), float("nan")
        median, worst = np.percentile(self._ages, [50, 99])
        return float(median), float(worst)
