"""Puts an episode together from statuses and commands, which DDS may deliver in any order between topics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_core.whole import write_whole
from clam_ros.messages import Status, Vector


@dataclass(frozen=True)
class EpisodeResult:
    """One finished episode of T steps; `actions[t]` is None where no command answered observation t."""

    seed: int
    success: bool
    episode_return: float
    rewards: list[float]
    actions: list[list[float] | None]

    def to_json(self) -> dict[str, object]:
        """The entry in the results file."""
        entry = asdict(self)
        entry["return"] = entry.pop("episode_return")
        return {**entry, "steps": len(self.rewards)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> EpisodeResult:
        """Inverse of `to_json`.

        Raises:
            KeyError: a field is missing.
        """
        rest = {name: entry[name] for name in ("seed", "success", "rewards", "actions")}
        return cls(episode_return=entry["return"], **rest)


class EpisodeLog:
    """Collects what is said between a reset and the end of its episode: statuses by step, commands by stamp.

    `episode` is the index that the bridge answers to the reset; messages may come before that answer.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.episode: int | None = None
        self._statuses_of: dict[int, dict[int, Status]] = {}
        self._commands: dict[int, Vector] = {}
        self._done: set[int] = set()

    def add_status(self, status: Status) -> None:
        """A status of any episode; repetitions are ignored."""
        self._statuses_of.setdefault(status.episode, {}).setdefault(status.step, status)
        if status.done:
            self._done.add(status.episode)

    def add_command(self, stamp: int, action: Vector) -> None:
        """The command that answers the observation of `stamp` [ns]; repetitions are ignored."""
        self._commands.setdefault(stamp, action)

    @property
    def done(self) -> bool:
        """The last step of the episode was seen."""
        return self.episode in self._done

    @property
    def steps(self) -> int:
        """Statuses seen so far; grows while the episode is alive."""
        return len(self._statuses)

    @property
    def _statuses(self) -> dict[int, Status]:
        return {} if self.episode is None else self._statuses_of.get(self.episode, {})

    def missing(self, *, commands: bool) -> str:
        """What a finished episode lacks, in words; empty when it is complete. It may lack commands, or not."""
        last = max(self._statuses, default=0)
        statuses = [step for step in range(last + 1) if step not in self._statuses]
        if statuses:
            return f"{len(statuses)} of {last + 1} statuses, first of step {statuses[0]}"
        stamps = [self._statuses[step].stamp for step in range(last)]
        unanswered = [step for step, stamp in enumerate(stamps) if stamp not in self._commands] if commands else []
        return f"{len(unanswered)} of {last} commands, first of step {unanswered[0]}" if unanswered else ""

    def result(self) -> EpisodeResult:
        """The episode. All statuses must be there."""
        last = max(self._statuses)
        ends = [self._statuses[step] for step in range(1, last + 1)]
        answers = [self._commands.get(self._statuses[step].stamp) for step in range(last)]
        return EpisodeResult(
            seed=self.seed,
            success=any(status.success for status in ends),
            episode_return=ends[-1].episode_return,
            rewards=[status.reward for status in ends],
            actions=[None if action is None else action.tolist() for action in answers],
        )


#: What came later to a setting, with what it was when nobody wrote it down.
BEFORE = {"receding_horizon": 0}


@dataclass(frozen=True)
class Results:
    """The results file: episodes, and the `setting` that they came of: bundle, mode and what else decides."""

    setting: dict[str, Any]
    episodes: list[EpisodeResult]


def read_results(path: Path) -> Results | None:
    """What the file at `path` has; None where there is none.

    Raises:
        ClamError: it cannot be read.
    """
    try:
        content = json.loads(path.read_text())
        return Results(content.get("setting", {}), [EpisodeResult.from_json(entry) for entry in content["episodes"]])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClamError(f"results '{path}' cannot be read ({error.strerror}): choose another `out`") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClamError(f"'{path}' holds no results of rollouts: choose another `out`, or remove it") from error


def check_continues(path: Path, results: Results, setting: Mapping[str, Any], seeds: range) -> None:
    """Whether what the file at `path` has belongs to episodes of `setting` with `seeds`.

    Raises:
        ClamError: it does not: they would be mixed, or it would be lost.
    """
    mend = "choose another `out`, or remove it"
    for name, here in setting.items():
        there = results.setting.get(name, BEFORE.get(name))
        if there != here:
            raise ClamError(f"'{path}' has results with {name} {there}, not {here}: {mend}")
    if setting.get("bundle") is None:
        raise ClamError(f"'{path}' has results, and no policy node says whether its bundle is the same: {mend}")
    others = [episode.seed for episode in results.episodes if episode.seed not in seeds]
    if others:
        raise ClamError(
            f"'{path}' has results of seed {others[0]}, which is none of {seeds.start} to {seeds.stop - 1}: {mend}"
        )


def write_results(path: Path, results: Results) -> None:
    """Write the results file atomically, its episodes in the order of their seeds.

    Raises:
        ClamError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        episodes = sorted(results.episodes, key=lambda episode: episode.seed)
        content = {"setting": results.setting, "episodes": [episode.to_json() for episode in episodes]}
        write_whole(path, json.dumps(content, indent=1))
    except OSError as error:
        raise ClamError(f"results cannot be written to '{path}' ({error.strerror}): choose another `out`") from error
