"""How an episode came out: what episode/status tells, and what its operator says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

_log = logging.getLogger(__name__)


class Status(Protocol):
    """What episode.yaml needs of an episode/status message."""

    @property
    def episode(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def success(self) -> bool: ...


class EpisodeOutcome:
    """Success and seed; `read_status` decodes messages. `success_at` [s]: when the operator marked the episode."""

    def __init__(self, read_status: Callable[[bytes], Status]) -> None:
        self.success_at: float | None = None
        self.seed: int | None = None
        self._read_status = read_status
        self._episode: int | None = None
        self._seen: bool | None = None

    @property
    def success(self) -> bool | None:
        """None while nobody has said."""
        return True if self.success_at is not None else self._seen

    def mark_success(self, seconds: float) -> None:
        """The operator says so at that time of the episode; the first time counts."""
        if self.success_at is None:
            self.success_at = round(seconds, 3)

    def note(self, data: bytes) -> None:
        """Take an episode/status message."""
        try:
            status = self._read_status(data)
        except Exception as error:
            _log.warning("episode/status cannot be read: %s", error)
            return
        if status.episode != self._episode:
            self._episode, self.seed, self._seen = status.episode, status.seed, False
        self._seen = bool(self._seen) or status.success

    def to_plain(self) -> dict[str, Any]:
        """``success`` and ``seed``."""
        return {"success": self.success, "seed": self.seed}
