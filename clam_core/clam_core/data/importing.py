"""What every importer does the same: check each episode, keep the good ones, list the bad ones with their reason."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

UNKNOWN = "unknown"  # kind, environment or task that the recordings do not tell

#: Seed, number of states, the first and the last of them: where all agree, it is the same episode.
Identity = tuple[int, int, bytes, bytes]


class EpisodeError(Exception):
    """Why a recording cannot become an episode; one line, without the recording's name."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about recordings; None where the recordings shall tell themselves.

    Attributes:
        env, task, kind: as in `DatasetInfo`.
        cameras: which cameras to keep, None for all.
        image_size: height and width to which every image is resized [pixels].
        rate: decisions per second [Hz].
        actions: whether action labels are wanted.
    """

    env: str | None = None
    task: str | None = None
    kind: str | None = None
    cameras: tuple[str, ...] | None = None
    image_size: int | None = None
    rate: float | None = None
    actions: bool = True


class Source(Protocol):
    """Recordings in some format, opened: their spec is known, their episodes are read one at a time."""

    info: DatasetInfo  # its provenance holds what identifies the source, e.g. hashes

    def names(self) -> list[str]:
        """One name per episode, in order."""

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """The episode called `name`, and remarks about it.

        Raises:
            EpisodeError: it is not sound.
        """


@dataclass(frozen=True)
class ImportReport:
    """Names of the recordings that became episodes, ``(name, why)`` of the others, and remarks ``(name, remark)``."""

    path: Path
    kept: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    transitions: int

    @property
    def recovered(self) -> tuple[str, ...]:
        """Kept recordings whose recorder had been killed."""
        return tuple(name for name, note in self.notes if note.startswith("recovered"))


def import_all(source: Source, out: str | Path, *, actions: bool, progress: bool | None = False) -> ImportReport:
    """Write the sound episodes of `source` to dataset folder `out`, with their actions or without.

    An episode that was there before is rejected (`identity`).

    Raises:
        ClamError: `out` exists, or no episode is sound.
    """
    out = Path(out)
    check_free(out)
    kept: list[str] = []
    rejected: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    transitions = 0
    quiet = None if progress is None else not progress
    writer: StoreWriter | None = None
    seen: dict[Identity, str] = {}
    with ExitStack() as stack:
        for name in tqdm(source.names(), desc="import", unit="episode", disable=quiet):
            try:
                episode, remarks = source.read(name)
                check_episode(episode, source.info.spec, actions=actions)
                if source.info.kind == "play" and episode.success:
                    raise EpisodeError("a successful episode does not belong into play data")
                same = identity(episode.seed, episode.observations["state"])
                check_new(same, seen)
                if writer is None:
                    writer = StoreWriter(out, source.info, actions=actions, stamps=episode.stamps is not None)
                    stack.enter_context(writer)
                elif (episode.stamps is not None) != writer.has_stamps:
                    raise EpisodeError("with stamps, or without them, unlike the episodes before it")
            except EpisodeError as error:
                rejected.append((name, str(error)))
                continue
            writer.append(episode if actions else replace(episode, actions=None))
            kept.append(name)
            if same is not None:
                seen[same] = name
            notes += [(name, remark) for remark in remarks]
            transitions += len(episode)
        if not kept:
            raise nothing_sound(rejected)
        source.info.provenance["rejected"] = [{"episode": name, "why": why} for name, why in rejected]
    return ImportReport(out, tuple(kept), tuple(rejected), tuple(notes), transitions)


def nothing_sound(rejected: list[tuple[str, str]]) -> ClamError:
    """The error of an import that keeps nothing: the first reason stands for all."""
    if not rejected:
        return ClamError("no episode to import; give a source that holds some")
    name, why = rejected[0]
    more = f" (and {len(rejected) - 1} more rejected)" if len(rejected) > 1 else ""
    return ClamError(f"no sound episode to import: {name}: {why}{more}")


def identity(seed: int | None, states: npt.NDArray[Any]) -> Identity | None:
    """Which episode it is, by its `seed` and states ``(T+1, D)``; None for a person's, which has no seed.

    The seed alone would say it of one operator only: two policies may have been rolled out from the same one.
    """
    if seed is None or seed < 0:
        return None
    return seed, len(states), states[0].tobytes(), states[-1].tobytes()


def check_new(one: Identity | None, seen: Mapping[Identity, str]) -> None:
    """Raise EpisodeError where the same episode was there before; `seen`: which → its name."""
    if one is not None and one in seen:
        raise EpisodeError(f"duplicate of {seen[one]}: same env, task, kind, seed {one[0]} and states")


def check_episode(episode: Episode, spec: EnvironmentSpec, *, actions: bool) -> None:
    """Raise EpisodeError where `episode` is not what `spec` describes: lengths, shapes, dtypes, NaN, limits."""
    steps = len(episode)
    if steps < 1:
        raise EpisodeError("it has no transition; an episode has at least two observations")
    expected: dict[str, tuple[int, ...]] = {"state": (len(spec.observation.names),)}
    expected |= {c.name: (c.height, c.width, 3) for c in spec.observation.cameras}
    if missing := sorted(set(expected) - set(episode.observations)):
        raise EpisodeError(f"without {', '.join(missing)}")
    for name, shape in expected.items():
        _check_array(episode.observations[name], name, (steps + 1, *shape), "u1" if len(shape) == 3 else "f")
    _check_array(episode.rewards, "reward", (steps,), "f")
    _check_array(episode.successes, "success", (steps,), "b1")
    if episode.stamps is not None:
        _check_array(episode.stamps, "stamp", (steps + 1,), "f")
        if (np.diff(episode.stamps) <= 0).any():
            raise EpisodeError(
                f"stamps go back after row {int(np.argmax(np.diff(episode.stamps) <= 0))}; they must grow"
            )
    if not actions:
        return
    if episode.actions is None:
        raise EpisodeError("without actions (import with --no-actions for an unlabeled dataset)")
    _check_array(episode.actions, "action", (steps, len(spec.action.names)), "f")
    low, high = np.asarray(spec.action.low), np.asarray(spec.action.high)
    slack = 1e-4 * np.maximum(1.0, high - low)
    outside = np.argwhere((episode.actions < low - slack) | (episode.actions > high + slack))
    if len(outside):
        row, column = outside[0]
        raise EpisodeError(
            f"action '{spec.action.names[column]}' is {episode.actions[row, column]:g} at step {row}, "
            f"limits {low[column]:g} to {high[column]:g}"
        )


def _check_array(values: npt.NDArray[Any], name: str, shape: tuple[int, ...], kind: str) -> None:
    if values.shape[:1] != shape[:1]:
        raise EpisodeError(f"'{name}' has {len(values)} rows, expected {shape[0]}: its streams have unequal lengths")
    if values.shape != shape:
        raise EpisodeError(f"'{name}' has shape {values.shape[1:]}, expected {shape[1:]}")
    dtype = values.dtype
    if (kind == "f" and dtype.kind != "f") or (kind != "f" and dtype != np.dtype(kind)):
        wanted = {"f": "floating point", "u1": "uint8", "b1": "bool"}[kind]
        raise EpisodeError(f"'{name}' has dtype {dtype}, expected {wanted}")
    if kind == "f" and not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0]
        raise EpisodeError(f"'{name}' has {values[tuple(place)]} at row {place[0]}")
