"""Images as messages.

Writing: assigning `bytes` to an Image costs rclpy ten times what an `array` does, and a copy of a 640x480 image into
new memory about half a millisecond: there is only the one into the `array`. Reading: as `clam import rosbag` reads them
out of a bag, so that a policy sees live what it saw in training.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from clam_core.data.bag_images import stamp_of, to_rgb
from clam_core.data.images import decode, resize
from clam_ros.messages import MessageRefused
from clam_ros.stamps import set_stamp

__all__ = ["ImageReader", "ImageWriter", "stamp_of", "to_array"]


class ImageWriter:
    """Builds Image messages of one camera. Not thread-safe: the message is reused.

    `frame_id` is ``<camera>_optical_frame`` unless given. `encoding` is ``rgb8`` for uint8 ``(H, W, 3)``, ``16UC1``
    for depth [mm], uint16 ``(H, W)``.
    """

    def __init__(self, camera: str, frame_id: str = "", encoding: str = "rgb8") -> None:
        self._message = Image(encoding=encoding, is_bigendian=0)
        self._message.header.frame_id = frame_id or f"{camera}_optical_frame"

    def message(self, stamp: int, image: npt.NDArray[Any]) -> Image:
        """The message with `stamp` [ns] and `image`; valid until the next call."""
        set_stamp(self._message.header.stamp, stamp)
        height, width = image.shape[:2]
        self._message.height, self._message.width, self._message.step = height, width, image.nbytes // height
        self._message.data = to_array(image)
        return self._message


class ImageReader:
    """Serialized Image or CompressedImage messages → RGB ``(height, width, 3)`` uint8.

    Serialized, because turning every frame of a 640x480 camera into a Python message costs more than what a policy
    looks at is worth: `stamp_of` reads the stamp without. `how` says what was done to the last image.
    """

    def __init__(self, height: int, width: int, *, compressed: bool) -> None:
        self._size = height, width
        self._compressed = compressed
        self.how = ""

    def read(self, data: bytes) -> npt.NDArray[np.uint8]:
        """The image.

        Raises:
            MessageRefused: no image of an encoding that is known, or a damaged one.
        """
        try:
            if self._compressed:
                image = decode(bytes(deserialize_message(data, CompressedImage).data), at_least=self._size)
            else:
                image = to_rgb(deserialize_message(data, Image))
            seen = f"{image.shape[1]}x{image.shape[0]}"
            self.how = (
                seen if image.shape[:2] == self._size else f"{seen} → {self._size[1]}x{self._size[0]}, its middle"
            )
            return resize(image, *self._size)
        except ValueError as error:
            raise MessageRefused(str(error)) from error


def to_array(values: npt.NDArray[Any]) -> array[int]:
    """The bytes of `values`, row by row, as what rclpy takes without looking at each of them."""
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).data.cast("B"))
    return data
