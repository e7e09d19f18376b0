"""HDF5 files of others: opened read-only, their damages told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from clam_core.data.importing import EpisodeError
from clam_core.errors import ClamError


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The file at `path`, open for reading.

    Raises:
        ClamError: there is none, or it is not HDF5, cut off, or so damaged that reading it within the block fails.
    """
    if not path.is_file():
        raise ClamError(f"no file '{path}'; give an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise ClamError(f"'{path}' cannot be read as HDF5 ({_line(error)}); download or record it again") from error


def read_array(group: Any, key: str, rows: slice = slice(None)) -> npt.NDArray[Any]:
    """Rows of the dataset `key` of `group`.

    Raises:
        EpisodeError: there is none, or its data are damaged.
    """
    with told_as_damage(f"'{key}'"):
        dataset = group.get(key)
        if not isinstance(dataset, h5py.Dataset):
            raise EpisodeError(f"without '{key}'")
        return np.asarray(dataset[rows])


@contextmanager
def told_as_damage(what: str) -> Iterator[None]:
    """What h5py raises at a damaged place, as an EpisodeError about `what`."""
    try:
        yield
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise EpisodeError(f"{what} cannot be read ({_line(error)})") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
