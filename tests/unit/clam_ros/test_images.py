"""Live images are read as recorded ones are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CompressedImage, Image

from clam_core.data.bag_images import to_rgb
from clam_core.data.images import decode, resize
from clam_ros.images import ImageReader, ImageWriter, stamp_of, to_array
from clam_ros.messages import MessageRefused

STAMP = 1_700_000_000_123_456_789
PICTURE = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC
)


def image(encoding: str = "rgb8", picture: np.ndarray = PICTURE) -> Image:
    return ImageWriter("external", encoding=encoding).message(STAMP, picture)


def test_a_serialized_image_gives_its_stamp_and_the_middle_at_the_bundle_s_size() -> None:
    data = serialize_message(image())
    assert stamp_of(data) == STAMP
    reader = ImageReader(64, 64, compressed=False)
    middle = cv2.resize(np.ascontiguousarray(PICTURE[:, 80:560]), (64, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(reader.read(data), middle)
    assert reader.how == "640x480 → 64x64, its middle"


def test_raw_and_compressed_images_are_those_that_an_import_makes_of_a_recording() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    data = serialize_message(image())
    recorded = resize(to_rgb(store.deserialize_cdr(data, "sensor_msgs/msg/Image")), 84, 84)
    np.testing.assert_array_equal(ImageReader(84, 84, compressed=False).read(data), recorded)

    jpeg = cv2.imencode(".jpg", PICTURE[..., ::-1])[1]
    data = serialize_message(CompressedImage(format="jpeg", data=to_array(jpeg)))
    message = store.deserialize_cdr(data, "sensor_msgs/msg/CompressedImage")
    recorded = resize(decode(bytes(message.data), at_least=(84, 84)), 84, 84)
    np.testing.assert_array_equal(ImageReader(84, 84, compressed=True).read(data), recorded)


def test_bgr_and_gray_become_rgb() -> None:
    reader = ImageReader(480, 640, compressed=False)
    np.testing.assert_array_equal(reader.read(serialize_message(image("bgr8", PICTURE[..., ::-1]))), PICTURE)
    gray = reader.read(serialize_message(image("mono8", PICTURE[..., 0])))
    np.testing.assert_array_equal(gray, np.repeat(PICTURE[..., :1], 3, axis=2))


def test_what_is_no_colour_image_is_refused_with_the_reason() -> None:
    with pytest.raises(MessageRefused, match="encoding '16UC1' is not one of"):
        ImageReader(64, 64, compressed=False).read(
            serialize_message(image("16UC1", np.zeros((480, 640), dtype=np.uint16)))
        )
    broken = serialize_message(CompressedImage(data=to_array(np.zeros(100, dtype=np.uint8))))
    with pytest.raises(MessageRefused, match="bytes that cannot be decoded"):
        ImageReader(64, 64, compressed=True).read(broken)
