"""Whether who supervises a policy still lives: an evaluation that was killed must not leave its policy at work."""

from __future__ import annotations


class Supervision:
    """Somebody says something all the time; `looks` without a word mean that he is gone.

    Looks are counted and not seconds: a process that was held up has heard nothing meanwhile, and is no judge. Nobody
    has to supervise: what was never heard is not missed.
    """

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._silent: int | None = None  # looks since the last word; None: nobody supervises

    def hear(self) -> None:
        """A word came."""
        self._silent = 0

    def is_lost(self) -> bool:
        """A look, to be taken again and again: whether he fell silent now. Said once."""
        if self._silent is None:
            return False
        self._silent += 1
        if self._silent < self._looks:
            return False
        self._silent = None
        return True
