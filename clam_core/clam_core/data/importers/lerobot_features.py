"""LeRobot's features as this project's state entries, cameras and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clam_core.data import lerobot_format as form
from clam_core.data.importers.specs import numbered
from clam_core.data.importing import EpisodeError

_NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")


def state_features(features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Observations that are vectors of numbers, ``observation.state`` first; together they are the state."""
    found = [
        name
        for name, feature in features.items()
        if name.startswith("observation.") and feature.get("dtype") in _NUMBERS and len(feature.get("shape", ())) == 1
    ]
    return sorted(found, key=lambda name: name != form.STATE)


def entry_names(features: Mapping[str, Mapping[str, Any]], chosen: Sequence[str]) -> tuple[str, ...]:
    """Names of the entries of the features `chosen`: their own; numbered after the feature where it names none.

    Entries of the same name are told apart by their feature's: ``state/gripper``, ``effort/gripper``.
    """
    own = {name: _names_of(name, features[name]) for name in chosen}
    flat = [entry for entries in own.values() for entry in entries]
    if len(set(flat)) < len(flat):
        flat = [
            f"{_leaf(name)}/{i}:{e}" if own[name].count(e) > 1 else f"{_leaf(name)}/{e}"
            for name in chosen
            for i, e in enumerate(own[name])
        ]
    return tuple(flat)


def _names_of(name: str, feature: Mapping[str, Any]) -> list[str]:
    count, names = int(feature["shape"][0]), feature.get("names")
    if isinstance(names, Mapping):  # {"motors": [...]}, of older datasets
        names = [entry for part in names.values() for entry in (part if isinstance(part, list) else [part])]
    if isinstance(names, list) and len(names) == count and all(isinstance(entry, str) for entry in names):
        return list(names)
    return list(numbered(_leaf(name), count))


def _leaf(name: str) -> str:
    return name.removeprefix("observation.")


def camera_sizes(features: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, tuple[int, int]]]:
    """Color cameras: name → (feature, (height, width) [pixels]). A depth image is no camera."""
    found = {}
    for name, feature in features.items():
        if feature.get("dtype") not in ("image", "video") or _is_depth(feature):
            continue
        shape = [int(side) for side in feature["shape"]]
        if len(shape) != 3:
            continue
        size = (shape[1], shape[2]) if shape[0] in (1, 3) and shape[2] not in (1, 3) else (shape[0], shape[1])
        short = name.removeprefix(form.CAMERA_PREFIX).removeprefix("observation.").replace("/", ".")
        found[short] = (name, size)
    return found


def _is_depth(feature: Mapping[str, Any]) -> bool:
    info = feature.get("info") or feature.get("video_info") or {}
    return bool(info.get("video.is_depth_map") or info.get("is_depth_map"))


def column(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Numbers of a column, ``(N,)`` or ``(N, D)``.

    Raises:
        EpisodeError: it is missing, does not hold numbers, or rows are empty or of unequal lengths.
    """
    if name not in table.column_names:
        raise EpisodeError(f"without '{name}'")
    values = table[name].combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks else pa.array([], values.type)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if values.null_count:
        raise EpisodeError(f"'{name}' has {values.null_count} empty rows")
    rows = len(values)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        widths = np.unique(values.value_lengths().to_numpy(zero_copy_only=False))
        if len(widths) > 1:
            raise EpisodeError(f"'{name}' has rows of {widths[0]} and of {widths[-1]} entries")
        values = values.flatten()
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise EpisodeError(f"'{name}' has type {kind}, expected numbers")
    if values.null_count:
        raise EpisodeError(f"'{name}' has {values.null_count} empty entries")
    flat = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.asarray(flat.reshape(rows, -1) if len(flat) != rows else flat)
