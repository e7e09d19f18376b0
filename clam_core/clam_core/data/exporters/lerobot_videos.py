"""The video files of one camera of a LeRobot dataset (version 3.0): many episodes after each other in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from clam_core.data import lerobot_format as form
from clam_core.data.exporters.lerobot_tables import place
from clam_core.data.videos import VideoWriter, psnr, read_frames
from clam_core.spec import CameraSpec


class CameraFiles:
    """Writes a camera's frames, a new file whenever one has grown to LeRobot's size.

    Raises:
        VideoError: from any method, where a video cannot be encoded or decoded.
    """

    def __init__(self, root: Path, camera: CameraSpec, rate: float, limit_mb: float = form.VIDEO_FILE_MB) -> None:
        self.feature = form.CAMERA_PREFIX + camera.name
        self._root, self._camera, self._rate, self._limit = root, camera, rate, limit_mb * 2**20
        self._number = -1
        self._writer: VideoWriter | None = None
        self._first: npt.NDArray[np.uint8] | None = None

    def append(self, images: npt.NDArray[np.uint8]) -> dict[str, float]:
        """Add an episode's ``(N, H, W, 3)`` frames; where they went, as entries of the table of episodes."""
        if self._first is None:
            self._first = images
        if self._writer is None or _grown(self._writer.path) >= self._limit:
            self.close()
            self._number += 1
            self._writer = VideoWriter(self._path(self._number), self._camera.height, self._camera.width, self._rate)
        begin = self._writer.frames
        for image in images:
            self._writer.write(image)
        times = {"from_timestamp": begin / self._rate, "to_timestamp": self._writer.frames / self._rate}
        return {f"videos/{self.feature}/{name}": value for name, value in {**place(self._number), **times}.items()}

    def close(self) -> None:
        """Finish the last file."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def abandon(self) -> None:
        """Stop writing, whatever becomes of the file."""
        if self._writer is not None:
            self._writer.kill()
            self._writer = None

    def quality(self) -> float:
        """PSNR of the first episode [dB], read back from its file."""
        assert self._first is not None
        height, width = self._first.shape[1:3]
        frames = read_frames(self._path(0), height, width, self._rate, 0, len(self._first))
        return psnr(self._first, np.stack(list(frames)))

    def _path(self, number: int) -> Path:
        return self._root / form.VIDEO.format(video_key=self.feature, **place(number))


def _grown(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
