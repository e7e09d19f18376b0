"""The arrays of a dataset on disk. What a bad copy or a bad disk did to it is told in one line, never read as zeros."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from clam_core.errors import ClamError


class Folder(zarr.DirectoryStore):  # type: ignore[misc]  # Zarr has no types
    """A dataset's folder for Zarr, where a chunk that was cut off is an error: Blosc may read past its end."""

    def _fromfile(self, path: str) -> bytes:
        data = bytes(super()._fromfile(path))
        if not os.path.basename(path).startswith("."):  # .zarray and the like are text
            whole = int.from_bytes(data[12:16], "little")  # Blosc's header tells the chunk's length
            if len(data) < 16 or len(data) != whole:
                raise ValueError(f"chunk '{os.path.basename(path)}' has {len(data)} of {max(whole, 16)} bytes")
        return data


class StoreArray:
    """The Zarr array `array` of the dataset at `path`, of which the first `rows` rows are the dataset's.

    Raises:
        ClamError: rows or chunks of it are not there. A writer stores every chunk, also one of zeros, but Zarr
            takes a chunk that is missing for one of zeros.
    """

    def __init__(self, array: Any, path: Path, rows: int) -> None:
        self._array, self._path = array, path
        if len(array) < rows:
            raise ClamError(f"dataset '{path}' is damaged: {self._name} has {len(array)} of {rows} rows; copy it again")
        count = -(-rows // array.chunks[0])
        files = zarr.storage.listdir(array.chunk_store, array.path) if count else []
        found = {file.partition(".")[0] for file in files if not file.endswith(".partial")}  # a killed writer's
        missing = sum(str(number) not in found for number in range(count))
        if missing:
            raise ClamError(
                f"dataset '{path}' is damaged: {self._name} lacks {missing} of {count} chunks; copy it again"
            )

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        """Rows, read from disk.

        Raises:
            ClamError: a chunk is damaged.
        """
        try:
            return np.asarray(self._array[rows])
        except (RuntimeError, OSError, ValueError) as error:  # what Blosc, the file system and NumPy raise
            why = " ".join(str(error).split())[:160]
            raise ClamError(
                f"dataset '{self._path}' is damaged: {self._name} cannot be read ({why}); copy it again"
            ) from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows."""
        return tuple(self._array.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        return tuple(self._array.chunks)

    @property
    def stored_bytes(self) -> int:
        """What it takes on disk."""
        return int(self._array.nbytes_stored)

    @property
    def _name(self) -> str:
        return f"'{self._array.path}'"
