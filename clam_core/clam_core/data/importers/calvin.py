"""CALVIN's recordings: a folder of ``episode_%07d.npz``, one file per frame, as mees/calvin distributes them.

A frame holds observations and the action that leads to the next frame. ``rel_actions`` are taken: they are what the
paper learns from, and what the simulator takes.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.images import resize
from clam_core.data.importers.calvin_index import Span, annotated_spans, frame_digits, play_spans
from clam_core.data.importers.specs import choose_cameras
from clam_core.data.importing import EpisodeError, ImportOptions, Source
from clam_core.data.provenance import provenance
from clam_core.envs.calvin_spec import ACTION, CAMERAS, MAX_STEPS, RATE, ROBOT_NAMES, SCENE_NAMES, calvin_spec
from clam_core.envs.calvin_tasks import hyphenated
from clam_core.errors import ClamError

#: Numbers in a frame, and how many.
NUMBERS = {"robot_obs": len(ROBOT_NAMES), "scene_obs": len(SCENE_NAMES), "rel_actions": len(ACTION.names)}

#: What a damaged ``.npz`` makes its reader raise.
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError)


def open_calvin(path: Path, options: ImportOptions) -> Source:
    """The split (``training`` or ``validation``) at `path`.

    With `options.task`, episodes are the segments annotated with it (``close-drawer`` and ``close_drawer`` are the
    same; ``all`` takes every task), successful at their last step; without, they are the play that was recorded, in
    pieces of at most `MAX_STEPS` steps. Honours kind, cameras (``static``, ``gripper``), image_size, rate.

    Raises:
        ClamError: no such split, task or camera, or index files that are missing, damaged or unsafe.
    """
    if options.env not in (None, "calvin"):
        raise ClamError(f"CALVIN's recordings are of environment 'calvin', not '{options.env}'; leave --env out")
    digits = frame_digits(path)
    return _Calvin(path, digits, annotated_spans(path, options.task) if options.task else play_spans(path), options)


class _Calvin:
    """One split, opened; frames are read when their episode is."""

    def __init__(self, path: Path, digits: int, spans: Sequence[Span], options: ImportOptions) -> None:
        self._path, self._digits = path, digits
        self._spans = {span.name: span for span in spans}  # a segment annotated twice with one task is one episode
        self._cameras = choose_cameras(self._camera_sizes(), options, f"'{path}'")
        longest = max(span.last - span.first for span in spans)
        spec = calvin_spec(
            hyphenated(options.task) if options.task else "play",
            max_steps=max(MAX_STEPS, longest),
            cameras=self._cameras,
        )
        source = provenance("import calvin", ("opencv-python-headless", "zarr"))
        source |= {"split": path.name, "action": "rel_actions", "success": "last step of an annotated segment"}
        kind = options.kind or ("expert" if options.task else "play")
        self.info = DatasetInfo(replace(spec, rate=options.rate or RATE), kind, source)

    def names(self) -> list[str]:
        """See `Source.names`."""
        return list(self._spans)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source.read`."""
        span = self._spans[name]
        if span.last < span.first:
            raise EpisodeError("it has no frame")
        frames = [self._frame(number) for number in range(span.first, span.last + 1)]
        observations = {key: np.stack([frame[key] for frame in frames]) for key in frames[0]}
        actions = observations.pop("action")[:-1]
        successes = np.zeros(len(actions), dtype=bool)
        successes[-1:] = span.task is not None
        metadata = {"frames": [span.first, span.last], "task": span.task, "words": span.words}
        return Episode(observations, actions, successes.astype(np.float64), successes, metadata=metadata), ()

    def _frame(self, number: int) -> dict[str, npt.NDArray[Any]]:
        """Observation of one frame, resized, and its action under ``action``."""
        file = self._file(number)
        keys = (*NUMBERS, *(f"rgb_{camera.name}" for camera in self._cameras))
        arrays = _load(file, keys)
        for key, size in NUMBERS.items():
            if arrays[key].shape != (size,) or arrays[key].dtype.kind != "f":
                raise EpisodeError(
                    f"{file.name} has '{key}' of shape {arrays[key].shape} and {arrays[key].dtype}, "
                    f"expected {size} floating-point numbers"
                )
        state = np.concatenate([arrays["robot_obs"], arrays["scene_obs"]])
        frame = {"state": state, "action": arrays["rel_actions"]}
        for camera in self._cameras:
            try:
                frame[camera.name] = resize(arrays[f"rgb_{camera.name}"], camera.height, camera.width)
            except ValueError as error:
                raise EpisodeError(f"{file.name}, camera '{camera.name}': {error}") from error
        return frame

    def _camera_sizes(self) -> dict[str, tuple[int, int]]:
        """Cameras of the first frame that can be read, name → (height, width)."""
        why = "no frame"
        for span in self._spans.values():
            try:
                images = _load(self._file(span.first), [f"rgb_{name}" for name in CAMERAS], optional=True)
            except EpisodeError as error:
                why = str(error)
                continue
            return {key.removeprefix("rgb_"): image.shape[:2] for key, image in images.items() if image.ndim == 3}
        raise ClamError(f"no episode of '{self._path}' can be read ({why}); give a complete CALVIN split")

    def _file(self, number: int) -> Path:
        return self._path / f"episode_{number:0{self._digits}d}.npz"


def _load(file: Path, keys: Sequence[str], *, optional: bool = False) -> dict[str, npt.NDArray[Any]]:
    """Arrays of one frame by key; a key that is not there is left out if `optional`, else an EpisodeError."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            missing = [key for key in keys if key not in arrays]
            if missing and not optional:
                raise EpisodeError(f"{file.name} has no {', '.join(missing)}")
            return {key: arrays[key] for key in keys if key in arrays}
    except FileNotFoundError as error:
        raise EpisodeError(f"{file.name} is missing") from error
    except _DAMAGE as error:
        raise EpisodeError(
            f"{file.name} is damaged ({str(error).splitlines()[0] if str(error) else error!r})"
        ) from error
