"""When topics came too slowly during an episode, for its episode.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class Sag:
    """`topic` came at `lowest` [Hz] instead of `expected` [Hz] at worst, between two times [s] of the episode."""

    topic: str
    expected: float
    lowest: float
    begin: float
    end: float


class Sags:
    """Fed with what is too slow now, a few times a second."""

    def __init__(self) -> None:
        self.all: list[Sag] = []
        self._open: dict[str, Sag] = {}

    def note(self, seconds: float, slow: Mapping[str, tuple[float, float]]) -> list[Sag]:
        """At time `seconds` of the episode the topics of `slow` (rate, rate expected [Hz]) sag; those that begin to."""
        begun = []
        for topic in [topic for topic in self._open if topic not in slow]:
            self._open.pop(topic).end = seconds
        for topic, (rate, expected) in slow.items():
            if topic not in self._open:
                self._open[topic] = Sag(topic, expected, rate, seconds, seconds)
                self.all.append(self._open[topic])
                begun.append(self._open[topic])
            sag = self._open[topic]
            sag.lowest, sag.end = min(sag.lowest, rate), seconds
        return begun

    def to_plain(self) -> list[dict[str, object]]:
        """All of them as plain values; keys as `clam_core.data.bag_description.sag_remarks` reads them."""
        return [
            {
                "topic": sag.topic,
                "expected": round(sag.expected, 2),
                "lowest": round(sag.lowest, 2),
                "from": round(sag.begin, 2),
                "to": round(sag.end, 2),
            }
            for sag in self.all
        ]
