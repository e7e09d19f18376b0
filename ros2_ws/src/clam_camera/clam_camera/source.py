"""What a camera is to the node: something that is opened, read frame by frame, and closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clam_camera.calibration import Calibration


class CameraLost(Exception):
    """The camera is not there, or sends nothing any more; opening it again later may help. One line."""


class EndOfVideo(Exception):
    """A video file that is not looped has no more frames."""


@dataclass(frozen=True)
class Frame:
    """One picture, which owns its memory.

    `image` is RGB ``(H, W, 3)``. `stamp` [ns since the epoch, system clock] is when it was captured. `number`
    counts up by one for each frame that the device captured, so a gap is a lost frame; None where the device does
    not count. `depth` ``(H, W)`` [mm, 0: unknown] is aligned to the image.
    """

    image: npt.NDArray[np.uint8]
    stamp: int
    number: int | None = None
    depth: npt.NDArray[np.uint16] | None = None


@dataclass(frozen=True)
class Settings:
    """What is asked of a source.

    `device` names it (serial number, index, path, camera of the kitchen; empty: the first). `width`, `height` [pixels]
    and `rate` [Hz] are 0 for the device's own. `depth` asks for aligned depth. `loop` and `paced` are for video files:
    begin again at the end; play at `rate` rather than as fast as it can be read. `fourcc` asks a webcam for a pixel
    format, such as MJPG. `namespace` is that of the node, for sources that are topics.
    """

    device: str = ""
    width: int = 0
    height: int = 0
    rate: float = 0.0
    depth: bool = False
    loop: bool = True
    paced: bool = True
    fourcc: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class Properties:
    """What an opened source gives: size [pixels], nominal rate [Hz] (0: unknown), and its own calibration."""

    width: int
    height: int
    rate: float
    calibration: Calibration | None = None


class CameraSource(Protocol):
    """A backend: made from `Settings` (a `ClamError` says what is wrong with them), used by one thread."""

    def open(self) -> Properties:
        """Find the device and start it.

        Raises:
            CameraLost: it is not there now.
            ClamError: it cannot do what `Settings` ask for.
        """

    def read(self) -> Frame:
        """The next frame; waits for it, a few seconds at most.

        Raises:
            CameraLost: none came.
            EndOfVideo: none will come.
        """

    def close(self) -> None:
        """Release the device; also when `open` failed, and twice."""
