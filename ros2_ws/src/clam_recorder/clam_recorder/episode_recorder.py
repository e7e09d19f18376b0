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
from typing import Any

from clam_core.data.bag_description import write_description
from clam_core.data.bag_integrity import FileDigest, seal, storage_files
from clam_core.data.bag_recovery import is_unfinished
from clam_core.errors import ClamError
from clam_recorder import episode_file
from clam_recorder.episode_outcome import EpisodeOutcome
from clam_recorder.recipe import Recipe
from clam_recorder.sags import Sags

POLL = 0.02  # [s] the writer thread drains in batches: waking it for every message would cost more than writing
FLUSH = 0.5  # [s] a killed recorder loses at most this, plus POLL

_log = logging.getLogger(__name__)


@dataclass
class _Ending:
    """How the episode ends: what its operator asked for, or why it ended by itself."""

    asked: threading.Event = field(default_factory=threading.Event)
    keep: bool = True
    complete: bool = True
    by_itself: str = ""


class EpisodeRecorder:
    """Records from construction until `end`, or until it ends by itself because the disk is full.

    `write` never blocks; what does not fit is counted in `dropped`. `error` says what could not be written, then
    `lost_at_end` messages were; `ended_early` why it ended by itself.

    Raises:
        ClamError: the bag cannot be begun in `folder`; nothing is left there.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.dropped = 0  # counted by the thread that writes to the queue
        self.lost_at_end = 0  # counted by the thread that empties it
        self.messages: Counter[str] = Counter(dict.fromkeys(recipe.topics, 0))
        self.error = ""
        self.sags = Sags()
        self._queue: deque[tuple[str, int, bytes]] = deque()
        self._bytes_in = self._bytes_out = 0  # each written by one thread only
        self._last_stamp = 0
        self._late: deque[tuple[str, str]] = deque()  # topics (and their types) that the bag does not have yet
        self._unwritable: set[str] = set()
        self._outcome = EpisodeOutcome(recipe.read_status)
        self._ending = _Ending()
        self._full = False  # takes nothing more: it has ended by itself
        self._start, self._began = episode_file.now(), time.monotonic()
        self._digests: dict[str, FileDigest] = {}
        self._described: dict[str, Any] = {}
        if folder.exists():
            raise ClamError(f"'{folder}' exists already: choose another `out`")
        try:
            self._bag = recipe.open_bag(folder, recipe.topics)
            self._describe()
            self._bag.flush()
        except ClamError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ClamError(f"cannot record to '{folder}' ({error.strerror}): choose another `out`") from error
        self._thread = threading.Thread(target=self._run, name=f"write {folder.name}", daemon=True)
        self._thread.start()

    def write(self, topic: str, stamp: int, data: bytes, kind: str = "") -> None:
        """Queue a message received at `stamp` [ns]; the bag's stamps never go back.

        The bag takes up a topic that is not in the recipe, of type `kind`, with its first message.
        """
        if self._full or self.error:
            return
        if self._bytes_in - self._bytes_out + len(data) > self.recipe.queue_bytes:
            self.dropped += 1
            return
        if topic not in self.messages:
            self.messages[topic] = 0
            self._late.append((topic, kind))
        self._last_stamp = max(stamp, self._last_stamp)
        self._bytes_in += len(data)
        self._queue.append((topic, self._last_stamp, data))

    def mark_success(self) -> None:
        """The operator says that the episode succeeded."""
        self._outcome.mark_success(self.seconds)

    def end(self, *, keep: bool, complete: bool = True) -> None:
        """Let the writer thread drain and close the bag, or delete it; `ended` says when it has."""
        self._ending.keep, self._ending.complete = keep, complete
        self._ending.asked.set()

    def delete(self) -> None:
        """Delete an episode that has ended, in a thread as well; `ended` says when that is done."""
        self._ending.keep = False
        arguments = {"path": self.folder, "ignore_errors": True}
        self._thread = threading.Thread(target=shutil.rmtree, kwargs=arguments, daemon=True)
        self._thread.start()

    @property
    def asked_to_end(self) -> bool:
        """`end` was called."""
        return self._ending.asked.is_set()

    @property
    def kept(self) -> bool:
        """Its bag is not to be deleted."""
        return self._ending.keep

    @property
    def complete(self) -> bool:
        """It has ended, when its operator wanted it to."""
        return self.ended and self._ending.complete and not self.ended_early and not self.error

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
            **self._outcome.to_plain(),
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
        else:
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
                self._take_up_late()
                if topic in self._unwritable:
                    continue
                self._bag.write(topic, stamp, data)
            except Exception:
                self.lost_at_end += 1
                raise
            self.messages[topic] += 1
            if topic == self.recipe.status_topic:
                self._outcome.note(data)

    def _take_up_late(self) -> None:
        while self._late:
            topic, kind = self._late.popleft()
            try:
                self._bag.add_topic(topic, kind)
            except ClamError as error:
                self._unwritable.add(topic)
                _log.warning("%s appeared during %s and is not recorded: %s", topic, self.folder.name, error)

    def _flush(self) -> None:
        self._bag.flush()
        for file in storage_files(self.folder):
            self._digests.setdefault(file.name, FileDigest(file)).update()
        self._describe()
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
                self.lost_at_end += len(self._queue)
                self._queue.clear()
                changes = _changes(self.messages, self._bag.salvage() or {})
                self.messages.update(changes)
                self.lost_at_end -= sum(changes.values())
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
            if is_unfinished(self.folder):
                return
            seal(self.folder, self.messages, self._digests)
            write_description(self.folder, self._description(stop=episode_file.now()))
        except Exception as error:
            self._fail(error)

    def _describe(self) -> None:
        """Have episode.yaml tell what is known by now: a recorder that is killed takes its memory along."""
        description = self._description(stop=None)
        if description | {"messages": {}} != self._described | {"messages": {}}:
            write_description(self.folder, description)
            self._described = description

    def _description(self, stop: str | None) -> dict[str, Any]:
        ending = self._ending
        description = {
            **self.recipe.about,
            **self._outcome.to_plain(),
            "start": self._start,
            "stop": stop,
            "complete": stop is not None and ending.complete and not ending.by_itself and not self.error,
            "dropped": self.dropped,
            "messages": dict(self.messages),
        }
        if self.lost_at_end:
            description["lost_at_end"] = self.lost_at_end
        if stop is not None and not ending.complete:
            description["ended"] = "its recorder was stopped"
        if ending.by_itself:
            description["ended"] = ending.by_itself
        if self._outcome.success_at is not None:
            description["success_at"] = self._outcome.success_at
        if self.sags.all:
            description["sags"] = self.sags.to_plain()
        return description


def _changes(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, int]:
    """What to add to the counts `old` to get `new`."""
    return {topic: count - old[topic] for topic, count in new.items()}
