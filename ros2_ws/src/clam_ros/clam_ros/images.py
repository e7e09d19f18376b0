"""Images as messages. Assigning `bytes` to an Image costs rclpy ten times what an `array` does."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image

from clam_ros.stamps import set_stamp


class ImageWriter:
    """Builds ``rgb8`` Image messages of one camera. Not thread-safe: the message is reused."""

    def __init__(self, camera: str) -> None:
        self._message = Image(encoding="rgb8", is_bigendian=0)
        self._message.header.frame_id = f"{camera}_optical_frame"

    def message(self, stamp: int, image: npt.NDArray[np.uint8]) -> Image:
        """The message with `stamp` [ns] and RGB `image` ``(H, W, 3)``; valid until the next call."""
        set_stamp(self._message.header.stamp, stamp)
        height, width, _ = image.shape
        self._message.height, self._message.width, self._message.step = height, width, 3 * width
        data = array("B")
        data.frombytes(np.ascontiguousarray(image).tobytes())
        self._message.data = data
        return self._message
