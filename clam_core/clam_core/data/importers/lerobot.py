"""LeRobot datasets, versions 2.1 and 3.0, from disk.

LeRobot has an action beside every frame, also beside the last, where nothing shows what it did: that action is
dropped, and an episode of N frames becomes N − 1 transitions. A success at the last frame counts for the last
transition, so that no success is lost. Rewards and successes are 0 where the dataset has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clam_core.data import lerobot_format as form
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.importers.lerobot_features import camera_sizes, column, entry_names, state_features
from clam_core.data.importers.lerobot_images import read_images
from clam_core.data.importers.lerobot_meta import Entry, Meta, read_meta
from clam_core.data.importers.specs import Seen, choose_cameras, describe, exact_rate, free_action, stored_spec
from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions, Source
from clam_core.data.provenance import provenance
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, ObservationSpec


def open_lerobot(path: Path, options: ImportOptions) -> Source:
    """The LeRobot dataset in folder `path`.

    `options.task` chooses among several tasks, in the dataset's words. Honours env, task, kind, cameras,
    image_size, actions; the rate is the dataset's.

    Raises:
        ClamError: see `read_meta` and `describe`; or no state, no such task or camera, or another rate is asked for.
    """
    meta = read_meta(path)
    exact = exact_rate(meta.fps, stored_spec(meta.clam.get("spec")))
    if options.rate is not None and options.rate not in (meta.fps, exact):
        raise ClamError(f"'{path}' has {meta.fps:g} Hz, not {options.rate:g}; leave --rate out, it is not resampled")
    return _LeRobot(meta, options)


class _LeRobot:
    """See `Source`. Episodes are named by number: ``episode 0`` …"""

    def __init__(self, meta: Meta, options: ImportOptions) -> None:
        self._meta, self._actions = meta, options.actions
        self._opened: tuple[Path, pa.Table] | None = None  # episodes are read in order, and one file holds many
        what = f"'{meta.root}'"
        self._state = state_features(meta.features)
        if not self._state:
            raise ClamError(f"{what} has no numbers among its observations ({', '.join(meta.features)}); add a state")
        task = _choose_task(meta, options, what)
        self._entries = {f"episode {e.index}": e for e in meta.entries if task is None or task in e.tasks}
        names = entry_names(meta.features, self._state)
        sizes = camera_sizes(meta.features)
        cameras = choose_cameras({name: size for name, (_, size) in sizes.items()}, options, what)
        self._features = {camera.name: sizes[camera.name][0] for camera in cameras}
        seen = Seen(
            ObservationSpec(names, ("",) * len(names), cameras),
            self._action_spec(),
            max_steps=max((entry.length - 1 for entry in self._entries.values()), default=0),
            env=meta.robot,
            task=task or _only_task(meta),
            rate=meta.fps,
            spec=stored_spec(meta.clam.get("spec")),
        )
        source = provenance("import lerobot", ("pyarrow", "imageio-ffmpeg", "zarr"))
        source |= {"dataset": meta.root.name, "version": meta.version, "last_action": "dropped"}
        source["not_recorded"] = [key for key in (form.REWARD, form.SUCCESS) if key not in meta.features]
        kind = options.kind or str(meta.clam.get("kind") or UNKNOWN)
        self.info = DatasetInfo(describe(seen, options, what), kind, source)

    def names(self) -> list[str]:
        """See `Source.names`."""
        return list(self._entries)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source.read`."""
        entry = self._entries[name]
        table = self._rows(entry)
        if len(table) != entry.length:
            raise EpisodeError(
                f"{len(table)} rows, expected {entry.length}: the file is cut off or not of this dataset"
            )
        _check_time(table, self._meta.fps)
        parts = [column(table, key).reshape(entry.length, -1) for key in self._state]
        observations: dict[str, npt.NDArray[Any]] = {"state": np.concatenate(parts, axis=1)}
        for camera in self.info.spec.observation.cameras:
            observations[camera.name] = read_images(self._meta, entry, table, self._features[camera.name], camera)
        steps = max(0, entry.length - 1)
        rewards, successes = np.zeros(entry.length), np.zeros(entry.length, dtype=bool)
        if form.REWARD in table.column_names:
            rewards = column(table, form.REWARD).reshape(-1)
        if form.SUCCESS in table.column_names:
            successes = column(table, form.SUCCESS).reshape(-1) > 0
        if steps:
            successes[-2] |= successes[-1]
        has_action = self._actions and form.ACTION in table.column_names
        episode = Episode(
            observations=observations,
            actions=column(table, form.ACTION).reshape(entry.length, -1)[:steps] if has_action else None,
            rewards=rewards[:steps],
            successes=successes[:steps],
            metadata={"source": name, "tasks": list(entry.tasks)},
            seed=_seed(self._meta, entry),
        )
        return episode, ()

    def _rows(self, entry: Entry) -> pa.Table:
        """The episode's rows, in order."""
        try:
            if self._opened is None or self._opened[0] != entry.data:
                self._opened = entry.data, pq.read_table(entry.data, partitioning=None)
            table = self._opened[1]
            return table.filter(pc.equal(table["episode_index"], entry.index)).sort_by("frame_index")
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            line = " ".join(str(error).split())[:160]
            raise EpisodeError(f"'{entry.data.name}' cannot be read ({line})") from error

    def _action_spec(self) -> ActionSpec:
        """LeRobot knows no limits: they are as wide as the data."""
        if form.ACTION not in self._meta.features:
            return ActionSpec((), (), (), ())
        names = entry_names(self._meta.features, [form.ACTION])
        rows = []
        for file in dict.fromkeys(entry.data for entry in self._entries.values()):
            try:
                values = column(pq.read_table(file, columns=[form.ACTION], partitioning=None), form.ACTION)
                rows.append(values.reshape(-1, len(names)))
            except (OSError, ValueError, pa.ArrowException, EpisodeError):
                continue  # told when its episodes are read
        return free_action(names, np.concatenate(rows) if rows else np.zeros((0, len(names))))


def _choose_task(meta: Meta, options: ImportOptions, what: str) -> str | None:
    """The task whose episodes are kept, None for all: a name of the user's own renames the only task."""
    tasks = sorted({task for entry in meta.entries for task in entry.tasks})
    if options.task is None or options.task in tasks:
        return options.task
    if len(tasks) > 1 and options.env is None:
        raise ClamError(
            f"{what} has no task '{options.task}', {did_you_mean(options.task, tasks)}; or leave --task out"
        )
    return None


def _only_task(meta: Meta) -> str | None:
    tasks = {task for entry in meta.entries for task in entry.tasks}
    return tasks.pop() if len(tasks) == 1 else None


def _seed(meta: Meta, entry: Entry) -> int | None:
    seeds = meta.clam.get("seeds")
    seed = seeds[entry.index] if isinstance(seeds, list) and entry.index < len(seeds) else None
    return seed if isinstance(seed, int) else None


def _check_time(table: pa.Table, fps: float) -> None:
    if "timestamp" not in table.column_names or len(table) < 2:
        return
    gaps = np.diff(column(table, "timestamp").reshape(-1)) * fps
    odd = np.flatnonzero(~((gaps > 0.5) & (gaps < 1.5)))
    if len(odd):
        raise EpisodeError(
            f"frames {odd[0]} and {odd[0] + 1} are {gaps[odd[0]] / fps:g} s apart, expected {1 / fps:g} s"
        )
