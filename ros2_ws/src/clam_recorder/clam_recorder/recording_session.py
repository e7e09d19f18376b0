"""The episodes of one folder: which one runs, what was kept, why the next one may not begin. No ROS here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_recorder import episode_file
from clam_recorder.disk_room import DiskRoom
from clam_recorder.episode_recorder import EpisodeRecorder
from clam_recorder.recipe import Recipe
from clam_recorder.topic_monitor import TopicMonitor


@dataclass(frozen=True)
class Answer:
    """Of record/start, stop, discard and success."""

    success: bool
    message: str


class RecordingSession:
    """Begins and ends the episodes ``out/episode_0000``, ….

    An episode that ends by itself is kept; `fault` says why, and the next stop or discard is answered for it. The disk
    of `room` must last for `minutes` [min]. Times are of a steady clock [s]. Used by one thread.
    """

    def __init__(self, out: Path, recipe: Recipe, monitor: TopicMonitor, room: DiskRoom, minutes: float) -> None:
        self.episode: EpisodeRecorder | None = None
        self.fault = ""
        self.about: Mapping[str, Any] = recipe.about  # of the next episode
        self.kept = episode_file.count_kept(out)
        self.discarded = 0
        self._out = out
        self._recipe = replace(recipe, room=room)
        self._monitor = monitor
        self._room = room
        self._minutes = minutes
        self._ending = False
        self._unanswered: EpisodeRecorder | None = None  # it has ended by itself; its operator did not ask yet
        self._last: Path | None = None  # the last that was kept

    def refusals(self, now: float, unpublished: Sequence[str]) -> list[str]:
        """Why an episode must not begin now; none if it may. `unpublished` are topics that nobody publishes."""
        reasons = []
        if unpublished:
            mend = "start its node, or take it out of `topics`"
            reasons.append(f"nobody publishes {', '.join(unpublished)}: {mend}")
        reasons += [reason for reason in self._monitor.refusals(now) if reason.split(" ")[0] not in unpublished]
        full = self._room.refusal(self._monitor.bytes_per_second(now), self._minutes)
        return reasons + ([full] if full else [])

    def start(self, now: float, topics: Mapping[str, str], unpublished: Sequence[str]) -> Path:
        """Begin an episode of `topics` (topic → type); returns its folder.

        Raises:
            ClamError: one is running, or something stands in the way of it.
        """
        if self.episode is not None:
            state = "already recording" if self.state == "recording" else "still closing"
            raise ClamError(f"{state} {self.episode.folder.name}: call record/stop or record/discard first")
        if reasons := self.refusals(now, unpublished):
            raise ClamError("; ".join(reasons))
        self._room.take_ballast()
        recipe = replace(self._recipe, topics=dict(topics), about=self.about)
        self.episode = EpisodeRecorder(episode_file.next_folder(self._out), recipe)
        self.fault, self._unanswered = "", None
        return self.episode.folder

    def watch(self, now: float) -> list[str]:
        """Look after the running episode, a few times a second; what is worth a warning."""
        episode = self.episode
        if episode is None or self._ending:
            return []
        begun = episode.sags.note(episode.seconds, self._monitor.slow(now))
        news = [f"{sag.topic} comes at {sag.lowest:.1f} Hz, not {sag.expected:g}" for sag in begun]
        if episode.ended:
            self._unanswered, self.episode = episode, None
            self._count(episode, keep=True)
            self.fault = episode.error or episode.ended_early
            news.append(f"{episode.folder.name} has ended: {self.fault}")
        return news

    def begin_end(self) -> EpisodeRecorder | Answer:
        """The episode that is to be ended, to which no second call gets access; or the answer that there is none."""
        if self._ending:
            return Answer(False, "already ending")
        if self.episode is None:
            return Answer(False, "not recording: call record/start first")
        self._ending = True
        return self.episode

    def take_unanswered(self) -> EpisodeRecorder | None:
        """The episode that has ended by itself before, and whose operator has not asked yet; None if there is none."""
        episode, self._unanswered = self._unanswered, None
        return episode

    def answer_unanswered(self, episode: EpisodeRecorder) -> Answer:
        """For the episode of `take_unanswered`; deleted meanwhile, if it was discarded."""
        if not episode.kept:
            self.kept, self.discarded = self.kept - 1, self.discarded + 1
            self._last = None if self._last == episode.folder else self._last
        return self._answer(episode, keep=episode.kept)

    def finish_end(self, *, keep: bool) -> Answer:
        """The episode of `begin_end` has ended."""
        episode, self.episode, self._ending = self.episode, None, False
        assert episode is not None and episode.ended
        self._count(episode, keep=keep)
        return self._answer(episode, keep=keep)

    def mark_success(self) -> Answer:
        """Mark the running episode, or the last one that was kept, as a success."""
        if self.episode is not None:
            self.episode.mark_success()
            name, kind = self.episode.folder.name, self.episode.recipe.about.get("kind")
        elif self._last is not None:
            try:
                kind = episode_file.mark_success(self._last).get("kind")
            except ClamError as error:
                return Answer(False, str(error))
            name = self._last.name
        else:
            return Answer(False, "nothing to mark: record an episode first")
        warning = "; play never succeeds, as play data it will be refused: discard it" if kind == "play" else ""
        return Answer(True, f"{name} is marked as a success{warning}")

    def stop_now(self) -> Path | None:
        """End the running episode and wait for that; its folder if it is kept as not complete.

        One that its operator is ending already ends as asked for.
        """
        episode, self.episode, self._ending = self.episode, None, False
        if episode is None:
            return None
        if not episode.asked_to_end:
            episode.end(keep=True, complete=False)
        episode.join()
        self._count(episode, keep=episode.kept)
        self.fault = episode.error or episode.ended_early
        return None if episode.complete or not episode.kept else episode.folder

    def answer_stopped(self, episode: EpisodeRecorder) -> Answer:
        """For an episode of `begin_end` that `stop_now` has ended."""
        if episode.kept and not episode.complete and not episode.ended_early:
            text = f"the recorder was stopped meanwhile; '{episode.folder}' is kept as not complete"
            return Answer(False, text)
        return self._answer(episode, keep=episode.kept)

    @property
    def state(self) -> str:
        """``idle``, ``recording`` or ``ending``."""
        if self.episode is None:
            return "idle"
        return "ending" if self._ending or self.episode.ended_early else "recording"

    def status(self, now: float, unpublished: Sequence[str]) -> dict[str, Any]:
        """The fields of record/status, see docs/recording.md."""
        episode, about = self.episode, self.about
        minutes = self._room.lasts(self._monitor.bytes_per_second(now))
        folder = episode.folder if episode else episode_file.next_folder(self._out)
        return {
            "state": self.state,
            "episode": folder.name,
            "kept": self.kept,
            "discarded": self.discarded,
            "seconds": round(episode.seconds, 1) if episode else 0.0,
            "success": episode.summary()["success"] if episode else None,
            "task": about.get("task", ""),
            "kind": about.get("kind", ""),
            "disk_left_bytes": self._room.free(),
            "minutes_left": round(minutes, 1) if minutes < 1e6 else None,
            "topics": self._monitor.table(now),
            "warnings": self._warnings(now),
            "refusals": [] if episode else self.refusals(now, unpublished),
        }

    def _warnings(self, now: float) -> list[str]:
        if self.episode is None:
            return [f"last recording: {self.fault}"] if self.fault else []
        slow = self._monitor.slow(now).items()
        warnings = [f"{topic} comes at {rate:.1f} Hz, not {expected:g}" for topic, (rate, expected) in slow]
        lost = self.episode.dropped
        return warnings + ([f"{lost} messages were dropped: the disk is too slow"] if lost else [])

    def _count(self, episode: EpisodeRecorder, *, keep: bool) -> None:
        self.kept, self.discarded = self.kept + keep, self.discarded + (not keep)
        self._last = episode.folder if keep else None

    def _answer(self, episode: EpisodeRecorder, *, keep: bool) -> Answer:
        if keep and episode.error:
            self.fault = episode.error
            return Answer(
                False,
                f"{episode.error}; {episode.dropped + episode.lost_at_end} messages are lost, the rest is in the bag",
            )
        if keep and episode.ended_early:
            return Answer(False, f"{episode.folder.name} had ended before: {episode.ended_early}; the bag is whole")
        return Answer(True, json.dumps(episode.summary()))
