"""Camera images of recordings: compressed bytes → RGB, and one size for all of them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

#: By how much a JPEG can be shrunk while it is decoded, most first.
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))


def resize(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[np.uint8]:
    """`image` ``(H, W, 3)`` uint8 as ``(height, width, 3)``: its middle, as much as has the new aspect ratio.

    A square of a 640x480 camera is what a square camera of the same vertical field of view sees, as those of the
    simulators are. Shrinking averages the area that each new pixel covers, so that nothing flickers between frames;
    growing interpolates linearly. Recordings and live images both go through here.

    Raises:
        ValueError: the image is not ``(H, W, 3)`` uint8, or a size is not positive.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"image of shape {image.shape} and dtype {image.dtype}, expected (H, W, 3) uint8")
    if height < 1 or width < 1:
        raise ValueError(f"size {height}x{width}, expected at least 1x1 pixels")
    if image.shape[:2] == (height, width):
        return np.array(image, dtype=np.uint8)
    image = _middle(image, height, width)
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=method), dtype=np.uint8)


def _middle(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """The largest part of `image` around its middle with the aspect ratio of `height` and `width`."""
    rows, columns = image.shape[:2]
    kept_rows, kept_columns = min(rows, round(columns * height / width)), min(columns, round(rows * width / height))
    top, left = (rows - max(kept_rows, 1)) // 2, (columns - max(kept_columns, 1)) // 2
    return image[top : top + max(kept_rows, 1), left : left + max(kept_columns, 1)]


def decode(data: bytes, at_least: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """JPEG or PNG bytes → RGB ``(H, W, 3)`` uint8. Gray becomes RGB, an alpha channel is dropped.

    Args:
        at_least: height and width to which the image will be shrunk [pixels]; a JPEG is then decoded at 1/2, 1/4
            or 1/8 of its size, as far as that is no smaller, which takes a fraction of the time.

    Raises:
        ValueError: the bytes are not an image, or a damaged one.
    """
    if not data:
        raise ValueError("an image of 0 bytes")
    flags = cv2.IMREAD_COLOR_RGB
    if at_least is not None and (size := _jpeg_size(data)) is not None:
        flags = next((flag for divisor, flag in _REDUCED if _fits(size, divisor, at_least)), flags)
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f"{len(data)} bytes that cannot be decoded as an image: {error.err}") from error
    if image is None:
        raise ValueError(f"{len(data)} bytes that cannot be decoded as an image")
    if flags != cv2.IMREAD_COLOR_RGB:
        image = image[..., ::-1]
    return np.ascontiguousarray(image, dtype=np.uint8)


def _fits(size: tuple[int, int], divisor: int, at_least: tuple[int, int]) -> bool:
    return all(have // divisor >= want for have, want in zip(size, at_least, strict=True))


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG's frame header tells; None where the bytes are no JPEG or have none."""
    if not data.startswith(b"\xff\xd8"):
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame, of any coding
            return int.from_bytes(data[place + 5 : place + 7], "big"), int.from_bytes(
                data[place + 7 : place + 9], "big"
            )
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def encode_png(image: npt.NDArray[Any]) -> bytes:
    """RGB `image` ``(H, W, 3)`` uint8 as PNG bytes; lossless.

    Raises:
        ValueError: the image is not ``(H, W, 3)`` uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image of shape {image.shape} and dtype {image.dtype}, expected (H, W, 3) uint8")
    fine, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    if not fine:
        raise ValueError(f"image of shape {image.shape} cannot be encoded as PNG")
    return bytes(data)
