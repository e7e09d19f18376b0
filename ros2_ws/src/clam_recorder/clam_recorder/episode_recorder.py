"""One episode being recorded: a bounded queue, a writer thread, a bag and its episode.yaml. No ROS here."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clam_core.errors import ClamError
from clam_recorder import episode_file
from clam_recorder.bag_writer import BagWriter

POLL = 0.02  # [s] the writer thread drains in batches: waking it for every message would cost more than writing
FLUSH = 0.5  # [s] a killed recorder loses at most this, plus POLL

_log = logging.getLogger(__name__)


class Outcome(Protocol):
    """What episode.yaml needs of an episode/status message."""

    @property
    def episode(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def success(self) -> bool: ...


@dataclass(frozen=True)
class Recipe:
    """What stays the same from episode to episode.

    `topics` maps topic to message type, `about` goes into episode.yaml (task, kind, operator, …), `open_bag`
    makes the bag, `read_status` decodes messages of `status_topic`, `queue_bytes` bounds what waits to be
    written.
    """

    topics: Mapping[str, str]
    about: Mapping[str, Any]
    open_bag: Callable[[Path, Mapping[str, str]], BagWriter]
    read_status: Callable[[bytes], Outcome]
    status_topic: str
    queue_bytes: int = 256 * 2**20


class EpisodeRecorder:
    """Records from construction until `end`. `write` never blocks; what does not fit is counted in `dropped`.

    Raises:
        ClamError: the bag cannot be begun in `folder`; nothing is left there.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.dropped = 0
        self.messages: Counter[str] = Counter(dict.fromkeys(recipe.topics, 0))
        self.error = ""
        self._queue: deque[tuple[str, int, bytes]] = deque()
        self._bytes_in = self._bytes_out = 0  # each written by one thread only
        self._last_stamp = 0
        self._outcome: dict[str, Any] = {"success": None, "seed": None}
        self._episode: int | None = None
        self._keep: bool | None = None
        self._complete = False
        self._ending = threading.Event()
        self._start = episode_file.now()
        if folder.exists():
            raise ClamError(f"'{folder}' exists already: choose another `out`")
        try:
            self._bag = recipe.open_bag(folder, recipe.topics)
            episode_file.write(folder, self._description(stop=None))
            self._bag.flush()
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ClamError(f"cannot record to '{folder}' ({error.strerror}): choose another `out`") from error
        self._thread = threading.Thread(target=self._run, name=f"write {folder.name}", daemon=True)
        self._thread.start()

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Queue a message received at `stamp` [ns]; the bag's stamps never go back."""
        if self.error or self._bytes_in - self._bytes_out + len(data) > self.recipe.queue_bytes:
            self.dropped += 1
            return
        self._last_stamp = max(stamp, self._last_stamp)
        self._bytes_in += len(data)
        self._queue.append((topic, self._last_stamp, data))

    def end(self, *, keep: bool, complete: bool = True) -> None:
        """Let the writer thread drain and close the bag, or delete it; `ended` says when it has."""
        self._keep, self._complete = keep, complete
        self._ending.set()

    @property
    def ended(self) -> bool:
        """The writer thread has finished."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for the writer thread, after `end`."""
        self._thread.join()

    def summary(self) -> dict[str, Any]:
        """What was recorded, for the answer of record/stop."""
        return {
            "bag": str(self.folder),
            "messages": dict(self.messages),
            "dropped": self.dropped,
            **self._outcome,
        }

    # Writer thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        flushed = time.monotonic()
        while not self._ending.wait(POLL):
            self._attempt(self._drain)
            if time.monotonic() - flushed >= FLUSH:
                self._attempt(self._bag.flush)
                flushed = time.monotonic()
        self._attempt(self._drain)
        self._attempt(self._bag.close)
        if self._keep:
            self._attempt(lambda: episode_file.write(self.folder, self._description(stop=episode_file.now())))
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _attempt(self, step: Callable[[], None]) -> None:
        """After an error nothing more is written, so that the bag stays readable up to there."""
        try:
            if not self.error or step == self._bag.close:
                step()
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.error = self.error or f"cannot write to '{self.folder}' ({reason})"
            _log.error("%s", self.error)

    def _drain(self) -> None:
        while self._queue:
            topic, stamp, data = self._queue.popleft()
            self._bytes_out += len(data)
            try:
                self._bag.write(topic, stamp, data)
            except Exception:
                self.dropped += 1 + len(self._queue)
                self._queue.clear()
                raise
            self.messages[topic] += 1
            if topic == self.recipe.status_topic:
                self._note(data)

    def _note(self, data: bytes) -> None:
        try:
            status = self.recipe.read_status(data)
        except Exception as error:
            _log.warning("episode/status cannot be read: %s", error)
            return
        if status.episode != self._episode:
            self._episode = status.episode
            self._outcome = {"success": False, "seed": status.seed}
        self._outcome["success"] |= status.success

    def _description(self, stop: str | None) -> dict[str, Any]:
        return {
            **self.recipe.about,
            "success": self._outcome["success"],
            "seed": self._outcome["seed"],
            "start": self._start,
            "stop": stop,
            "complete": self._complete and stop is not None and not self.error,
            "dropped": self.dropped,
            "messages": dict(self.messages),
        }
