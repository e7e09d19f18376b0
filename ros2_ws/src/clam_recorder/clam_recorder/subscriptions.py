"""Hears the topics of an episode raw, each as soon as its type is known and with a QoS that its publishers match."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy

from clam_core.errors import ClamError
from clam_recorder.recorded_topics import RecordedTopic
from clam_ros.node import Node
from clam_ros.qos import COLLECT

BEST_EFFORT = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
ENDPOINT_QOS = {True: BEST_EFFORT, False: COLLECT}


class Subscriptions:
    """Subscriptions of `node` to `topics` (absolute names), calling ``on_message(topic, data)``.

    Call `discover` now and then.
    """

    def __init__(self, node: Node, topics: Sequence[RecordedTopic], on_message: Callable[[str, bytes], None]) -> None:
        self.topics = {item.topic: item for item in topics}
        self.types: dict[str, str] = {}
        self._node = node
        self._on_message = on_message
        self._subscribed: dict[str, tuple[Any, bool]] = {}  # subscription, whether it is best effort
        self._heard: set[str] = set()
        #: Topics that cannot be heard, and why.
        self.left_out: dict[str, str] = {}

    def discover(self) -> None:
        """Subscribe to what is not subscribed yet, or not as its publishers want; of an optional topic only then.

        A topic of a type that is not installed is left out, with a warning: an episode of the others may be running.
        """
        silent = [topic for topic in self.topics if topic not in self._heard | self.left_out.keys()]
        graph = dict(self._node.get_topic_names_and_types()) if silent else {}
        for topic in silent:
            kind = self.types.get(topic) or self.topics[topic].kind or next(iter(graph.get(topic, ())), "")
            if not kind or (self.topics[topic].optional and topic not in graph):
                continue
            best_effort = self._publishers_are_best_effort(topic)
            known = self._subscribed.get(topic)
            if known is not None and known[1] == best_effort:
                continue
            try:
                message = message_class(kind)
            except ClamError as error:
                self.left_out[topic] = str(error)
                self._node.get_logger().warning(f"'{topic}' is not recorded: {error}")
                continue
            if known is not None:
                self._node.destroy_subscription(known[0])
            callback = partial(self._receive, topic)
            subscription = self._node.create_subscription(message, topic, callback, ENDPOINT_QOS[best_effort], raw=True)
            self._subscribed[topic] = subscription, best_effort
            self.types[topic] = kind

    def close(self) -> None:
        """Destroy them."""
        for subscription, _ in self._subscribed.values():
            self._node.destroy_subscription(subscription)
        self._subscribed.clear()

    def unpublished(self) -> list[str]:
        """Topics that an episode needs and nobody publishes."""
        needed = (topic for topic, item in self.topics.items() if not item.optional)
        return [topic for topic in needed if not self._node.count_publishers(topic)]

    def check_complete(self) -> None:
        """Raises `ClamError` when a topic that an episode needs is left out."""
        for topic, why in self.left_out.items():
            if not self.topics[topic].optional:
                raise ClamError(f"'{topic}' cannot be recorded: {why}")

    def _receive(self, topic: str, data: bytes) -> None:
        self._heard.add(topic)
        self._on_message(topic, data)

    def _publishers_are_best_effort(self, topic: str) -> bool:
        """A reliable reader would not match them."""
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers:
            return self.topics[topic].sensor
        return any(info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for info in publishers)


def message_class(kind: str) -> type:
    """The class of message type `kind`.

    Raises:
        ClamError: it is not installed.
    """
    package, _, name = kind.partition("/msg/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ClamError(f"message type '{kind}' is not installed ({error}): check parameter `topics`") from error
