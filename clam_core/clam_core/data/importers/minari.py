"""Minari datasets: a folder with ``main_data.hdf5`` (one group per episode) and ``metadata.json``.

They are read with h5py alone: the minari package would add a command line and its dependencies, and it makes the
environment of every dataset that it opens. What an observation holds is taken from the data rather than from the
declared spaces, because versions differ in how they store images (arrays, or JPEG that nothing declares).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.importers.hdf5 import open_hdf5, read_array, told_as_damage
from clam_core.data.importers.minari_observations import Layout, observation_layout, read_images, read_state
from clam_core.data.importers.specs import (
    Seen,
    choose_cameras,
    describe,
    find_spec,
    free_action,
    numbered,
    numbers,
    stored_spec,
)
from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions, Source
from clam_core.data.provenance import provenance
from clam_core.errors import ClamError
from clam_core.spec import ActionSpec, Observation, ObservationSpec

FILE, METADATA = "main_data.hdf5", "metadata.json"
SUCCESS = ("success", "is_success")  # what environments call it in their infos
_EPISODE = "episode_"


def open_minari(path: Path, options: ImportOptions) -> Source:
    """The Minari dataset at `path`: its folder, or the ``data`` folder in it.

    The user's env and task name the environment; else the dataset's own Gymnasium id does, where it can be made
    here. Honours env, task, kind, cameras, image_size, rate.

    Raises:
        ClamError: no such dataset, one in another storage format, or a file that cannot be read; or see `describe`.
    """
    folder = path / "data" if (path / "data").is_dir() else path
    if not (folder / METADATA).is_file():
        raise ClamError(f"no Minari dataset at '{path}' (no {METADATA}); give the folder that holds 'data'")
    try:
        metadata = json.loads((folder / METADATA).read_text())
    except (OSError, ValueError) as error:
        raise ClamError(f"'{folder / METADATA}' cannot be read ({error}); download the dataset again") from error
    if not isinstance(metadata, dict) or metadata.get("data_format", "hdf5") != "hdf5":
        raise ClamError(f"'{path}' is not a Minari dataset in HDF5; record or download it with data_format='hdf5'")
    return _Minari(folder / FILE, metadata, options)


class _Minari:
    """See `Source`. Episodes are named as their groups: ``episode_0`` …"""

    def __init__(self, file: Path, metadata: dict[str, Any], options: ImportOptions) -> None:
        self._file, self._actions = file, options.actions
        with open_hdf5(file) as data:
            numbers_of = (key.removeprefix(_EPISODE) for key in map(str, data) if key.startswith(_EPISODE))
            self._names = [f"{_EPISODE}{n}" for n in sorted(int(n) for n in numbers_of if n.isdigit())]
            self._layout = self._first_layout(data)
            action = _action_spec(data, self._names, metadata)
            longest = max(_rows(data, name) for name in self._names)
        cameras = choose_cameras(self._layout.cameras, options, f"'{file.parent}'")
        clam = metadata.get("clam")
        own: dict[str, Any] = clam if isinstance(clam, dict) else {}
        seen = Seen(
            ObservationSpec(self._layout.names, ("",) * len(self._layout.names), cameras),
            action,
            max_steps=longest,
            env="gym" if _environment_id(metadata) else None,
            task=_environment_id(metadata),
            spec=stored_spec(own.get("spec")) or _own_environment(metadata),
        )
        source = provenance("import minari", ("h5py", "zarr"))
        source["dataset"] = {key: metadata.get(key) for key in ("dataset_id", "algorithm_name", "minari_version")}
        source["left_out"] = list(self._layout.left_out)
        kind = options.kind or str(own.get("kind") or UNKNOWN)
        self.info = DatasetInfo(describe(seen, options, f"'{file.parent}'"), kind, source)

    def names(self) -> list[str]:
        """See `Source.names`."""
        return list(self._names)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source.read`."""
        with open_hdf5(self._file) as file, told_as_damage(name):
            group = file[name]
            rewards = numbers(read_array(group, "rewards"), "rewards")
            observations: Observation = {"state": read_state(group, self._layout)}
            for camera in self.info.spec.observation.cameras:
                observations[camera.name] = read_images(group, camera)
            terminations = numbers(read_array(group, "terminations"), "terminations")
            episode = Episode(
                observations=observations,
                actions=numbers(read_array(group, "actions"), "actions") if self._actions else None,
                rewards=rewards,
                successes=_successes(group, len(rewards)),
                seed=int(group.attrs["seed"]) if isinstance(group.attrs.get("seed"), (int, np.integer)) else None,
                metadata={"source": name, "terminated": bool(terminations.any())},
            )
        return episode, ()

    def _first_layout(self, data: Any) -> Layout:
        """Layout of the first episode whose observations can be read."""
        why = "it has no episode"
        for name in self._names:
            try:
                with told_as_damage(name):
                    return observation_layout(data[name])
            except EpisodeError as error:
                why = f"{name}: {error}"
        raise ClamError(f"'{self._file}' holds no sound observation ({why}); record or download it again")


def _rows(data: Any, name: str) -> int:
    """Steps of an episode, 0 where it cannot tell."""
    try:
        with told_as_damage(name):
            return len(read_array(data[name], "rewards"))
    except (EpisodeError, TypeError):
        return 0  # told when the episode is read


def _successes(group: Any, steps: int) -> npt.NDArray[np.bool_]:
    """``(T,)`` success at each step from the infos, which also have a row for the reset; false without any."""
    infos = group.get("infos")
    for key in SUCCESS:
        if infos is not None and key in infos:
            values = numbers(read_array(infos, key), f"infos/{key}").reshape(-1) > 0
            return values[1:] if len(values) == steps + 1 else values
    return np.zeros(steps, dtype=bool)


def _action_spec(data: Any, names: list[str], metadata: dict[str, Any]) -> ActionSpec:
    """Limits as the action space declares them, as wide as the data where it declares none."""
    rows, other = [], None
    for name in names:
        try:
            with told_as_damage(name):
                values = numbers(read_array(data[name], "actions"), "actions")
        except EpisodeError:
            continue  # told when the episode is read
        if values.ndim == 2:
            rows.append(values)
        else:
            other = values.shape[1:]
    if other is not None and not rows:
        raise ClamError(f"actions have shape {other}; only continuous actions, a Box of one dimension, are imported")
    width = max(({v.shape[1] for v in rows}), key=lambda w: sum(v.shape[1] == w for v in rows), default=0)
    seen = free_action(numbered("action", width), np.concatenate([v for v in rows if v.shape[1] == width] or [_NONE]))
    try:
        space = json.loads(metadata["action_space"])
        low, high = np.asarray(space["low"], dtype=float), np.asarray(space["high"], dtype=float)
    except (KeyError, TypeError, ValueError):
        return seen
    if low.shape != (width,) or high.shape != (width,) or not np.isfinite([low, high]).all():
        return seen
    return ActionSpec(seen.names, seen.units, tuple(low.tolist()), tuple(high.tolist()))


_NONE = np.zeros((0, 0))


def _environment_id(metadata: dict[str, Any]) -> str | None:
    """Gymnasium id that the dataset names; one that would import a module of the file's choice does not count."""
    try:
        name = json.loads(metadata["env_spec"])["id"]
    except (KeyError, TypeError, ValueError):
        return None
    return name if isinstance(name, str) and ":" not in name else None


def _own_environment(metadata: dict[str, Any]) -> Any:
    name = _environment_id(metadata)
    return find_spec("gym", name) if name else None
