"""Buttons: each press asks for something once; what cannot be taken back must be held."""

from __future__ import annotations

#: Seconds for which a button must be held.
HOLD = {"discard": 0.6, "home": 0.4}


class Buttons:
    """Fed with the set of buttons that are down; `stamp` [s] is the page's."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._reported: set[str] = set()

    def update(self, down: frozenset[str], stamp: float) -> list[str]:
        """Buttons that were pressed, and held for long enough, since the last call."""
        for name in list(self._since):
            if name not in down:
                del self._since[name]
                self._reported.discard(name)
        pressed = []
        for name in sorted(down):
            since = self._since.setdefault(name, stamp)
            if name not in self._reported and stamp - since >= HOLD.get(name, 0.0):
                self._reported.add(name)
                pressed.append(name)
        return pressed

    def ignore(self, down: frozenset[str]) -> None:
        """Buttons that are down now ask for nothing until they were up: a new page begins like this."""
        self._since = dict.fromkeys(down, 0.0)
        self._reported = set(down)
