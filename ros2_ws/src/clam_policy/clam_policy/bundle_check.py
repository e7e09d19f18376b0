"""What the checks of `clam_core.doctor` need to know of a bundle and of the graph that a node sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState

from clam_core.data.images import decode
from clam_core.doctor.heard import Heard, JointNames, Needs, Seen
from clam_core.spec import Observation
from clam_policy.assembly import Assembly, Seeing
from clam_policy.hearing import Hearing
from clam_policy.observation_join import Together
from clam_policy.policy_runner import Refused
from clam_ros import names
from clam_ros.images import ImageReader
from clam_ros.messages import MessageRefused

LOOKS, SHORTEST = 10, 2.0  # control periods, and seconds, that a look at the graph takes at least

IMAGES = {"raw": (names.IMAGE, Image), "compressed": (names.COMPRESSED, CompressedImage)}
IMAGE_TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}
#: Name of a message type → its class.
MESSAGES = {name: IMAGES[images][1] for images, name in IMAGE_TYPES.items()}


class Chunking(Seeing, Protocol):
    """What is needed of `clam_core.deploy.Policy`."""

    @property
    def chunk(self) -> int: ...


@dataclass(frozen=True)
class Moment:
    """What was heard up to now, not looked into yet, as that takes a while."""

    heard: Heard
    newest: dict[str, Any]


def camera_topics(policy: Seeing, images: str) -> dict[str, str]:
    """Topic → camera, for `images` ``raw`` or ``compressed``."""
    return {IMAGES[images][0].format(name=camera): camera for camera in policy.cameras}


def needs_of(policy: Chunking, topic: str, images: str, max_age: float) -> Needs:
    """What `policy` must be shown, with its state from `topic`."""
    cameras = camera_topics(policy, images)
    each = topic == names.OBSERVATION and not cameras
    spec, chunk = policy.spec, policy.chunk
    return Needs(spec, chunk, topic, policy.state_names, cameras, IMAGE_TYPES[images], max_age, each)


def window_of(needs: Needs) -> float:
    """How long to listen at least [s]."""
    return max(SHORTEST, LOOKS / needs.spec.rate)


def take(node: Node, needs: Needs, hearing: Hearing, own_commanders: int) -> Moment:
    """What `hearing` heard, and what `node` sees of the graph; to be called by the node's thread."""
    graph = {
        name: types[0] for name, types in node.get_topic_names_and_types() if types and node.count_publishers(name)
    }
    offered = {
        topic: tuple(info.topic_type for info in node.get_publishers_info_by_topic(topic)) for topic in needs.types
    }
    heard = Heard(
        now=node.get_clock().now().nanoseconds,
        seconds=hearing.window,
        streams=hearing.streams(),
        offered=offered,
        topics=graph,
        namespace=node.get_namespace(),
        use_sim_time=bool(node.get_parameter("use_sim_time").value),
        clock_publishers=node.count_publishers("/clock"),
        # Unlike count_publishers these heed remappings.
        command_listeners=len(node.get_subscriptions_info_by_topic(names.COMMAND)),
        other_commanders=max(0, len(node.get_publishers_info_by_topic(names.COMMAND)) - own_commanders),
    )
    return Moment(heard, dict(hearing.newest))


def understand(policy: Chunking, needs: Needs, moment: Moment) -> tuple[Heard, Observation | None]:
    """The messages of `moment`, read; and what the policy would be shown of them, if they are all there and sound."""
    sizes = {camera.name: (camera.height, camera.width) for camera in needs.spec.observation.cameras}
    joints = {
        topic: JointNames(tuple(message.name), tuple(message.position))
        for topic, message in moment.newest.items()
        if isinstance(message, JointState)
    }
    seen = {
        camera: _look(moment.newest[topic], needs.image_type, sizes[camera])
        for topic, camera in needs.cameras.items()
        if topic in moment.newest
    }
    return replace(moment.heard, joints=joints, seen=seen), _observation(policy, needs, moment)


def _look(data: bytes, kind: str, size: tuple[int, int]) -> Seen:
    compressed = MESSAGES[kind] is CompressedImage
    try:
        message: Any = deserialize_message(data, MESSAGES[kind])
        if compressed:
            height, width = decode(bytes(message.data)).shape[:2]
            encoding = message.format or "compressed"
        else:
            height, width, encoding = message.height, message.width, message.encoding
        picture = ImageReader(*size, compressed=compressed).read(data)
    except (MessageRefused, ValueError) as error:
        return Seen(problem=str(error))
    return Seen(height, width, encoding, picture)


def _observation(policy: Chunking, needs: Needs, moment: Moment) -> Observation | None:
    if any(topic not in moment.newest for topic in needs.types):
        return None
    compressed = MESSAGES[needs.image_type] is CompressedImage
    assembly = Assembly(policy, needs.state_topic, dict(needs.cameras), compressed, log=lambda _: None)
    messages = {topic: moment.newest[topic] for topic in needs.types}
    try:
        if needs.state_topic:
            messages[needs.state_topic] = assembly.read_state(messages[needs.state_topic])
        sample = assembly.sample(Together(moment.heard.now, messages))
    except (MessageRefused, Refused):
        return None  # a check of its own says why
    return {"state": sample.state, **sample.images}
