"""What the camera saw of a rollout, one picture in each step, as a video."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt

from clam_core.data.images import decode, resize

Image = npt.NDArray[np.uint8]

HEIGHT = 240  # [pixels] of the videos


class Film:
    """Pictures of one rollout at `rate` [Hz], as JPEG until the rollout is over: encoding costs a policy its time."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.pictures: list[bytes] = []
        self._begin: float | None = None

    def look(self, jpeg: bytes, now: float) -> None:
        """Keep `jpeg`, the newest picture, as often as steps have passed since the first one."""
        self._begin = now if self._begin is None else self._begin
        while len(self.pictures) <= (now - self._begin) * self.rate:
            self.pictures.append(jpeg)

    def is_due(self, now: float) -> bool:
        """Whether a step has passed since the last picture."""
        return self._begin is None or len(self.pictures) <= (now - self._begin) * self.rate


def write_video(path: Path, pictures: list[bytes], rate: float) -> None:
    """The JPEG `pictures` as MP4, whole or not at all.

    Raises:
        OSError: it cannot be written.
        ValueError: a picture is damaged, or there is none.
    """
    if not pictures:
        raise ValueError("no picture of the camera came")
    first = decode(pictures[0])
    width = 8 * round(HEIGHT * first.shape[1] / first.shape[0] / 8)
    frames = [resize(decode(jpeg, at_least=(HEIGHT, width)), HEIGHT, width) for jpeg in pictures]
    write_frames(path, frames, rate)


def write_frames(path: Path, frames: list[Image], rate: float) -> None:
    """RGB `frames` ``(H, W, 3)`` as MP4, whole or not at all; sides are multiples of 8.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    with closing(_writer(partial, rate)) as writer:
        for frame in frames:
            writer.append_data(frame)
    os.replace(partial, path)


def read_video(path: Path, height: int, width: int) -> list[Image]:
    """All frames of a video, shrunk to ``(height, width, 3)`` RGB.

    Raises:
        OSError: there is none, or it is damaged.
    """
    reader: Any = imageio.get_reader(path)
    with closing(reader):
        return [resize(np.asarray(frame), height, width) for frame in reader]


def _writer(path: Path, rate: float) -> Any:
    return imageio.get_writer(path, fps=rate, macro_block_size=8)
