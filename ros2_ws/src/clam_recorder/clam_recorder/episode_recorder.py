"""One episode being recorded: a bounded queue, a writer thread, a bag and its episode.yaml. No ROS here."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from clam_core.data.bag_description import write_description
from clam_core.data.bag_integrity import FileDigest, seal, storage_files
from clam_core.data.bag_recovery import is_unfinished
from clam_core.errors import ClamError
from clam_recorder import episode_file
from clam_recorder.bag_writer import BagWriter
from clam_recorder.disk_room import DiskRoom
from clam_recorder.sags import Sags

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
    written, `room` watches the disk.
    """

    topics: Mapping[str, str]
    about: Mapping[str, Any]
    open_bag: Callable[[Path, Mapping[str, str]], BagWriter]
    read_status: Callable[[bytes], Outcome]
    status_topic: str
    queue_bytes: int = 256 * 2**20
    room: DiskRoom | None = None


@dataclass
class _Ending:
    """How the episode ends: what its operator asked for, or why it ended by itself."""

    asked: threading.Event = field(default_factory=threading.Event)
    keep: bool = True
    complete: bool = True
    by_itself: str = ""


class EpisodeRecorder:
    """Records from construction until `end`, or until it ends by itself because the disk is full.

    `write` never blocks; what does not fit is counted in `dropped`. `error` says what could not be written,
    `ended_early` why it ended by itself.

    Raises:
        ClamError: the bag cannot be begun in `folder`; nothing is left there.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.dropped = 0
        self.messages: Counter[str] = Counter(dict.fromkeys(recipe.topics, 0))
        self.error = ""
        self.sags = Sags()
        self._queue: deque[tuple[str, int, bytes]] = deque()
        self._bytes_in = self._bytes_out = 0  # each written by one thread only
        self._last_stamp = 0
        self._outcome: dict[str, Any] = {"success": None, "seed": None}
        self._episode: int | None = None
        self._success_at: float | None = None
        self._ending = _Ending()
        self._full = False  # takes nothing more: it has ended by itself
        self._start, self._began = episode_file.now(), time.monotonic()
        self._digests: dict[str, FileDigest] = {}
        if folder.exists():
            raise ClamError(f"'{folder}' exists already: choose another `out`")
        try:
            self._bag = recipe.open_bag(folder, recipe.topics)
            write_description(folder, self._description(stop=None))
            self._bag.flush()
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ClamError(f"cannot record to '{folder}' ({error.strerror}): choose another `out`") from error
        self._thread = threading.Thread(target=self._run, name=f"write {folder.name}", daemon=True)
        self._thread.start()

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Queue a message received at `stamp` [ns]; the bag's stamps never go back."""
        if self._full:
            return
        if self.error or self._bytes_in - self._bytes_out + len(data) > self.recipe.queue_bytes:
            self.dropped += 1
            return
        self._last_stamp = max(stamp, self._last_stamp)
        self._bytes_in += len(data)
        self._queue.append((topic, self._last_stamp, data))

    def mark_success(self) -> None:
        """The operator says that the episode succeeded."""
        if self._success_at is None:
            self._success_at = round(self.seconds, 3)

    def end(self, *, keep: bool, complete: bool = True) -> None:
        """Let the writer thread drain and close the bag, or delete it; `ended` says when it has."""
        self._ending.keep, self._ending.complete = keep, complete
        self._ending.asked.set()

    @property
    def seconds(self) -> float:
        """Since the beginning [s]."""
        return time.monotonic() - self._began

    @property
    def ended(self) -> bool:
        """The writer thread has finished."""
        return not self._thread.is_alive()

    @property
    def ended_early(self) -> str:
        """Why it ended, or is ending, by itself; empty otherwise."""
        return self._ending.by_itself

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
            "success": self._success(),
        }

    # Writer thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        flushed = time.monotonic()
        while not self._ending.asked.wait(POLL) and not self._ending.by_itself:
            self._attempt(self._drain)
            if time.monotonic() - flushed >= FLUSH:
                self._attempt(self._flush)
                flushed = time.monotonic()
        self._full = bool(self._ending.by_itself)
        self._attempt(self._drain)
        self._close()
        if not self._ending.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif not is_unfinished(self.folder):
            self._conclude()

    def _attempt(self, step: Callable[[], None]) -> None:
        """After an error nothing more is written, so that the bag stays readable up to there."""
        if self.error:
            return
        try:
            step()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.error = self._ending.by_itself = f"cannot write to '{self.folder}' ({reason})"
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

    def _flush(self) -> None:
        self._bag.flush()
        for file in storage_files(self.folder):
            self._digests.setdefault(file.name, FileDigest(file)).update()
        if self.recipe.room is not None and not self.recipe.room.free():
            reserve = self.recipe.room.reserve // 2**20
            self._ending.by_itself = f"the disk is full ({reserve} MiB are kept free): make room"
            _log.error("%s ended after %.1f s: %s", self.folder.name, self.seconds, self._ending.by_itself)

    def _close(self) -> None:
        """Close the bag, also after an error: with the ballast's room, from the last whole record."""
        try:
            if self.error:
                if self.recipe.room is not None:
                    self.recipe.room.drop_ballast()
                self._digests.clear()
                self.messages.update(_changes(self.messages, self._bag.salvage() or {}))
            self._bag.close()
            if self._ending.keep and is_unfinished(self.folder):  # rosbag2's own writer says nothing of a full disk
                raise OSError(0, "the library did not finish the bag")
        except Exception as error:
            if not self.error:
                self._fail(error)
            self.error += "; the bag could not be closed: make room, then `clam doctor --recover` mends it"

    def _conclude(self) -> None:
        """Sidecar and description of the closed bag."""
        try:
            seal(self.folder, self.messages, self._digests)
            write_description(self.folder, self._description(stop=episode_file.now()))
        except Exception as error:
            self._fail(error)

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

    def _success(self) -> bool | None:
        return True if self._success_at is not None else self._outcome["success"]

    def _description(self, stop: str | None) -> dict[str, Any]:
        ending = self._ending
        description = {
            **self.recipe.about,
            "success": self._success(),
            "seed": self._outcome["seed"],
            "start": self._start,
            "stop": stop,
            "complete": stop is not None and ending.complete and not ending.by_itself and not self.error,
            "dropped": self.dropped,
            "messages": dict(self.messages),
        }
        if stop is not None and not ending.complete:
            description["ended"] = "its recorder was stopped"
        if ending.by_itself:
            description["ended"] = ending.by_itself
        if self._success_at is not None:
            description["success_at"] = self._success_at
        if self.sags.all:
            description["sags"] = self.sags.to_plain()
        return description


def _changes(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, int]:
    """What to add to the counts `old` to get `new`."""
    return {topic: count - old[topic] for topic, count in new.items()}
