"""Webcams and video files through OpenCV."""

from __future__ import annotations

import os
import time
from pathlib import Path

# A webcam that hangs must not hold the capture thread for OpenCV's ten seconds. Read when OpenCV is loaded.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")

import cv2

from clam_camera.source import CameraLost, EndOfVideo, Frame, Properties, Settings
from clam_core.errors import ClamError

FILE_RATE = 30.0  # [Hz] of a video file that does not say


class OpenCVCamera:
    """`Settings.device`: an index, a device path (best a stable one, ``/dev/v4l/by-id/…``), or a video file.

    Raises:
        ClamError: the video file does not exist, or depth is asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._device = settings.device or "0"
        self._is_file = not self._device.isdigit() and not self._device.startswith("/dev/")
        if settings.depth:
            raise ClamError("camera backend 'opencv' gives no depth: set depth to false, or take realsense")
        if settings.fourcc and len(settings.fourcc) != 4:
            raise ClamError(f"fourcc '{settings.fourcc}' must have four letters, such as MJPG")
        if self._is_file and not Path(self._device).expanduser().is_file():
            raise ClamError(
                f"no video file '{self._device}': `device` is an index (0), a device path "
                "(/dev/v4l/by-id/…) or a video file"
            )
        self._capture: cv2.VideoCapture | None = None
        self._number = 0
        self._next = 0.0  # [s, monotonic] when the next frame of a file is due

    def open(self) -> Properties:
        """See `CameraSource`."""
        self.close()
        self._capture = capture = self._open_file() if self._is_file else self._open_webcam()
        width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        wanted = self._settings.width or width, self._settings.height or height
        if (width, height) != wanted:
            raise ClamError(
                f"camera '{self._device}' gives {width}x{height}, not {wanted[0]}x{wanted[1]}: "
                "choose a size that it has (v4l2-ctl --list-formats-ext), or 0"
            )
        rate = capture.get(cv2.CAP_PROP_FPS)
        if self._is_file:
            rate = self._settings.rate or rate or FILE_RATE
            self._period = 1.0 / rate
            self._next = time.monotonic()
        return Properties(width, height, max(0.0, rate))

    def read(self) -> Frame:
        """See `CameraSource`. The stamp is the kernel's where OpenCV passes it on, else that of the grab."""
        assert self._capture is not None
        if self._is_file:
            return self._read_file()
        if not self._capture.grab():
            raise CameraLost(f"camera '{self._device}' sends no frames")
        now, monotonic = time.time_ns(), time.monotonic_ns()
        stamp = capture_stamp(self._capture.get(cv2.CAP_PROP_POS_MSEC), now, monotonic)
        decoded, image = self._capture.retrieve()
        if not decoded:
            raise CameraLost(f"camera '{self._device}' sent a frame that cannot be decoded")
        return self._frame(image, stamp, None)

    def close(self) -> None:
        """See `CameraSource`."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _open_webcam(self) -> cv2.VideoCapture:
        index = self._device.isdigit()
        path = f"/dev/video{self._device}" if index else self._device
        if not os.path.exists(path):
            raise CameraLost(f"camera '{path}' is not connected")
        device: int | str = int(self._device) if index else os.path.realpath(path)
        capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraLost(f"camera '{path}' cannot be opened: another program may use it, or you lack the rights")
        settings = self._settings
        if settings.fourcc:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
            (cv2.CAP_PROP_FPS, settings.rate),
        ):
            if value:
                capture.set(key, value)
        return capture

    def _open_file(self) -> cv2.VideoCapture:
        path = Path(self._device).expanduser()
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise ClamError(f"'{path}' is no video that OpenCV can read: convert it, for example to MP4")
        return capture

    def _read_file(self) -> Frame:
        assert self._capture is not None
        decoded, image = self._capture.read()
        if not decoded and self._settings.loop and self._number:
            self._capture.release()
            self._capture = self._open_file()  # seeking back is not exact with every codec
            decoded, image = self._capture.read()
        if not decoded:
            raise EndOfVideo(f"'{self._device}' has ended")
        if self._settings.paced:
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = max(self._next, time.monotonic() - self._period) + self._period
        self._number += 1
        return self._frame(image, time.time_ns(), self._number)

    def _frame(self, image: cv2.typing.MatLike, stamp: int, number: int | None) -> Frame:
        return Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp, number)  # type: ignore[arg-type]


def capture_stamp(position: float, now: int, monotonic: int) -> int:
    """Capture time [ns since the epoch] of a webcam's frame.

    With Video4Linux, `position` (OpenCV's POS_MSEC) is the time of the frame on the monotonic clock [ms]. It is
    believed when it lies in the second before `monotonic` [ns], otherwise `now` [ns], the time of the grab, is taken.
    """
    age = monotonic - round(position * 1e6)
    return now - age if 0 <= age < 1_000_000_000 else now
