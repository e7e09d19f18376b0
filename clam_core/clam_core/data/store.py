"""Reading a dataset: a Zarr store in the replay-buffer layout (episodes concatenated, ``meta/episode_ends``).

An episode of T transitions has T+1 rows, one per observation. No action was taken at the last one: its action
and reward are NaN. An unlabeled store has no ``data/action`` at all, and a labeled one opened with
``actions=False`` hands no action out: a leak of labels is impossible rather than forbidden.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.store_array import Folder, StoreArray
from clam_core.data.store_writer import FORMAT_VERSION, READABLE_VERSIONS, StoreWriter
from clam_core.errors import ClamError, did_you_mean

_log = logging.getLogger(__name__)


class EpisodeStore:
    """A dataset opened for reading; make one with `open`."""

    def __init__(
        self, path: Path, attributes: dict[str, Any], arrays: dict[str, Any], meta: Any, labeled: bool
    ) -> None:
        self.path = path
        self.info = DatasetInfo.from_json(attributes)
        self.complete = bool(attributes.get("complete", True))  # false while a writer works on it, or was killed
        self._in_memory: dict[str, npt.NDArray[Any]] = {}
        self.labeled = labeled  # whether there are labels on disk, also where this view hides them
        self._metadata: list[dict[str, Any]] | None = None
        self._meta = meta
        count = attributes.get("episodes")  # rows beyond are a writer's that is at work or was killed
        count = len(meta["episode_ends"]) if count is None else int(count)
        ends, seeds, success = (
            StoreArray(meta[name], path, count)[:count] for name in ("episode_ends", "episode_seed", "episode_success")
        )
        self.episode_ends: npt.NDArray[np.int64] = ends.astype(np.int64)
        self.episode_seeds: npt.NDArray[np.int64] = seeds.astype(np.int64)
        self.episode_success: npt.NDArray[np.bool_] = success.astype(bool)
        self.num_rows = int(self.episode_ends[-1]) if count else 0
        self._arrays = {name: StoreArray(array, path, self.num_rows) for name, array in arrays.items()}

    @classmethod
    def open(cls, path: str | Path, *, actions: bool = True) -> EpisodeStore:
        """Open the dataset folder `path`, with or without its action labels.

        Raises:
            ClamError: no dataset there, another format version, a damaged one, or no labels where `actions`
                asks for them.
        """
        path = Path(path)
        if not path.exists():
            raise ClamError(f"no dataset at '{path}'; make one with clam generate or clam import")
        if not path.is_dir():
            raise ClamError(f"'{path}' is not a dataset folder (it is a file); give one that clam wrote")
        try:
            root = zarr.open_group(Folder(str(path)), mode="r")
            attributes = root.attrs.asdict()
        except (OSError, ValueError, KeyError) as error:
            raise ClamError(f"'{path}' is not a dataset folder ({error}); give one that clam wrote") from error
        version = attributes.get("format_version")
        if version not in READABLE_VERSIONS:
            raise ClamError(f"dataset '{path}' has format version {version}, valid: {READABLE_VERSIONS}; make it anew")
        try:
            labeled = "action" in root["data"]
            names = [name for name in root["data"].array_keys() if actions or name != "action"]
            store = cls(path, attributes, {name: root["data"][name] for name in names}, root["meta"], labeled)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ClamError(f"dataset '{path}' is damaged ({error!r}); make it anew") from error
        if actions and not labeled:
            raise ClamError(f"dataset '{path}' has no action labels; use it as unlabeled data, or import the actions")
        if not store.complete:
            _log.warning("dataset '%s' is unfinished: %d episodes so far", path, store.num_episodes)
        return store

    @property
    def has_actions(self) -> bool:
        """Whether this view of the dataset has action labels."""
        return "action" in self._arrays

    @property
    def has_stamps(self) -> bool:
        """Whether the time of each observation was recorded."""
        return "stamp" in self._arrays

    @property
    def num_episodes(self) -> int:
        """E, the number of episodes."""
        return len(self.episode_ends)

    @property
    def num_transitions(self) -> int:
        """Sum of the episodes' lengths T."""
        return self.num_rows - self.num_episodes

    def array(self, name: str) -> npt.NDArray[Any]:
        """All rows of ``state``, ``action``, ``reward``, ``success``, ``stamp`` (where recorded) or a camera.

        Raises:
            ClamError: no such array, ``action`` of a view without labels, or one that is damaged.
        """
        return self._rows(name, 0, self.num_rows).copy()

    def image_array(self, camera: str) -> StoreArray:
        """The array of a camera ``(N, H, W, 3)``; its rows are read from disk when asked for.

        Raises:
            ClamError: no such camera.
        """
        cameras = [spec.name for spec in self.info.spec.observation.cameras]
        if camera not in cameras:
            hint = did_you_mean(camera, cameras) if cameras else "it has none"
            raise ClamError(f"dataset '{self.path}' has no camera '{camera}': {hint}")
        return self._arrays[camera]

    def episode(self, index: int) -> Episode:
        """Episode `index`; its actions are None in a view without labels.

        Raises:
            IndexError: there is no such episode.
        """
        if not 0 <= index < self.num_episodes:
            raise IndexError(f"episode {index} of {self.num_episodes}")
        start = int(self.episode_ends[index - 1]) if index else 0
        end = int(self.episode_ends[index])
        cameras = [camera.name for camera in self.info.spec.observation.cameras]
        seed = int(self.episode_seeds[index])
        return Episode(
            observations={name: self._rows(name, start, end).copy() for name in ("state", *cameras)},
            actions=self._rows("action", start, end - 1).copy() if self.has_actions else None,
            rewards=self._rows("reward", start, end - 1).copy(),
            successes=self._rows("success", start, end - 1).copy(),
            seed=None if seed < 0 else seed,
            metadata=dict(self.episode_metadata[index]),
            stamps=self._rows("stamp", start, end).copy() if self.has_stamps else None,
        )

    @property
    def episode_metadata(self) -> list[dict[str, Any]]:
        """What was kept beside each episode, e.g. its source bag."""
        if self._metadata is None:
            self._metadata = list(self._meta.attrs["episode_metadata"])
        return self._metadata

    def _rows(self, name: str, start: int, end: int) -> npt.NDArray[Any]:
        if name not in self._arrays:
            if name == "action":
                why = "was opened without its labels" if self.labeled else "has no action labels"
                raise ClamError(f"dataset '{self.path}' {why}; open a labeled dataset with actions=True")
            raise ClamError(f"dataset '{self.path}' has no array '{name}', {did_you_mean(name, self._arrays)}")
        array = self._arrays[name]
        if len(array.shape) > 2:  # images stay on disk
            return array[start:end]
        if name not in self._in_memory:
            self._in_memory[name] = array[: self.num_rows]
        return self._in_memory[name][start:end]


__all__ = ["FORMAT_VERSION", "DatasetInfo", "Episode", "EpisodeStore", "StoreWriter"]
