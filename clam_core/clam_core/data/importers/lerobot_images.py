"""Images of a LeRobot episode: frames of a video, or PNG and JPEG bytes in its rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clam_core.data.images import decode, resize
from clam_core.data.importers.lerobot_features import camera_sizes
from clam_core.data.importers.lerobot_meta import Entry, Meta
from clam_core.data.importing import EpisodeError
from clam_core.data.videos import VideoError, read_frames
from clam_core.spec import CameraSpec


def read_images(meta: Meta, entry: Entry, table: pa.Table, feature: str, camera: CameraSpec) -> npt.NDArray[np.uint8]:
    """``(N, H, W, 3)`` images of `feature` at the size of `camera`; one at a time, so that large ones need no room.

    Raises:
        EpisodeError: an image or a frame is missing or damaged.
    """
    images = np.empty((entry.length, camera.height, camera.width, 3), dtype=np.uint8)
    if feature in entry.videos:
        file, begin = entry.videos[feature]
        height, width = next(size for name, size in camera_sizes(meta.features).values() if name == feature)
        try:
            frames = read_frames(file, height, width, meta.fps, round(begin * meta.fps), entry.length)
            for number, frame in enumerate(frames):
                images[number] = resize(frame, camera.height, camera.width)
        except VideoError as error:
            raise EpisodeError(f"camera '{camera.name}': {error}") from error
        return images
    if feature not in table.column_names:
        raise EpisodeError(f"without '{feature}'")
    for number, value in enumerate(table[feature]):
        try:
            data = (value.as_py() or {}).get("bytes")
            if data is None:
                raise ValueError("without its bytes; LeRobot embeds them when a dataset is finalized")
            images[number] = resize(decode(data, (camera.height, camera.width)), camera.height, camera.width)
        except (ValueError, AttributeError) as error:
            raise EpisodeError(f"image {number} of camera '{camera.name}': {error}") from error
    return images
