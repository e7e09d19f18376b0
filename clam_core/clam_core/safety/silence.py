"""Who commanded before a stop must pause before it is obeyed again: the end of a stop alone moves nothing."""

from __future__ import annotations

from clam_core.safety.reasons import Reason, Refusal


class Silence:
    """After e-stop, switching of torque or a move, commands count only once none has come for `seconds` [s].

    What counts is the time since the last command that *arrived*, whether it was accepted or not. So a commander that
    was silent meanwhile is obeyed at once, and one that goes on is refused until somebody stops it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: float | None = None
        self._after = ""  # what it is demanded after; empty: not demanded

    def demand(self, after: str) -> None:
        """Something that stopped the arm has ended."""
        self._after = after

    def lasts(self, now: float) -> bool:
        """Whether nobody has commanded for long enough."""
        return self._heard is None or now - self._heard >= self._seconds

    def heard(self, now: float) -> Refusal | None:
        """A command arrived; why it must not be followed, if its commander did not pause."""
        if self.lasts(now):
            self._after = ""
        self._heard = now
        if not self._after:
            return None
        return Refusal(
            Reason.WENT_ON,
            f"a commander went on through {self._after}: stop it, e.g. policy/enable false, then enable it again",
        )
