"""Camera images in a bag: which topics are cameras, and their frames as RGB arrays of one size."""

from __future__ import annotations

import os
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from clam_core.data.images import decode, resize
from clam_core.data.importing import EpisodeError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_RAW = ("image", "image_raw", "image_color", "image_rect", "image_rect_color")
_GENERIC = ("camera", *_RAW, "color", "rgb", "compressed")  # says nothing about which camera it is
_DEPTH = ("depth", "compressedDepth", "disparity", "mask", "aligned_depth_to_color")
_THREADS = min(4, os.cpu_count() or 1)  # OpenCV decodes without Python's lock

#: Encoding of a raw image → its channels, and OpenCV's conversion to RGB.
_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
}


def camera_topics(topics: dict[str, str]) -> dict[str, str]:
    """Camera name → topic, of all `topics` (name → type). Depth is left out; raw images go before compressed ones."""
    found: dict[str, str] = {}  # by what stands before the kind of image
    for kind in (COMPRESSED, IMAGE):
        for topic in sorted(name for name, message in topics.items() if message == kind):
            if not set(topic.split("/")) & set(_DEPTH):
                found[_base(topic)] = topic
    names = Counter(camera_name(base) for base in found)
    cameras: dict[str, str] = {}
    for base, topic in found.items():
        name = camera_name(base)
        if names[name] > 1:  # the whole name, that none is lost
            name = (base or topic).strip("/").replace("/", "_")
        cameras[f"{name}_2" if name in cameras else name] = topic
    return dict(sorted(cameras.items()))


def camera_name(topic: str) -> str:
    """``top`` of ``/camera/top/image_raw/compressed``: the parts that are not generic, joined by ``_``."""
    parts = [part for part in topic.split("/") if part]
    return "_".join(part for part in parts if part not in _GENERIC) or "camera"


def _base(topic: str) -> str:
    """``/camera/top`` of ``/camera/top/image_raw/compressed``: the same for all images of one camera."""
    parts = topic.split("/")
    while parts and parts[-1] in (*_RAW, "compressed"):
        parts.pop()
    return "/".join(parts)


def stamp_of(data: bytes | memoryview) -> int:
    """The header stamp [ns] of a serialized image: the first field, so the rest need not be parsed."""
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 10**9 + int(nanoseconds)


def read_frames(
    reader: Reader, topic: str, wanted: Sequence[int], size: tuple[int, int] | None
) -> npt.NDArray[np.uint8]:
    """Messages number `wanted` (ascending, may repeat) of `topic` as ``(N, H, W, 3)``, resized to `size`.

    Raises:
        EpisodeError: a frame cannot be decoded, or frames differ in size while `size` is None.
    """
    numbers, times = np.unique(np.asarray(wanted), return_counts=True)
    frames: npt.NDArray[np.uint8] | None = None
    row = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        decoded = _in_order(pool, _decoder(reader, topic, size), _messages(reader, topic, set(numbers.tolist())))
        for number, count, frame in zip(numbers.tolist(), times.tolist(), decoded, strict=True):
            if frames is None:
                frames = np.empty((len(wanted), *frame.shape), dtype=np.uint8)
            if frame.shape != frames.shape[1:]:
                raise EpisodeError(f"frame {number} of '{topic}' is {_size(frame)}, the first {_size(frames[0])}")
            frames[row : row + count] = frame
            row += count
    assert frames is not None, "no frame wanted"
    return frames


def frame_size(reader: Reader, topic: str) -> tuple[int, int]:
    """Height and width of the first frame of `topic`.

    Raises:
        EpisodeError: there is none, or it cannot be decoded.
    """
    for data in _messages(reader, topic, {0}):
        height, width, _ = _decoder(reader, topic, None)(data).shape
        return height, width
    raise EpisodeError(f"no messages on topic '{topic}'")


def _size(frame: npt.NDArray[Any]) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def _messages(reader: Reader, topic: str, wanted: set[int]) -> Iterator[bytes]:
    connections = [connection for connection in reader.connections if connection.topic == topic]
    last = max(wanted)
    for number, (_, _, data) in enumerate(reader.messages(connections)):
        if number in wanted:
            yield bytes(data)
        if number == last:
            return


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[bytes], npt.NDArray[np.uint8]], items: Iterator[bytes]
) -> Iterator[npt.NDArray[np.uint8]]:
    """``map(work, items)`` over threads, a few items ahead and no more: raw frames are large."""
    pending: deque[Future[npt.NDArray[np.uint8]]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > 2 * _THREADS:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _decoder(reader: Reader, topic: str, size: tuple[int, int] | None) -> Callable[[bytes], npt.NDArray[np.uint8]]:
    """Serialized message → RGB ``(H, W, 3)``, resized to `size`."""
    kind = next(connection.msgtype for connection in reader.connections if connection.topic == topic)
    typestore = get_typestore(Stores.ROS2_JAZZY)

    def frame(data: bytes) -> npt.NDArray[np.uint8]:
        message: Any = typestore.deserialize_cdr(data, kind)
        try:
            image = decode(bytes(message.data), at_least=size) if kind == COMPRESSED else to_rgb(message)
            return image if size is None else resize(image, *size)
        except ValueError as error:
            stamp = message.header.stamp
            raise EpisodeError(f"frame at {stamp.sec}.{stamp.nanosec:09d} s of '{topic}': {error}") from error

    return frame


def to_rgb(message: Any) -> npt.NDArray[np.uint8]:
    """A ``sensor_msgs/Image`` as RGB ``(H, W, 3)`` uint8.

    Raises:
        ValueError: an encoding that is not a colour or gray image of 8 bits, or fewer bytes than it says.
    """
    if message.encoding not in _ENCODINGS:
        raise ValueError(f"encoding '{message.encoding}' is not one of {', '.join(_ENCODINGS)}")
    channels, conversion = _ENCODINGS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.frombuffer(message.data, dtype=np.uint8)
    if not height or not width or step < width * channels or len(data) < height * step:
        raise ValueError(f"{len(data)} bytes for {width}x{height} {message.encoding} with {step} bytes per row")
    rows = data[: height * step].reshape(height, step)[:, : width * channels]
    image = np.ascontiguousarray(rows.reshape(height, width, channels))
    return np.asarray(image if conversion is None else cv2.cvtColor(image, conversion), dtype=np.uint8)
