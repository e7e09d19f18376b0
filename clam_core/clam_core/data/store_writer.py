"""Writing a dataset: into a sibling folder that takes the final name only when all is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
import zarr

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.errors import ClamError

FORMAT_VERSION = 1
CHUNK_BYTES = 2**20  # about one megabyte per chunk: quick to decompress, few files


class StoreWriter:
    """Context manager that writes the dataset `path`; a clean exit publishes it, an exception leaves nothing.

    Raises:
        ClamError: `path` exists, or its folder cannot be written.
    """

    def __init__(self, path: str | Path, info: DatasetInfo, *, actions: bool) -> None:
        self.path = Path(path)
        self._info, self._actions = info, actions
        check_free(self.path)
        self._partial = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")
        self._columns: dict[str, _Column] = {}
        self._lengths: list[int] = []
        self._seeds: list[int] = []
        self._successes: list[bool] = []
        self._metadata: list[dict[str, Any]] = []

    def __enter__(self) -> StoreWriter:
        try:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._partial, ignore_errors=True)
            self._root = zarr.open_group(str(self._partial), mode="w")
        except OSError as error:
            raise ClamError(f"cannot write dataset '{self.path}': {error}; choose another folder") from error
        data = self._root.create_group("data")
        spec = self._info.spec
        shapes: dict[str, tuple[tuple[int, ...], str]] = {"state": ((len(spec.observation.names),), "<f4")}
        if self._actions:
            shapes["action"] = ((len(spec.action.names),), "<f4")
        shapes |= {"reward": ((), "<f4"), "success": ((), "|b1")}
        shapes |= {c.name: ((c.height, c.width, 3), "|u1") for c in spec.observation.cameras}
        self._columns = {name: _Column(data, name, shape, dtype) for name, (shape, dtype) in shapes.items()}
        return self

    def append(self, episode: Episode) -> None:
        """Add one episode.

        Raises:
            ValueError: its shapes do not fit each other or the spec, values are not finite, or it lacks
            actions.
        """
        steps = len(episode)
        rows: dict[str, npt.NDArray[Any]] = dict(episode.observations)
        if self._actions:
            if episode.actions is None:
                raise ValueError("an episode without actions cannot go into a labeled dataset")
            rows["action"] = _pad(episode.actions, steps, np.nan)
        rows["reward"] = _pad(episode.rewards, steps, np.nan)
        rows["success"] = _pad(episode.successes, steps, False)
        if steps < 1 or set(rows) != set(self._columns):
            raise ValueError(f"episode of {steps} steps with {sorted(rows)}; expected {sorted(self._columns)}")
        for name, column in self._columns.items():
            column.check(rows[name], steps)
        for name, column in self._columns.items():
            column.append(rows[name])
        self._lengths.append(steps + 1)
        self._seeds.append(-1 if episode.seed is None else int(episode.seed))
        self._successes.append(episode.success)
        self._metadata.append(episode.metadata)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def _publish(self) -> None:
        for column in self._columns.values():
            column.flush()
        meta = self._root.create_group("meta")
        meta.array("episode_ends", np.cumsum(self._lengths, dtype=np.int64), dtype="<i8")
        meta.array("episode_seed", np.array(self._seeds, dtype=np.int64), dtype="<i8")
        meta.array("episode_success", np.array(self._successes, dtype=bool), dtype="|b1")
        meta.attrs["episode_metadata"] = self._metadata
        self._root.attrs.update({"format_version": FORMAT_VERSION, **self._info.to_json()})
        check_free(self.path)
        self._partial.rename(self.path)


class _Column:
    """One array under ``data/``; rows are buffered so that every chunk is written once."""

    def __init__(self, group: Any, name: str, shape: tuple[int, ...], dtype: str) -> None:
        row_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        self._chunk = max(1, CHUNK_BYTES // row_bytes)
        self._name, self._shape, self._dtype = name, shape, np.dtype(dtype)
        self._array = group.create_dataset(
            name,
            shape=(0, *shape),
            chunks=(self._chunk, *shape),
            dtype=dtype,
            compressor=numcodecs.Blosc("zstd", clevel=3, shuffle=numcodecs.Blosc.SHUFFLE),
        )
        self._buffer: list[npt.NDArray[Any]] = []
        self._buffered = 0

    def check(self, rows: npt.NDArray[Any], steps: int) -> None:
        expected = (steps + 1, *self._shape)
        if rows.shape != expected:
            raise ValueError(f"'{self._name}' has shape {rows.shape}, expected {expected}")
        known = rows[:-1] if self._name in ("action", "reward") else rows
        if self._dtype.kind == "f" and not np.isfinite(known).all():
            raise ValueError(f"'{self._name}' has values that are not finite")

    def append(self, rows: npt.NDArray[Any]) -> None:
        self._buffer.append(np.asarray(rows, dtype=self._dtype))
        self._buffered += len(rows)
        if self._buffered >= self._chunk:
            rows = np.concatenate(self._buffer)
            whole = len(rows) // self._chunk * self._chunk
            self._array.append(rows[:whole])
            self._buffer, self._buffered = [rows[whole:].copy()], len(rows) - whole

    def flush(self) -> None:
        if self._buffered:
            self._array.append(np.concatenate(self._buffer))
        self._buffer, self._buffered = [], 0


def check_free(path: Path) -> None:
    """Raise ClamError if `path` exists: no command overwrites data."""
    if path.exists() or path.is_symlink():
        raise ClamError(f"'{path}' exists already; remove it or choose another --out")


def _pad(values: npt.NDArray[Any], steps: int, fill: float | bool) -> npt.NDArray[Any]:
    """`values` ``(T, …)`` with one more row of `fill`: nothing happens after the last observation."""
    if len(values) != steps:
        raise ValueError(f"{len(values)} values for {steps} steps")
    return np.concatenate([values, np.full((1, *np.shape(values)[1:]), fill, dtype=np.asarray(values).dtype)])
