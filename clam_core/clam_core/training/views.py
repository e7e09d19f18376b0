"""Pictures of training that a bundle carries, so that a robot's cameras can be compared with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from clam_core.deploy.camera_view import CameraView, Picture
from clam_core.deploy.view_calibration import calibrate
from clam_core.methods.stage import Datasets
from clam_core.training.transitions import RawEpisodes

BEGINNINGS = 4  # of episodes
LATER = 4  # pictures: without them the view would take an arm that has moved for another view
OTHERS = 16  # pictures that say which threshold training's own pictures pass


def training_views(data: Datasets, cameras: Sequence[str]) -> dict[str, CameraView]:
    """The view of each of `cameras`, from the demonstrations if there are any; the same for the same data."""
    episodes = next((e for e in (data.expert, data.labeled, data.unlabeled) if e is not None), None)
    if episodes is None or episodes.frames is None or not cameras:
        return {}
    kept = _rows(episodes, BEGINNINGS, LATER)
    others = _rows(episodes, OTHERS // 2, OTHERS // 2, skip=kept)
    pictures, right = (_pictures(episodes, rows) for rows in (kept, others))
    return {
        name: calibrate(
            pictures[camera],
            list(right[camera]),
            [picture for other in range(len(cameras)) if other != camera for picture in pictures[other]],
        )
        for camera, name in enumerate(cameras)
    }


def _rows(
    episodes: RawEpisodes, beginnings: int, later: int, skip: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """Rows of frames: `beginnings` of episodes, then `later` ones, evenly spread over episodes and their time.

    Those of `skip` are left out.
    """
    lengths = np.array([len(states) for states in episodes.states])
    starts = np.array(episodes.frame_starts)
    first = starts[_spread(len(starts), beginnings, 0.0 if skip is None else 0.5)]
    which = _spread(len(starts), later, 0.5 if skip is None else 0.0)
    share = (np.arange(len(which)) + 1) / len(which)
    share = share if skip is None else share[::-1] - 0.5 / len(which)  # other episodes at other times
    rows = np.concatenate([first, starts[which] + np.round(share * (lengths[which] - 1)).astype(np.int64)])
    rows = np.array(list(dict.fromkeys(rows.tolist())), dtype=np.int64)
    return rows if skip is None else rows[~np.isin(rows, skip)]


def _spread(count: int, wanted: int, shift: float) -> npt.NDArray[np.int64]:
    """At most `wanted` numbers below `count`, evenly spread; `shift` moves them by a part of their distance."""
    wanted = min(count, wanted)
    return np.floor((np.arange(wanted) + shift) * count / wanted).astype(np.int64)


def _pictures(episodes: RawEpisodes, rows: npt.NDArray[np.int64]) -> list[Picture]:
    """Of each camera ``(N, H, W, 3)``."""
    assert episodes.frames is not None
    channels, height, width = episodes.frames.shape
    if not len(rows):
        return [np.empty((0, height, width, 3), dtype=np.uint8)] * (channels // 3)
    images = episodes.frames.rows(torch.from_numpy(rows)).cpu().numpy()
    apart = images.reshape(len(rows), channels // 3, 3, height, width).transpose(1, 0, 3, 4, 2)
    return [np.ascontiguousarray(camera) for camera in apart]
