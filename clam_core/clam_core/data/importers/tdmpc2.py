"""TD-MPC2 replay buffers and datasets: ``.pt`` files of a TensorDict; the paper's Meta-World data are of this kind.

Row 0 of an episode is the reset: its action and reward are NaN. Row t holds the action that led to observation t.
The public sets mt30 and mt80 mix tasks, and pad observations and actions with zeros to the largest task's size.
The format does not record success.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.images import resize
from clam_core.data.importers.specs import Seen, choose_cameras, describe, find_spec, numbered
from clam_core.data.importers.tdmpc2_tasks import TASKS, canonical, environment_of
from clam_core.data.importers.tensor_file import Fields, load_tensors
from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions, Source
from clam_core.data.provenance import provenance
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec

CAMERA = "rgb"  # TD-MPC2's name of its one image observation, a stack of frames


@dataclass(frozen=True)
class _Rows:
    """Where an episode is: in file `file`, rows `rows` of the first axis once time and episodes share it."""

    file: int
    rows: slice


def open_tdmpc2(path: Path, options: ImportOptions) -> Source:
    """The ``.pt`` file at `path`, or all of them in that folder (a multi-task set is many).

    `options.task` chooses the task of a multi-task set, e.g. ``mw-assembly`` or ``assembly``; the spec is that of
    the environment where it can be made. Honours env, task, kind, cameras, image_size, rate.

    Raises:
        ClamError: no such files; one that is damaged or holds more than tensors; no choice among several tasks;
            or see `describe`.
    """
    files = sorted(path.glob("*.pt")) if path.is_dir() else [path]
    if not files:
        raise ClamError(f"no .pt file in '{path}'; give the folder of chunk_*.pt, or one file")
    return _TDMPC2([_Chunk(file) for file in files], options, f"'{path}'")


class _Chunk:
    """One file, its batch axes merged: every stream is ``(N, …)``, episodes are runs of rows."""

    def __init__(self, path: Path) -> None:
        fields = load_tensors(path)
        if missing := [name for name in ("obs", "action", "reward") if name not in fields]:
            raise ClamError(f"'{path}' has no {', '.join(missing)} (it has {', '.join(fields)}); give TD-MPC2 data")
        self.name = path.name
        reward = fields["reward"]  # (steps,), (steps, 1), (episodes, steps) or (episodes, steps, 1)
        axes = 2 if reward.ndim >= 3 or (reward.ndim == 2 and reward.shape[-1] != 1) else 1
        streams = {name: value for name, value in _flat(fields) if value.ndim >= axes}
        shapes = {name: tuple(value.shape[:axes]) for name, value in streams.items()}
        if len(set(shapes.values())) > 1:
            told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
            raise ClamError(f"'{path}' has streams of unequal lengths ({told}); save the buffer again")
        self.streams = {name: value.flatten(0, axes - 1) for name, value in streams.items()}
        self.tasks = self._first_rows("task", path)
        self.episodes = _episodes(streams, axes, path)

    def _first_rows(self, name: str, path: Path) -> npt.NDArray[np.int64] | None:
        if name not in self.streams:
            return None
        values = self.streams[name].reshape(len(self.streams[name]), -1)[:, 0].double().numpy()
        if not np.isfinite(values).all():
            raise ClamError(f"'{path}' has a '{name}' that is not a number; save the buffer again")
        return np.asarray(values, dtype=np.int64)


def _flat(fields: Fields, prefix: str = "") -> list[tuple[str, torch.Tensor]]:
    """Tensors with their names; those of a nested observation are ``obs.state``, ``obs.rgb``."""
    found: list[tuple[str, torch.Tensor]] = []
    for name, value in fields.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def _episodes(streams: dict[str, torch.Tensor], axes: int, path: Path) -> list[slice]:
    shape = streams["reward"].shape
    if axes == 2:
        return [slice(i * shape[1], (i + 1) * shape[1]) for i in range(shape[0])]
    if "episode" not in streams:
        raise ClamError(f"'{path}' has one axis and no 'episode' to split it by; save it as (episodes, steps, …)")
    ids = streams["episode"].reshape(-1)
    starts = [0, *((ids[1:] != ids[:-1]).nonzero().reshape(-1) + 1).tolist(), len(ids)]
    return [slice(start, stop) for start, stop in pairwise(starts)]


class _TDMPC2:
    """See `Source`. Episodes are named by file and number, e.g. ``chunk_3.pt/17``."""

    def __init__(self, chunks: list[_Chunk], options: ImportOptions, what: str) -> None:
        self._chunks, self._actions = chunks, options.actions
        self._task = _choose_task(chunks, options, what)
        number = TASKS.index(self._task) if self._task in TASKS else None
        self._rows = {
            f"{chunk.name}/{i}": _Rows(file, rows)
            for file, chunk in enumerate(chunks)
            for i, rows in enumerate(chunk.episodes)
            if chunk.tasks is None or number is None or chunk.tasks[rows.start] == number
        }
        env, task = environment_of(self._task) if self._task in TASKS else (None, self._task)
        known = find_spec(env, task) if env and task else None
        streams = chunks[0].streams
        if "obs" in streams and streams["obs"].ndim > 2:
            raise ClamError(f"{what} has image observations only; a dataset has a state: save obs as state and rgb")
        self._state = "obs" if "obs" in streams else "obs.state"
        if self._state not in streams:
            raise ClamError(f"{what} has no state (it has {', '.join(streams)}); save obs as a tensor or state and rgb")
        states, actions = self._width(self._state, known), self._width("action", known)
        rgb = streams.get(f"obs.{CAMERA}")
        cameras = choose_cameras(
            {CAMERA: (int(rgb.shape[-2]), int(rgb.shape[-1]))} if rgb is not None else {}, options, what
        )
        seen = Seen(
            ObservationSpec(numbered("state", states), ("",) * states, cameras),
            ActionSpec(numbered("action", actions), ("",) * actions, (-1.0,) * actions, (1.0,) * actions),
            max_steps=max((r.rows.stop - r.rows.start - 1 for r in self._rows.values()), default=0),
            env=env,
            task=task,
            spec=known,
        )
        source = provenance("import tdmpc2", ("torch", "zarr"))
        source |= {"files": [chunk.name for chunk in chunks], "task": self._task, "success": "not recorded"}
        named = options if options.env or known is None else ImportOptions(rate=options.rate)
        self.info = DatasetInfo(describe(seen, named, what), options.kind or UNKNOWN, source)

    def names(self) -> list[str]:
        """See `Source.names`."""
        return list(self._rows)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source.read`."""
        place = self._rows[name]
        spec = self.info.spec
        states = self._numbers(place, self._state)[:, : len(spec.observation.names)]
        observations: dict[str, npt.NDArray[Any]] = {"state": states}
        for camera in spec.observation.cameras:
            frames = self._chunks[place.file].streams[f"obs.{camera.name}"][place.rows]
            observations[camera.name] = _images(frames, camera.height, camera.width)
        rewards = self._numbers(place, "reward").reshape(len(states), -1)[1:, 0]
        actions = self._numbers(place, "action")[1:, : len(spec.action.names)] if self._actions else None
        successes = np.zeros(len(rewards), dtype=bool)
        return Episode(observations, actions, rewards, successes, metadata={"source": name}), ()

    def _numbers(self, place: _Rows, stream: str) -> npt.NDArray[np.float64]:
        chunk = self._chunks[place.file]
        if stream not in chunk.streams:
            raise EpisodeError(f"without '{stream}'")
        values = chunk.streams[stream][place.rows]
        if values.dtype == torch.bool or values.is_complex():
            raise EpisodeError(f"'{stream}' has dtype {values.dtype}, expected numbers")
        return values.double().numpy()

    def _width(self, stream: str, known: EnvironmentSpec | None) -> int:
        """Entries of the state or the action without the padding of multi-task sets: trailing columns of zeros."""
        values = self._chunks[0].streams[stream]
        if values.ndim != 2:
            raise ClamError(f"'{stream}' has shape {tuple(values.shape[1:])} per row; expected one axis of numbers")
        own = known and len((known.observation if stream == self._state else known.action).names)
        if own and own <= values.shape[1]:
            return own
        if self._chunks[0].tasks is None:
            return int(values.shape[1])
        used = np.zeros(values.shape[1], dtype=bool)
        for place in self._rows.values():
            part = self._chunks[place.file].streams[stream][place.rows]
            used |= (torch.nan_to_num(part.double()) != 0).any(0).numpy()
        return int(np.flatnonzero(used)[-1]) + 1 if used.any() else int(values.shape[1])


def _choose_task(chunks: list[_Chunk], options: ImportOptions, what: str) -> str | None:
    """The task to import: the user's, else the only one that the files hold."""
    ids = sorted({int(i) for chunk in chunks if chunk.tasks is not None for i in np.unique(chunk.tasks)})
    if unknown := [i for i in ids if not 0 <= i < len(TASKS)]:
        raise ClamError(f"{what} has task number {unknown[0]}, valid: 0 to {len(TASKS) - 1} (mt80); save it anew")
    held = [TASKS[i] for i in ids]
    task = canonical(options.task) if options.task else None
    if held and task is None and len(held) > 1:
        raise ClamError(f"{what} holds {len(held)} tasks ({', '.join(held[:4])}, …); choose one with --task")
    if held and task is not None and task not in held:
        raise ClamError(f"{what} has no task '{options.task}', {did_you_mean(task, held)}")
    return task or (held[0] if held else None)


def _images(frames: torch.Tensor, height: int, width: int) -> npt.NDArray[np.uint8]:
    """``(T+1, height, width, 3)`` RGB: the newest of each row's stacked frames ``(3·k, H, W)``."""
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] % 3:
        raise EpisodeError(
            f"'{CAMERA}' has shape {tuple(frames.shape[1:])} and dtype {frames.dtype}, expected (3k, H, W) uint8"
        )
    newest = frames[:, -3:].permute(0, 2, 3, 1).numpy()
    return np.stack([resize(image, height, width) for image in newest])
