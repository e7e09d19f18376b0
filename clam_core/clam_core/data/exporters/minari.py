"""A dataset of this project as a Minari dataset folder: ``data/main_data.hdf5`` and ``data/metadata.json``.

Without cameras an observation is a Box; with cameras it is a Dict of ``state`` and the cameras, whose images are
kept as they are (lossless), which Minari can read from version 0.5.4 on. Success is in the infos. Kind, names,
units and rate have no place in Minari: they go under ``clam`` in the metadata, from which the importer restores
them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from clam_core.data.episode import Episode
from clam_core.data.exporting import STAMPS_NOTE, ExportOptions, ExportReport, episodes, new_folder, open_dataset
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

FILE, METADATA = "main_data.hdf5", "metadata.json"
RESERVE = 32 * 2**20  # bytes; HDF5 holds this much back, and ends the process if there is no room for it at the end
READERS, READERS_OF_ARRAYS = "0.5.0", "0.5.4"  # oldest versions of Minari that read data without and with images


def export_minari(dataset: Path, out: Path, options: ExportOptions) -> ExportReport:
    """Write the dataset folder `dataset` to the new folder `out`. Minari opens it by id where it lies below its
    datasets folder, and from anywhere by path (``minari.MinariDataset(out / "data")``).

    Raises:
        ClamError: no dataset, an unlabeled one, existing `out`, or a disk without room.
    """
    if options.fps is not None:
        raise ClamError("Minari has no place for frames per second; leave --fps out")
    store = open_dataset(dataset)
    if not store.has_actions:
        raise ClamError(
            f"dataset '{dataset}' has no actions, Minari needs them; export a labeled dataset, or to lerobot"
        )
    spec = store.info.spec
    steps = 0
    with new_folder(out) as folder:
        data = folder / "data"
        data.mkdir()
        _check_room(out, folder, _size(store))
        try:
            with h5py.File(data / FILE, "w", track_order=True) as file:
                for index, episode in episodes(store, options):
                    _check_room(out, folder, sum(values.nbytes for values in episode.observations.values()))
                    _write(file.create_group(f"episode_{index}"), index, episode, spec)
                    steps += len(episode)
        except RuntimeError as error:  # HDF5's, of a disk that fills while a file is closed
            why = " ".join(str(error).split())[:160]
            raise ClamError(f"cannot write '{out}': {why}; choose another folder or free some space") from error
        size = round((data / FILE).stat().st_size / 1e6, 1)
        text = json.dumps(_metadata(store, _dataset_id(out), steps, size), allow_nan=True)
        (data / METADATA).write_text(text)
    notes = ["images are arrays: read them with Minari 0.5.4 or later"] if spec.observation.cameras else []
    if store.has_stamps:
        notes.append(STAMPS_NOTE)
    return ExportReport(out, store.num_episodes, steps + store.num_episodes, tuple(notes))


def _size(store: EpisodeStore) -> int:
    """What the export takes at least [bytes]: numbers, and images about as compressed as they are now."""
    spec = store.info.spec
    row, step = 4 * len(spec.observation.names) + 1, 4 * len(spec.action.names) + 10
    images = sum(store.image_array(camera.name).stored_bytes for camera in spec.observation.cameras)
    return store.num_rows * row + store.num_transitions * step + images


def _check_room(out: Path, folder: Path, size: int) -> None:
    """Raise ClamError where `size` more bytes would fill the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE:
        raise ClamError(
            f"cannot write '{out}': it needs {(size + RESERVE) / 1e6:.0f} MB more, {free / 1e6:.0f} MB are free; "
            "choose another folder or free some space"
        )


def _write(group: Any, index: int, episode: Episode, spec: EnvironmentSpec) -> None:
    steps = len(episode)
    group.attrs["id"], group.attrs["total_steps"] = index, steps
    if episode.seed is not None:
        group.attrs["seed"] = episode.seed
    assert episode.actions is not None
    state = episode.observations["state"].astype(np.float32)
    if spec.observation.cameras:
        group["observations/state"] = state
        for camera in spec.observation.cameras:
            images = episode.observations[camera.name]
            chunk = (1, *images.shape[1:])
            group.create_dataset(f"observations/{camera.name}", data=images, chunks=chunk, compression="gzip")
    else:
        group["observations"] = state
    group["actions"] = episode.actions.astype(np.float32)
    group["rewards"] = episode.rewards.astype(np.float64)
    group["terminations"] = np.zeros(steps, dtype=bool)
    group["truncations"] = np.arange(steps) == steps - 1  # an episode here ends with its step budget
    group["infos/success"] = np.concatenate([[False], episode.successes])  # row 0 is the reset


def _metadata(store: EpisodeStore, dataset_id: str, steps: int, size: float) -> dict[str, Any]:
    spec, cameras = store.info.spec, store.info.spec.observation.cameras
    count = len(spec.observation.names)
    state = _box("float32", [count], [float("-inf")] * count, [float("inf")] * count)
    spaces = {"state": state} | {c.name: _image_box(c.height, c.width) for c in cameras}
    observation = {"type": "Dict", "subspaces": spaces} if cameras else state
    action = _box("float32", [len(spec.action.names)], list(spec.action.low), list(spec.action.high))
    metadata: dict[str, Any] = {
        "total_episodes": store.num_episodes,
        "total_steps": steps,
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": json.dumps(observation),
        "action_space": json.dumps(action),
        "dataset_id": dataset_id,
        "description": f"{store.info.kind} data of {spec.env} {spec.task}, {spec.rate:g} Hz",
        "dataset_size": size,
        "minari_version": READERS_OF_ARRAYS if cameras else READERS,
        "clam": {"spec": spec.to_json(), "kind": store.info.kind, "provenance": store.info.provenance},
    }
    if spec.env == "gym" and (declared := _environment(spec.task)):
        metadata["env_spec"] = declared
    return metadata


def _environment(task: str) -> str | None:
    """Gymnasium's own description of an environment, from which Minari makes it again; None for one unknown here."""
    import gymnasium  # a simulator: imported only when one of its datasets is exported

    return str(gymnasium.spec(task).to_json()) if task in gymnasium.registry else None


def _box(dtype: str, shape: list[int], low: Any, high: Any) -> dict[str, Any]:
    return {"type": "Box", "dtype": dtype, "shape": shape, "low": low, "high": high}


def _image_box(height: int, width: int) -> dict[str, Any]:
    def fill(value: int) -> list[list[list[int]]]:
        return [[[value] * 3] * width] * height

    return _box("uint8", [height, width, 3], fill(0), fill(255))


def _dataset_id(out: Path) -> str:
    """What Minari calls the dataset in folder `out`: the path below its datasets folder, else the folder's name."""
    root = Path(os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets").resolve()
    place = out.resolve()
    name = place.relative_to(root).as_posix() if place.is_relative_to(root) else out.name
    return re.sub(r"[^A-Za-z0-9_/-]+", "-", name)
