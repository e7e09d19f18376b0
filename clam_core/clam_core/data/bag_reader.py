"""A rosbag2 folder as arrays: the messages that make an episode, and ``episode.yaml``. No judgement yet."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from clam_core.data.bag_description import read_description
from clam_core.data.bag_images import COMPRESSED, IMAGE, stamp_of
from clam_core.data.bag_integrity import check_files, check_messages, is_bag, storage_files
from clam_core.data.bag_recovery import recover
from clam_core.data.bag_topics import TopicNames, Topics, camera_topics_of
from clam_core.data.importing import EpisodeError
from clam_core.errors import ClamError

_JOINT_STATE, _JOINT_TRAJECTORY = "sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Series:
    """N messages of one topic that each carry the same `names` ``(D,)`` in the order of the bag.

    `values` ``(N, D)``; `stamps` ``(N,)`` [ns] from the headers and `received` ``(N,)`` [ns] by the recorder.
    """

    names: tuple[str, ...]
    stamps: npt.NDArray[np.int64]
    received: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Values of `name` ``(N,)``."""
        return self.values[:, self.names.index(name)]


@dataclass
class CameraStream:
    """When the N frames of a camera were taken; the frames stay in the bag.

    `stamps` ``(N,)`` [ns] from the headers and `received` ``(N,)`` [ns] by the recorder.
    """

    topic: str
    stamps: npt.NDArray[np.int64]
    received: npt.NDArray[np.int64]


@dataclass
class Recording:
    """What a bag holds. `topics` are all that are in it; a series is None where its topic has no messages."""

    bag: Path
    topics: dict[str, str]
    state: Series | None
    command: Series | None
    status: Series | None
    recovered: bool
    names: TopicNames
    description: dict[str, Any] = field(default_factory=dict)
    cameras: dict[str, CameraStream] = field(default_factory=dict)

    def listed_topics(self) -> str:
        """All topics for an error line."""
        return ", ".join(sorted(self.topics)) or "no topic"


def find_bags(source: Path) -> list[Path]:
    """Bag folders: `source` itself, or those directly inside it, sorted by name.

    Raises:
        ClamError: `source` does not exist or holds no bag.
    """
    if not source.is_dir():
        raise ClamError(f"no folder at '{source}'; give a bag folder, or a folder of bag folders")
    if is_bag(source):
        return [source.resolve()]  # its name is the episode's, and "." is none
    bags = sorted(folder for folder in source.iterdir() if is_bag(folder))
    if not bags:
        deeper = deeper_bags(source)
        hint = f"there are some in '{deeper[0].parent}'" if deeper else "record some"
        raise ClamError(f"no rosbag2 folder in '{source}'; {hint}, or give another folder")
    return bags


def deeper_bags(source: Path) -> list[Path]:
    """Bags one level further down than `find_bags` looks."""
    return sorted(path for path in source.glob("*/*") if not path.parent.name.startswith(".") and is_bag(path))


def read_bag(bag: Path, topics: Topics) -> Recording:
    """Read one bag folder. An unfinished one (killed recorder) is read up to its last complete record.

    Raises:
        EpisodeError: the bag is corrupt or not what its recorder wrote, or a message of an expected topic has another
            type or changes its names.
        ClamError: there is no room, on the disk or in memory, to read it.
    """
    try:
        description, recorded = read_description(bag), check_files(bag)
    except ClamError as error:
        raise EpisodeError(str(error)) from error
    with open_bag(bag) as (reader, recovered), parsing():
        in_bag = {connection.topic: connection.msgtype for connection in reader.connections}
        if recorded is not None:
            check_messages(recorded, _counts(reader))
        names = TopicNames.of_bag(in_bag, topics)
        messages = {
            topic: _read_series(reader, topic, kind)
            for topic, kind in (
                (names.state, _JOINT_STATE),
                (names.command, _JOINT_TRAJECTORY),
                (names.status, _JOINT_STATE),
            )
        }
        wanted = camera_topics_of(in_bag, names.namespace) | topics.cameras
        cameras = {name: _read_camera(reader, topic) for name, topic in wanted.items()}
    return Recording(
        bag=bag,
        topics=in_bag,
        state=messages[names.state],
        names=names,
        command=messages[names.command],
        status=messages[names.status],
        recovered=recovered,
        description=description,
        cameras={name: stream for name, stream in cameras.items() if stream is not None},
    )


@contextmanager
def open_bag(bag: Path) -> Iterator[tuple[Reader, bool]]:
    """A reader of bag folder `bag`, and whether that is what could be recovered of an unfinished one.

    Raises:
        EpisodeError: the bag is corrupt, or not one finished or unfinished recording.
        ClamError: there is no room to read it.
    """
    with ExitStack() as stack:
        with parsing():
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="clam-bag-"))
            recovered = recover(bag, Path(scratch))
            reader = stack.enter_context(Reader(recovered or bag))
        yield reader, recovered is not None


@contextmanager
def parsing() -> Iterator[None]:
    """Around what reads messages: whatever the parsers stumble over is an EpisodeError of that bag.

    Raises:
        EpisodeError: the bag is corrupt, or may not be read.
        ClamError: the machine is short of memory or of room for temporary files; no bag's fault.
    """
    try:
        yield
    except EpisodeError:
        raise
    except ClamError as error:
        raise EpisodeError(str(error)) from error
    except MemoryError as error:
        mend = "close other programs, or import smaller images or a lower rate (--image-size, --rate)"
        raise ClamError(f"not enough memory to read the bag ({_one_line(error)}): {mend}") from error
    except PermissionError as error:
        raise EpisodeError(f"it cannot be read ({_one_line(error)})") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ClamError(f"{_one_line(error)}: make room, or set TMPDIR to a folder on a larger disk") from error
        raise EpisodeError(f"the bag is corrupt ({_one_line(error)})") from error
    except Exception as error:  # rosbags raises whatever a damaged file makes its parsers stumble over
        raise EpisodeError(f"the bag is corrupt ({_one_line(error)})") from error


def bag_hash(bag: Path) -> str:
    """SHA-256 over the storage files of `bag`, in order of their names."""
    digest = hashlib.sha256()
    for file in storage_files(bag):
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(2**20), b""):
                digest.update(block)
    return digest.hexdigest()


def _counts(reader: Reader) -> Counter[str]:
    counts: Counter[str] = Counter()
    for connection in reader.connections:
        counts[connection.topic] += connection.msgcount
    return counts


def _read_series(reader: Reader, topic: str, kind: str) -> Series | None:
    connections = [connection for connection in reader.connections if connection.topic == topic]
    if any(connection.msgtype != kind for connection in connections):
        raise EpisodeError(f"topic '{topic}' has type {connections[0].msgtype}, expected {kind}")
    if not connections:
        return None
    typestore = get_typestore(Stores.ROS2_JAZZY)
    names: tuple[str, ...] | None = None
    stamps: list[int] = []
    received: list[int] = []
    values: list[npt.NDArray[np.float64]] = []
    for _, time, data in reader.messages(connections):
        message: Any = typestore.deserialize_cdr(data, kind)
        message_names, row = _content(message, kind, topic)
        if names is None:
            names = message_names
        elif message_names != names:
            raise EpisodeError(
                f"names in '{topic}' change at message {len(stamps)}: {difference(names, message_names)}"
            )
        stamps.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)
        received.append(time)
        values.append(row)
    if names is None:
        return None
    return Series(names, np.array(stamps, np.int64), np.array(received, np.int64), np.array(values, np.float64))


def _read_camera(reader: Reader, topic: str) -> CameraStream | None:
    connections = [connection for connection in reader.connections if connection.topic == topic]
    if any(connection.msgtype not in (IMAGE, COMPRESSED) for connection in connections):
        raise EpisodeError(f"topic '{topic}' has type {connections[0].msgtype}, expected {IMAGE} or {COMPRESSED}")
    times = [(stamp_of(data), received) for _, received, data in reader.messages(connections)] if connections else []
    if not times:
        return None
    stamps, received = np.array(times, dtype=np.int64).T
    return CameraStream(topic, stamps, received)


def _content(message: Any, kind: str, topic: str) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Names and values of one message."""
    if kind == _JOINT_STATE:
        names, row = tuple(message.name), np.asarray(message.position, dtype=np.float64)
    else:
        if not message.points:
            raise EpisodeError(f"a message of '{topic}' has no point")
        if len(message.points) > 1:  # which of them the robot followed, and when, is not told
            count = len(message.points)
            raise EpisodeError(f"a message of '{topic}' has {count} points; record the one-point command")
        names, row = tuple(message.joint_names), np.asarray(message.points[0].positions, dtype=np.float64)
    if not names:
        raise EpisodeError(f"a message of '{topic}' names nothing")
    if len(names) != len(row):
        raise EpisodeError(f"a message of '{topic}' has {len(names)} names but {len(row)} values")
    if len(set(names)) != len(names):
        raise EpisodeError(f"a message of '{topic}' names a value twice")
    return names, row


def difference(expected: Iterable[str], found: Iterable[str]) -> str:
    """What is missing and what is new, for an error line."""
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    parts = [
        f"{label} {', '.join(n[:5])}{' …' if n[5:] else ''}"
        for label, n in (("without", missing), ("with", extra))
        if n
    ]
    return "; ".join(parts) or "another order"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
