"""What a Minari observation holds: numbers become state entries, images become cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from clam_core.data.images import decode, resize
from clam_core.data.importers.hdf5 import read_array
from clam_core.data.importers.specs import numbered, numbers
from clam_core.data.importing import EpisodeError
from clam_core.spec import CameraSpec

OBSERVATIONS = "observations"
SMALLEST_IMAGE = 32  # pixels; what is smaller (a grid world's view) is numbers, as in Minari itself


@dataclass(frozen=True)
class Layout:
    """How an observation is read.

    Attributes:
        state: paths inside ``observations`` that are concatenated to the state, each with its number of entries.
        names: of the state's entries; those of a flat observation are ``state0`` …, of ``goal/xy`` ``goal/xy0`` …
        cameras: name → (height, width) [pixels]; a camera is named by its path, with ``.`` between the parts.
        left_out: paths that hold neither numbers nor images.
    """

    state: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    cameras: dict[str, tuple[int, int]]
    left_out: tuple[str, ...]


def observation_layout(episode: Any) -> Layout:
    """Layout of the observations of an episode's HDF5 group.

    Raises:
        EpisodeError: there are none, or no state among them.
    """
    state: list[tuple[str, int]] = []
    names: list[str] = []
    cameras: dict[str, tuple[int, int]] = {}
    left_out: list[str] = []
    for path, dataset in _leaves(episode):
        if dataset.shape[:1] in ((), (0,)):
            raise EpisodeError(f"'{path}' is empty")
        if _is_image(dataset):
            cameras[_camera(path)] = _image(dataset, path, 0).shape[:2]
        elif dataset.dtype.kind in "fiub":
            count = int(np.prod(dataset.shape[1:], dtype=np.int64))
            prefix = path.removeprefix(f"{OBSERVATIONS}/") if path != OBSERVATIONS else "state"
            state.append((path, count))
            names += numbered(prefix, count) if dataset.ndim > 1 else (prefix,)
        else:
            left_out.append(path)
    if not state:
        raise EpisodeError("without numbers among the observations; a dataset has a state")
    return Layout(tuple(state), tuple(names), cameras, tuple(left_out))


def read_state(episode: Any, layout: Layout) -> npt.NDArray[np.float64]:
    """``(T+1, D)`` state of an episode.

    Raises:
        EpisodeError: a part is missing, of another size, or longer than the others.
    """
    parts = []
    for path, count in layout.state:
        values = numbers(read_array(episode, path), path)
        values = values.reshape(len(values), -1) if len(values) else values.reshape(0, 1)
        if values.shape[1] != count:
            raise EpisodeError(f"'{path}' has {values.shape[1]} entries, expected {count}")
        parts.append(values)
    if len({len(part) for part in parts}) > 1:
        lengths = ", ".join(f"{path} {len(part)}" for (path, _), part in zip(layout.state, parts, strict=True))
        raise EpisodeError(f"observations of unequal lengths: {lengths}")
    return np.concatenate(parts, axis=1)


def read_images(episode: Any, camera: CameraSpec) -> npt.NDArray[np.uint8]:
    """``(T+1, H, W, 3)`` images of `camera`, at its size.

    Raises:
        EpisodeError: they are missing or damaged.
    """
    leaves = {_camera(path): (path, dataset) for path, dataset in _leaves(episode)}
    if camera.name not in leaves:
        raise EpisodeError(f"without camera '{camera.name}'")
    path, dataset = leaves[camera.name]
    images = (_image(dataset, path, row) for row in range(len(dataset)))
    return np.stack([resize(image, camera.height, camera.width) for image in images])


def _leaves(episode: Any) -> list[tuple[str, Any]]:
    """Datasets below ``observations``, with their paths, in alphabetical order."""
    root = episode.get(OBSERVATIONS)
    if isinstance(root, h5py.Dataset):
        return [(OBSERVATIONS, root)]
    if not isinstance(root, h5py.Group):
        raise EpisodeError(f"without '{OBSERVATIONS}'")
    found: list[tuple[str, Any]] = []
    root.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return sorted((f"{OBSERVATIONS}/{name}", item) for name, item in found)


def _camera(path: str) -> str:
    return path.removeprefix(f"{OBSERVATIONS}/").replace("/", ".")


def _is_image(dataset: Any) -> bool:
    """Whether rows are images: uint8 arrays, or JPEG bytes of equal or of varying length."""
    if h5py.check_vlen_dtype(dataset.dtype) == np.uint8:
        return True
    if dataset.dtype != np.uint8 or dataset.ndim not in (2, 3, 4):
        return False
    if dataset.ndim == 2:
        return bytes(np.asarray(dataset[0, :3])) == b"\xff\xd8\xff"
    sides = sorted(dataset.shape[1:])
    return int(sides[-2]) >= SMALLEST_IMAGE and (dataset.ndim == 3 or sides[0] in (1, 3))


def _image(dataset: Any, path: str, row: int) -> npt.NDArray[np.uint8]:
    """Row `row` as RGB ``(H, W, 3)``; gray becomes RGB, channels may come first or last."""
    try:
        values = np.asarray(dataset[row])
        if values.ndim == 1:
            return decode(values.tobytes())
    except (OSError, ValueError) as error:
        raise EpisodeError(f"image {row} of '{path}' cannot be read ({error})") from error
    if values.ndim == 2:
        values = values[..., None]
    elif values.shape[0] in (1, 3) and values.shape[2] not in (1, 3):
        values = values.transpose(1, 2, 0)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))
