"""Writing a dataset, episode by episode: what is on disk is a readable dataset at every moment.

Rows are appended to the arrays first; the number of episodes in the root attributes is replaced last, in one
step. A reader believes that number only, so a killed writer costs the episodes since its last commit, no more.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
import zarr

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.errors import ClamError

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 1 knows no unfinished datasets and no stamps
CHUNK_BYTES = 2**20  # about one megabyte per chunk: quick to decompress, few files
META_CHUNK = 4096  # episodes per chunk of ``meta/``
COMMIT_SECONDS = 5.0  # what a killed writer loses at most

LOCK = ".lock"  # held while a writer is at work
RESERVED = ("state", "action", "reward", "success", "stamp")

_META = {"episode_ends": "<i8", "episode_seed": "<i8", "episode_success": "|b1"}


class StoreWriter:
    """Context manager that writes the dataset `path`; it is marked finished by a clean exit.

    An exception leaves the episodes written before it as an unfinished dataset, or nothing where there were none.

    Args:
        actions: whether the dataset has action labels.
        stamps: whether every episode has stamps.
        resume: go on with the dataset at `path`, finished or not, if there is one.

    Raises:
        ClamError: `path` exists (without `resume`) or holds other data, or its folder cannot be written.
    """

    def __init__(
        self, path: str | Path, info: DatasetInfo, *, actions: bool, stamps: bool = False, resume: bool = False
    ) -> None:
        self.path = Path(path)
        self._info = info
        spec = info.spec
        shapes: dict[str, tuple[tuple[int, ...], str]] = {"state": ((len(spec.observation.names),), "<f4")}
        if actions:
            shapes["action"] = ((len(spec.action.names),), "<f4")
        if stamps:
            shapes["stamp"] = ((), "<f8")
        shapes |= {"reward": ((), "<f4"), "success": ((), "|b1")}
        for camera in spec.observation.cameras:
            check_camera_name(camera.name)
            shapes[camera.name] = (camera.height, camera.width, 3), "|u1"
        self._shapes = shapes
        self._resumes = resume and self.path.exists()
        if not self._resumes:
            check_free(self.path)
        self._columns: dict[str, _Column] = {}
        self._meta: dict[str, list[Any]] = {name: [] for name in _META}  # since the last commit
        self._metadata: list[dict[str, Any]] = []  # of all episodes
        self._episodes = 0  # committed
        self._rows = 0
        self._committed_at = time.monotonic()

    @property
    def episodes(self) -> int:
        """Episodes written so far, committed or not."""
        return len(self._metadata)

    @property
    def has_stamps(self) -> bool:
        """Whether every episode has stamps."""
        return "stamp" in self._shapes

    def __enter__(self) -> StoreWriter:
        with self._told(), ExitStack() as undo:
            if not self._resumes:
                self._make_folder()
                undo.callback(shutil.rmtree, self.path, ignore_errors=True)
            self._lock()
            undo.callback(self._unlock)
            if self._resumes:
                self._reopen()
            else:
                self._create()
            undo.pop_all()
        return self

    def append(self, episode: Episode) -> None:
        """Add one episode.

        Raises:
            ValueError: its shapes do not fit each other or the spec, values are not finite, it lacks actions or
                stamps, or it is a successful one of a play dataset.
        """
        steps = len(episode)
        rows: dict[str, npt.NDArray[Any]] = dict(episode.observations)
        if "action" in self._shapes:
            if episode.actions is None:
                raise ValueError("an episode without actions cannot go into a labeled dataset")
            rows["action"] = _pad(episode.actions, steps, np.nan)
        if "stamp" in self._shapes:
            if episode.stamps is None:
                raise ValueError("an episode without stamps cannot go into a dataset with stamps")
            rows["stamp"] = episode.stamps
        if self._info.kind == "play" and episode.success:
            raise ValueError("a successful episode cannot go into play data")
        rows["reward"] = _pad(episode.rewards, steps, np.nan)
        rows["success"] = _pad(episode.successes, steps, False)
        if steps < 1 or set(rows) != set(self._columns):
            raise ValueError(f"episode of {steps} steps with {sorted(rows)}; expected {sorted(self._columns)}")
        for name, column in self._columns.items():
            column.check(rows[name], steps)
        for name, column in self._columns.items():
            column.buffer(rows[name])
        self._rows += steps + 1
        self._meta["episode_ends"].append(self._rows)
        self._meta["episode_seed"].append(-1 if episode.seed is None else int(episode.seed))
        self._meta["episode_success"].append(episode.success)
        self._metadata.append(episode.metadata)
        with self._told():
            for column in self._columns.values():
                column.write_whole_chunks()
            if time.monotonic() - self._committed_at > COMMIT_SECONDS:
                self._commit(complete=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with self._told():
                    self._commit(complete=True)
            elif self._metadata:
                with suppress(OSError):  # what was committed before stays; the first error is the one to tell
                    self._commit(complete=False)
            else:
                shutil.rmtree(self.path, ignore_errors=True)
        finally:
            self._unlock()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the file system raises, e.g. because the disk is full, in one line."""
        try:
            yield
        except (OSError, KeyError) as error:
            if isinstance(error, KeyError):
                if not isinstance(error.__cause__, OSError):
                    raise
                error = error.__cause__  # Zarr's, of a folder that could not be made
            kept = f", {self._episodes} episodes of it are kept" if self._episodes else ""
            raise ClamError(
                f"cannot write dataset '{self.path}' ({error}){kept}; make room, or choose another --out"
            ) from error

    def _make_folder(self) -> None:
        """The new folder, so that of two writers that found none one goes on."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir()
        except FileExistsError:
            check_free(self.path)
            raise

    def _lock(self) -> None:
        self._lock_file = (self.path / LOCK).open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock_file.close()
            raise ClamError(
                f"'{self.path}' is being written by another process; wait for it, or choose another --out"
            ) from error
        except OSError as error:  # e.g. a network disk without locks
            self._lock_file.close()
            raise ClamError(
                f"'{self.path}' cannot be locked ({error}); choose another --out, on a disk of this machine"
            ) from error

    def _unlock(self) -> None:
        (self.path / LOCK).unlink(missing_ok=True)
        self._lock_file.close()

    def _create(self) -> None:
        self._root = zarr.open_group(str(self.path), mode="w-")
        data, meta = self._root.create_group("data"), self._root.create_group("meta")
        self._columns = {n: _Column.create(data, n, *shape_dtype) for n, shape_dtype in self._shapes.items()}
        for name, dtype in _META.items():
            meta.create_dataset(name, shape=(0,), chunks=(META_CHUNK,), dtype=dtype)
        self._commit(complete=False)

    def _reopen(self) -> None:
        self._root = zarr.open_group(str(self.path), mode="r+")
        attributes = self._root.attrs.asdict()
        _check_same(self.path, attributes, self._info, set(self._shapes), set(self._root["data"].array_keys()))
        self._episodes = int(attributes["episodes"])
        meta = self._root["meta"]
        self._rows = int(meta["episode_ends"][self._episodes - 1]) if self._episodes else 0
        self._metadata = list(meta.attrs.get("episode_metadata", []))[: self._episodes]
        for name in _META:
            meta[name].resize(self._episodes)
        for name in self._shapes:  # what a killed writer appended after its last commit
            array = self._root["data"][name]
            array.resize(self._rows, *array.shape[1:])
            self._columns[name] = _Column(array, name)

    def _commit(self, *, complete: bool) -> None:
        for column in self._columns.values():
            column.flush()
        meta, episodes = self._root["meta"], len(self._metadata)
        for name, values in self._meta.items():
            meta[name].resize(episodes)
            meta[name][self._episodes :] = np.asarray(values, dtype=_META[name])
        meta.attrs["episode_metadata"] = self._metadata
        attributes = {"format_version": FORMAT_VERSION, "episodes": episodes, "complete": complete}
        self._root.attrs.put({**attributes, **self._info.to_json()})
        self._episodes = episodes
        for values in self._meta.values():
            values.clear()
        self._committed_at = time.monotonic()


class _Column:
    """One array under ``data/``; rows are buffered so that most chunks are written once."""

    def __init__(self, array: Any, name: str) -> None:
        self._array, self._name = array, name
        self._written = len(array)  # an interrupted write is repeated at the same place
        self._chunk: int = array.chunks[0]
        self._buffer: list[npt.NDArray[Any]] = []
        self._buffered = 0

    @classmethod
    def create(cls, group: Any, name: str, shape: tuple[int, ...], dtype: str) -> _Column:
        row_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        array = group.create_dataset(
            name,
            shape=(0, *shape),
            chunks=(max(1, CHUNK_BYTES // max(1, row_bytes)), *shape),
            dtype=dtype,
            compressor=numcodecs.Blosc("zstd", clevel=3, shuffle=numcodecs.Blosc.SHUFFLE),
        )
        return cls(array, name)

    def check(self, rows: npt.NDArray[Any], steps: int) -> None:
        expected = (steps + 1, *self._array.shape[1:])
        if rows.shape != expected:
            raise ValueError(f"'{self._name}' has shape {rows.shape}, expected {expected}")
        known = rows[:-1] if self._name in ("action", "reward") else rows
        if self._array.dtype.kind == "f" and not np.isfinite(known).all():
            raise ValueError(f"'{self._name}' has values that are not finite")

    def buffer(self, rows: npt.NDArray[Any]) -> None:
        self._buffer.append(np.asarray(rows, dtype=self._array.dtype))
        self._buffered += len(rows)

    def write_whole_chunks(self) -> None:
        to_chunk_end = self._chunk - self._written % self._chunk
        if self._buffered >= to_chunk_end:
            rows = np.concatenate(self._buffer)
            whole = to_chunk_end + (len(rows) - to_chunk_end) // self._chunk * self._chunk
            self._write(rows[:whole])
            self._buffer, self._buffered = [rows[whole:].copy()], len(rows) - whole

    def flush(self) -> None:
        if self._buffered:
            self._write(np.concatenate(self._buffer))
        self._buffer, self._buffered = [], 0

    def _write(self, rows: npt.NDArray[Any]) -> None:
        end = self._written + len(rows)
        if len(self._array) != end:
            self._array.resize(end, *self._array.shape[1:])
        self._array[self._written : end] = rows
        self._written = end


def check_camera_name(name: str) -> None:
    """Raise ClamError if no array can have this name: a path, a hidden file, or another array's."""
    if name in ("", *RESERVED) or name.startswith((".", "__")) or "/" in name or "\\" in name:
        raise ClamError(f"a camera cannot be called '{name}'; call it otherwise, e.g. --cameras top=TOPIC")


def check_free(path: Path, *, resumable: bool = False) -> None:
    """Raise ClamError if `path` exists: no command overwrites data."""
    if path.exists() or path.is_symlink():
        mend = "go on with it (--resume), remove it" if resumable else "remove it"
        raise ClamError(f"'{path}' exists already; {mend} or choose another --out")


def _check_same(path: Path, attributes: dict[str, Any], info: DatasetInfo, wanted: set[str], found: set[str]) -> None:
    """Raise ClamError where the dataset on disk is not what a writer of `info` goes on with."""
    version = attributes.get("format_version")
    if version != FORMAT_VERSION:
        raise ClamError(f"'{path}' has format version {version}, only {FORMAT_VERSION} can be resumed; make it anew")
    there = DatasetInfo.from_json(attributes)
    differs = [name for name in ("spec", "kind") if getattr(there, name) != getattr(info, name)]
    if wanted != found:
        differs.append("arrays")
    if differs:
        raise ClamError(f"'{path}' is another dataset ({', '.join(differs)} differ); choose another --out")


def _pad(values: npt.NDArray[Any], steps: int, fill: float | bool) -> npt.NDArray[Any]:
    """`values` ``(T, …)`` with one more row of `fill`: nothing happens after the last observation."""
    if len(values) != steps:
        raise ValueError(f"{len(values)} values for {steps} steps")
    return np.concatenate([values, np.full((1, *np.shape(values)[1:]), fill, dtype=np.asarray(values).dtype)])
