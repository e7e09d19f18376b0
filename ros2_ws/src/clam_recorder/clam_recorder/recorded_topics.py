"""Which topics an episode is made of: those of a simulator, or those of a robot with its cameras."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clam_core.errors import ClamError
from clam_ros import names

JOINT_STATE, TRAJECTORY = "sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory"
STRING = "std_msgs/msg/String"
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"

DIAGNOSTICS = "/diagnostics"

SESSIONS = ("simulator", "robot")
IMAGES = ("compressed", "raw")
JOINT_RATE, CAMERA_RATE = 50.0, 30.0  # [Hz] of the arm driver and of most cameras

#: Types of CLAM's own topics; those of others are written `topic:package/msg/Type` or looked up in the graph.
TYPES = {
    names.OBSERVATION: JOINT_STATE,
    names.COMMAND: TRAJECTORY,
    names.STATUS: JOINT_STATE,
    names.ACTION_CHUNK: TRAJECTORY,
    names.JOINT_STATES: JOINT_STATE,
    DIAGNOSTICS.lstrip("/"): "diagnostic_msgs/msg/DiagnosticArray",
    names.RECORD_MARK: STRING,
}

#: Types whose first field is a header, so that their stamp can be read without decoding them.
STAMPED = (JOINT_STATE, TRAJECTORY, IMAGE, COMPRESSED, CAMERA_INFO_TYPE)


@dataclass(frozen=True)
class RecordedTopic:
    """One topic of an episode. `kind` is its message type, empty until somebody publishes it.

    An episode begins only when somebody publishes it, unless it is `optional`, and when it comes at `rate` [Hz] if
    that is not None. Publishers of a `sensor` are presumed to be best effort until they are seen.
    """

    topic: str
    kind: str = ""
    rate: float | None = None
    optional: bool = False
    sensor: bool = False


def session_topics(
    session: str, cameras: Iterable[str], images: str = "compressed", camera_rate: float = CAMERA_RATE
) -> list[RecordedTopic]:
    """What a session of `cameras` is made of, in the order of the bag; their rate [Hz] may be 0 for any."""
    cameras = [camera for camera in cameras if camera]
    if session == "simulator":
        streams = [names.OBSERVATION, names.COMMAND, names.STATUS]
        raw = [RecordedTopic(names.IMAGE.format(name=camera), IMAGE) for camera in cameras]
        return [*(RecordedTopic(name, TYPES[name]) for name in streams), *raw]
    topic, kind = (names.COMPRESSED, COMPRESSED) if images == "compressed" else (names.IMAGE, IMAGE)
    return [
        RecordedTopic(names.JOINT_STATES, JOINT_STATE, JOINT_RATE),
        RecordedTopic(names.COMMAND, TRAJECTORY),
        *(RecordedTopic(topic.format(name=camera), kind, camera_rate or None, sensor=True) for camera in cameras),
        *(
            RecordedTopic(names.CAMERA_INFO.format(name=camera), CAMERA_INFO_TYPE, optional=True, sensor=True)
            for camera in cameras
        ),
        RecordedTopic(DIAGNOSTICS, TYPES["diagnostics"], optional=True),
    ]


def with_topics(default: Sequence[RecordedTopic], entries: Iterable[str]) -> list[RecordedTopic]:
    """`default`, or what `entries` name instead: ``topic`` or ``topic:package/msg/Type``.

    One that is in `default`, with or without a slash before it, keeps what is required of it.
    """
    known = {item.topic.lstrip("/"): item for item in default}
    chosen = []
    for entry in filter(None, entries):
        topic, _, kind = entry.partition(":")
        plain = topic.lstrip("/")
        item = known.get(plain) or RecordedTopic(topic, TYPES.get(plain, ""))
        chosen.append(replace(item, topic=topic, kind=kind or item.kind))
    # Cameras are parameters of their own, and stay.
    named = {item.topic.lstrip("/") for item in chosen}
    cameras = (item for item in default if item.topic.startswith("camera/") and item.topic not in named)
    return [*chosen, *cameras] if chosen else list(default)


def with_rates(topics: Sequence[RecordedTopic], entries: Iterable[str]) -> list[RecordedTopic]:
    """`topics` with the rates that `entries` require, ``topic:hz``; 0 requires none.

    Raises:
        ClamError: an entry is not of that form, or names no recorded topic.
    """
    rates = {item.topic: item.rate for item in topics}
    for entry in filter(None, entries):
        topic, _, text = entry.rpartition(":")
        try:
            rate = float(text)
        except ValueError:
            rate = -1.0
        if not topic or not 0.0 <= rate < float("inf"):
            raise ClamError(f"`required` holds '{entry}': write topic:hz, such as joint_states:50; 0 for any rate")
        if topic not in rates:
            raise ClamError(f"`required` names '{topic}', which is not recorded: {', '.join(rates)}")
        rates[topic] = rate or None
    return [replace(item, rate=rates[item.topic]) for item in topics]
