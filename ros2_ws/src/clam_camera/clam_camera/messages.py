"""Camera messages other than the plain image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, CompressedImage

from clam_camera.calibration import Calibration
from clam_core.errors import ClamError
from clam_ros.images import to_array
from clam_ros.stamps import set_stamp


class JpegWriter:
    """Builds JPEG CompressedImage messages. Not thread-safe: the message is reused.

    Raises:
        ClamError: OpenCV is missing.
    """

    def __init__(self, frame_id: str, quality: int) -> None:
        try:
            import cv2
        except ImportError as error:
            raise ClamError(
                f"JPEG needs OpenCV ({error}): pip install opencv-python-headless, or set compress to never"
            ) from error
        self._cv2 = cv2
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        # As image_transport writes it: the encoding of the image, and the order of channels inside the JPEG call.
        self._message = CompressedImage(format="rgb8; jpeg compressed bgr8")
        self._message.header.frame_id = frame_id

    def message(self, stamp: int, image: npt.NDArray[np.uint8]) -> CompressedImage:
        """The message with `stamp` [ns] and RGB `image` ``(H, W, 3)``; valid until the next call."""
        set_stamp(self._message.header.stamp, stamp)
        bgr = self._cv2.cvtColor(image, self._cv2.COLOR_RGB2BGR)
        _, encoded = self._cv2.imencode(".jpg", bgr, self._options)
        self._message.data = to_array(encoded)
        return self._message


class InfoWriter:
    """Builds CameraInfo messages. Without calibration all matrices are 0, which means uncalibrated."""

    def __init__(self, frame_id: str, width: int, height: int, calibration: Calibration | None) -> None:
        self._message = message = CameraInfo(width=width, height=height)
        message.header.frame_id = frame_id
        if calibration is not None:
            message.distortion_model = calibration.model
            message.d, message.k = list(calibration.d), list(calibration.k)
            message.r, message.p = list(calibration.r), list(calibration.p)

    def message(self, stamp: int) -> CameraInfo:
        """The message with `stamp` [ns]; valid until the next call."""
        set_stamp(self._message.header.stamp, stamp)
        return self._message
