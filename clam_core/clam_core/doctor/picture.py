"""What each camera saw in training beside what it sees now, as one picture for people."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from clam_core.data.images import resize
from clam_core.deploy.camera_view import CameraView, Picture
from clam_core.doctor.cameras import live_picture
from clam_core.doctor.heard import Heard, Needs

SIDE, CAPTION = 320, 24  # [pixels]
_INK, _PAPER = (30, 30, 30), 255


def side_by_side(needs: Needs, heard: Heard, views: Mapping[str, CameraView]) -> Picture:
    """A row for each camera: training | now. What is missing is gray.

    Raises:
        ValueError: the policy looks through no camera.
    """
    rows = []
    for camera in needs.cameras.values():
        view, seen = views.get(camera), heard.seen.get(camera)
        live = None if seen is None or seen.picture is None else seen.picture
        now = "live" if live is None or view is None else f"live: {view.similarity(live_picture(view, live)):.2f}"
        if view is not None:
            now += f" (at least {view.threshold:.2f})"
        cells = (_cell(f"{camera}, training", None if view is None else view.pictures[0]), _cell(now, live))
        rows.append(np.concatenate(cells, axis=1))
    if not rows:
        raise ValueError("the policy looks through no camera")
    return np.concatenate(rows, axis=0)


def _cell(caption: str, picture: Picture | None) -> Picture:
    shown = np.full((SIDE, SIDE, 3), 200, np.uint8)
    if picture is not None:
        height, width = picture.shape[:2]
        scale = SIDE / max(height, width)
        fitted = resize(picture, max(1, round(height * scale)), max(1, round(width * scale)))
        shown[: fitted.shape[0], : fitted.shape[1]] = fitted
    strip = np.full((CAPTION, SIDE, 3), _PAPER, np.uint8)
    cv2.putText(strip, caption, (4, CAPTION - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return np.concatenate([strip, shown], axis=0)
