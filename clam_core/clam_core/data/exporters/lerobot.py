"""A dataset of this project as a LeRobot dataset, version 3.0.

An episode of T transitions becomes T + 1 frames. LeRobot wants an action beside every frame: the last frame repeats
the last action and success, with reward 0. What LeRobot has no place for (units, limits, seeds, kind, provenance)
goes to ``meta/clam.json``, from which the importer restores it.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clam_core.data import lerobot_format as form
from clam_core.data.episode import Episode
from clam_core.data.exporters.lerobot_stats import Stats, combined, feature_stats, image_stats
from clam_core.data.exporters.lerobot_tables import RowFiles, pictures, vectors, write_episodes, write_tasks
from clam_core.data.exporters.lerobot_videos import CameraFiles
from clam_core.data.exporting import STAMPS_NOTE, ExportOptions, ExportReport, episodes, new_folder, open_dataset
from clam_core.data.images import encode_png
from clam_core.data.store import EpisodeStore
from clam_core.data.videos import CODEC, PIXELS, VideoError
from clam_core.errors import ClamError
from clam_core.spec import CameraSpec, EnvironmentSpec


def export_lerobot(dataset: Path, out: Path, options: ExportOptions) -> ExportReport:
    """Write the dataset folder `dataset` to the new folder `out`.

    Raises:
        ClamError: no dataset, existing `out`, or images that a video cannot hold.
    """
    store = open_dataset(dataset)
    with new_folder(out) as folder:
        try:
            return _Export(store, folder, options).run(out)
        except VideoError as error:
            raise ClamError(f"{error}; say --images png") from error


class _Export:
    """One export: rows and frames go to disk episode by episode, tables and statistics at the end."""

    def __init__(self, store: EpisodeStore, folder: Path, options: ExportOptions) -> None:
        self._store, self._folder, self._options = store, folder, options
        self._spec = store.info.spec
        rate = options.fps or self._spec.rate
        self._fps = rate if options.fps and not float(rate).is_integer() else max(1, round(rate))
        self._videos = options.images == "video"
        self._tasks: dict[str, int] = {}
        self._table: list[dict[str, Any]] = []
        self._stats: list[dict[str, Stats]] = []
        self._seeds: list[int | None] = []
        self._frames = 0

    def run(self, out: Path) -> ExportReport:
        """Write all of it."""
        rows = RowFiles(self._folder)
        cameras = [CameraFiles(self._folder, c, self._fps) for c in self._spec.observation.cameras if self._videos]
        with ExitStack() as stack:
            for files in cameras:
                stack.callback(files.abandon)
            stack.callback(rows.close)
            for index, episode in episodes(self._store, self._options):
                self._append(index, episode, rows, cameras)
            for files in cameras:
                files.close()
        write_episodes(self._folder, self._table)
        write_tasks(self._folder, list(self._tasks))
        self._write_json()
        psnr = {camera.feature.removeprefix(form.CAMERA_PREFIX): camera.quality() for camera in cameras}
        return ExportReport(out, len(self._table), self._frames, self._notes(), psnr)

    def _append(self, index: int, episode: Episode, rows: RowFiles, cameras: list[CameraFiles]) -> None:
        count = len(episode) + 1
        numbers = self._columns(index, episode)
        task = self._task(episode)
        columns: dict[str, pa.Array] = {
            name: vectors(values) if values.ndim == 2 else pa.array(values) for name, values in numbers.items()
        }
        stats = {name: feature_stats(values) for name, values in numbers.items()}
        entry: dict[str, Any] = {"episode_index": index, "tasks": [task], "length": count}
        for camera in self._spec.observation.cameras:
            images = episode.observations[camera.name]
            stats[form.CAMERA_PREFIX + camera.name] = image_stats(images)
            if not self._videos:
                columns[form.CAMERA_PREFIX + camera.name] = pictures([encode_png(image) for image in images])
        entry |= rows.append(columns)
        entry |= {"dataset_from_index": self._frames, "dataset_to_index": self._frames + count}
        for files in cameras:
            entry |= files.append(episode.observations[files.feature.removeprefix(form.CAMERA_PREFIX)])
        entry |= {f"stats/{name}/{key}": value for name, part in stats.items() for key, value in part.items()}
        self._table.append(entry)
        self._stats.append(stats)
        self._seeds.append(episode.seed)
        self._frames += count

    def _columns(self, index: int, episode: Episode) -> dict[str, npt.NDArray[Any]]:
        """Streams of numbers, ``(N,)`` or ``(N, D)``."""
        count = len(episode) + 1
        columns: dict[str, npt.NDArray[Any]] = {form.STATE: episode.observations["state"].astype(np.float32)}
        if episode.actions is not None:
            columns[form.ACTION] = np.concatenate([episode.actions, episode.actions[-1:]]).astype(np.float32)
        frames = np.arange(count, dtype=np.int64)
        return columns | {
            form.REWARD: np.append(episode.rewards, 0).astype(np.float32),
            form.DONE: frames == count - 1,
            form.SUCCESS: np.append(episode.successes, episode.successes[-1]),
            "timestamp": (frames / self._fps).astype(np.float32),
            "frame_index": frames,
            "episode_index": np.full(count, index, dtype=np.int64),
            "index": frames + self._frames,
            "task_index": np.full(count, self._tasks[self._task(episode)], dtype=np.int64),
        }

    def _task(self, episode: Episode) -> str:
        """What was to be done, in the words of the dataset it came from if it came from LeRobot or was merged."""
        words = episode.metadata.get("tasks")
        own = words[0] if isinstance(words, list) and words else episode.metadata.get("task")
        task = str(own or self._spec.task)
        self._tasks.setdefault(task, len(self._tasks))
        return task

    def _write_json(self) -> None:
        spec, info = self._spec, self._store.info
        labeled = self._store.has_actions
        overview = {
            "codebase_version": "v3.0",
            "robot_type": spec.env,
            "total_episodes": len(self._table),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": form.FILES_PER_CHUNK,
            "data_files_size_in_mb": form.DATA_FILE_MB,
            "video_files_size_in_mb": form.VIDEO_FILE_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._table)}"},
            "data_path": form.DATA,
            "video_path": form.VIDEO if self._videos and spec.observation.cameras else None,
            "features": features(spec, self._fps, labeled=labeled, videos=self._videos),
        }
        stats = {name: combined([part[name] for part in self._stats]) for name in self._stats[0]}
        plain = {name: {key: value.tolist() for key, value in part.items()} for name, part in stats.items()}
        own = {"spec": spec.to_json(), "kind": info.kind, "provenance": info.provenance, "seeds": self._seeds}
        for name, content in ((form.INFO, overview), (form.STATS, plain), (form.CLAM, own)):
            (self._folder / name).write_text(json.dumps(content, indent=4) + "\n")

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._fps != self._spec.rate:
            notes.append(f"the dataset has {self._spec.rate:g} Hz, LeRobot is told {self._fps:g}")
        if not self._store.has_actions:
            notes.append("the dataset is unlabeled: there is no 'action'")
        if self._store.has_stamps:
            notes.append(STAMPS_NOTE)
        return tuple(notes)


def features(spec: EnvironmentSpec, fps: float, *, labeled: bool, videos: bool) -> dict[str, dict[str, Any]]:
    """LeRobot's description of every column and camera."""
    found = {form.STATE: _feature("float32", spec.observation.names)}
    if labeled:
        found[form.ACTION] = _feature("float32", spec.action.names)
    found |= {form.CAMERA_PREFIX + c.name: _camera(c, fps, videos) for c in spec.observation.cameras}
    found |= {form.REWARD: _feature("float32"), form.DONE: _feature("bool"), form.SUCCESS: _feature("bool")}
    found["timestamp"] = _feature("float32")
    found |= {name: _feature("int64") for name in ("frame_index", "episode_index", "index", "task_index")}
    return found


def _feature(dtype: str, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [len(names) if names else 1], "names": list(names) if names else None}


def _camera(camera: CameraSpec, fps: float, video: bool) -> dict[str, Any]:
    shape = {"shape": [camera.height, camera.width, 3], "names": ["height", "width", "channels"]}
    if not video:
        return {"dtype": "image", **shape}
    info = {"height": camera.height, "width": camera.width, "codec": CODEC, "pix_fmt": PIXELS, "channels": 3}
    told = {f"video.{name}": value for name, value in {**info, "fps": fps, "is_depth_map": False}.items()}
    return {"dtype": "video", **shape, "info": {**told, "has_audio": False}}
