"""From training's pictures of a camera to a view and its threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from clam_core.deploy.camera_view import CameraView, Picture

LENIENCE = 0.3  # where the threshold lies, from wrongly placed cameras (0) to training's own pictures (1)
MARGIN = 0.1  # that it lies below training's own at least, where the two cannot be told apart
LEAST = 0.1  # what a picture without any likeness stays below
MOVED = 1 / 8  # of the picture: what a camera of 40 to 70 degrees sees moved when it is turned by 5 to 9
ROLLED = 10.0  # [degrees]
GAINS, GAMMAS = (0.6, 1.4), (0.7, 1.4)  # light that a camera does not even out


def calibrate(pictures: Picture, right: Sequence[Picture], elsewhere: Sequence[Picture]) -> CameraView:
    """The view of a camera.

    Args:
        pictures: ``(N, H, W, 3)``, which the bundle carries.
        right: other pictures of the same camera in training, which must pass, also in another light.
        elsewhere: pictures of other cameras, which must not.
    """
    view = CameraView(pictures, 0.0, 0.0, 0.0)
    passing = right or list(pictures)
    high = min(view.similarity(lit) for picture in passing for lit in _lights(picture))
    moved = (wrong for picture in passing for wrong in _misplaced(picture))
    low = max(max(view.similarity(wrong) for wrong in moved), *(view.similarity(other) for other in elsewhere), 0.0)
    threshold = max(min(low + LENIENCE * (high - low), high - MARGIN), LEAST)
    return CameraView(pictures, threshold, high, low)


def _lights(picture: Picture) -> Iterator[Picture]:
    """`picture` as it is, darker and brighter."""
    yield picture
    unit = picture.astype(np.float32) / 255
    for changed in (*(unit * gain for gain in GAINS), *(unit**gamma for gamma in GAMMAS)):
        yield (changed.clip(0, 1) * 255).astype(np.uint8)


def _misplaced(picture: Picture) -> Iterator[Picture]:
    """`picture` as from a camera that is turned over, mirrored, or looks somewhat elsewhere."""
    yield np.ascontiguousarray(picture[::-1, ::-1])
    yield np.ascontiguousarray(picture[:, ::-1])
    height, width = picture.shape[:2]
    if height == width:
        for quarters in (1, 3):
            yield np.ascontiguousarray(np.rot90(picture, quarters))
    for angle in (-ROLLED, ROLLED):
        yield _warped(picture, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0))
    for right, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        yield _warped(picture, [[1, 0, right * MOVED * width], [0, 1, down * MOVED * height]])


def _warped(picture: Picture, matrix: object) -> Picture:
    height, width = picture.shape[:2]
    transform = np.asarray(matrix, dtype=np.float32)
    moved = cv2.warpAffine(picture, transform, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)
