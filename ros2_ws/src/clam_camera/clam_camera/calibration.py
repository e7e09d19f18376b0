"""Intrinsic calibration: the YAML file that ROS's camera_calibration writes, read and written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clam_core.errors import ClamError, did_you_mean

#: Distortion models of sensor_msgs/CameraInfo and how many coefficients they have.
MODELS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
MEND = "calibrate with camera_calibration, or leave `calibration` empty"


@dataclass(frozen=True)
class Calibration:
    """Intrinsics in the terms of sensor_msgs/CameraInfo, matrices row by row.

    `k` (3x3) camera matrix [pixels], `d` distortion coefficients of `model`, `r` (3x3) rectification,
    `p` (3x4) projection [pixels]; `width` and `height` [pixels] of the images it is for.
    """

    width: int
    height: int
    k: tuple[float, ...]
    d: tuple[float, ...]
    p: tuple[float, ...]
    r: tuple[float, ...] = IDENTITY
    model: str = "plumb_bob"


def pinhole(
    width: int, height: int, focal: tuple[float, float], centre: tuple[float, float], d: Sequence[float], model: str
) -> Calibration:
    """Calibration of one camera from focal lengths and principal point, both (x, y) [pixels]."""
    (fx, fy), (cx, cy) = focal, centre
    k = (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)
    p = (fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0)
    return Calibration(width, height, k=k, d=tuple(d), p=p, model=model)


def check_size(calibration: Calibration, width: int, height: int, path: str) -> None:
    """Raises:
    ClamError: the calibration is for images of another size [pixels].
    """
    if (calibration.width, calibration.height) != (width, height):
        raise ClamError(
            f"calibration '{path}' is for {calibration.width}x{calibration.height} images, "
            f"the camera gives {width}x{height}: calibrate at that size, or set width and height"
        )


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration file.

    Raises:
        ClamError: no such file, not YAML, a key missing, a matrix of another size, numbers that are not finite,
            or no focal length.
    """
    try:
        data = yaml.safe_load(Path(path).expanduser().read_text())
    except OSError as error:
        raise ClamError(f"cannot read calibration '{path}' ({error.strerror}): {MEND}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClamError(f"calibration '{path}' is not valid YAML ({' '.join(str(error).split())}): {MEND}") from error
    try:
        return _parse(data)
    except ClamError as error:
        raise ClamError(f"calibration '{path}': {error}") from error


def save_calibration(path: str | Path, calibration: Calibration, camera: str) -> None:
    """Write a calibration file, as camera_calibration would for the camera of that name."""
    content = {
        "image_width": calibration.width,
        "image_height": calibration.height,
        "camera_name": camera,
        "camera_matrix": _matrix(3, 3, calibration.k),
        "distortion_model": calibration.model,
        "distortion_coefficients": _matrix(1, len(calibration.d), calibration.d),
        "rectification_matrix": _matrix(3, 3, calibration.r),
        "projection_matrix": _matrix(3, 4, calibration.p),
    }
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None))


def _matrix(rows: int, columns: int, data: Sequence[float]) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in data]}


def _parse(data: Any) -> Calibration:
    if not isinstance(data, Mapping):
        raise ClamError(f"holds no 'key: value' pairs: {MEND}")
    model = _get(data, "distortion_model")
    if model not in MODELS:
        raise ClamError(f"distortion_model '{model}': {did_you_mean(str(model), MODELS)}")
    width, height = (_get(data, key) for key in ("image_width", "image_height"))
    for key, value in (("image_width", width), ("image_height", height)):
        if type(value) is not int or value <= 0:
            raise ClamError(f"{key} is {value!r}, but must be a number of pixels")
    calibration = Calibration(
        width=width,
        height=height,
        k=_numbers(data, "camera_matrix", (9,)),
        d=_numbers(data, "distortion_coefficients", MODELS[model]),
        r=_numbers(data, "rectification_matrix", (9,)),
        p=_numbers(data, "projection_matrix", (12,)),
        model=model,
    )
    if calibration.k[0] <= 0 or calibration.k[4] <= 0:
        raise ClamError(f"focal lengths are {calibration.k[0]:g} and {calibration.k[4]:g}, but must be positive")
    return calibration


def _get(data: Mapping[str, Any], key: str) -> Any:
    if key not in data:
        raise ClamError(f"'{key}' is missing: {MEND}")
    return data[key]


def _numbers(data: Mapping[str, Any], key: str, sizes: tuple[int, ...]) -> tuple[float, ...]:
    matrix = _get(data, key)
    values = matrix.get("data") if isinstance(matrix, Mapping) else None
    if not isinstance(values, list) or len(values) not in sizes:
        got = len(values) if isinstance(values, list) else "none"
        raise ClamError(f"{key} must have {' or '.join(map(str, sizes))} numbers under 'data', has {got}")
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise ClamError(f"{key} must hold numbers: {error}") from error
    if not all(map(math.isfinite, numbers)):
        raise ClamError(f"{key} is not finite: {list(numbers)}")
    return numbers
