"""Videos whose every pixel is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Video = tuple[Path, npt.NDArray[np.uint8]]


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Video]:
    """``make_video(frames=5, rate=20.0)`` writes a lossless video of noise: path and RGB frames ``(T, H, W, 3)``."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV (pip install opencv-python-headless)")

    def make(frames: int = 5, rate: float = 20.0, size: tuple[int, int] = (64, 48)) -> Video:
        path = tmp_path / f"{frames}x{rate:g}.mkv"
        images = np.random.default_rng(0).integers(0, 256, (frames, size[1], size[0], 3), dtype=np.uint8)
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), rate, size)
        for image in images:
            writer.write(image[..., ::-1])
        writer.release()
        return path, images

    return make
