"""What is subscribed of what the graph has, with a node that is a fake."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from std_msgs.msg import String

from clam_core.errors import ClamError
from clam_recorder.recorded_topics import RecordedTopic
from clam_recorder.subscriptions import Subscriptions


class FakeNode:
    def __init__(self) -> None:
        self.graph: dict[str, list[str]] = {}
        self.subscribed: list[tuple[type, str]] = []
        self.warnings: list[str] = []

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        return list(self.graph.items())

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return []

    def create_subscription(self, kind: type, topic: str, callback: Any, qos: Any, *, raw: bool) -> object:
        self.subscribed.append((kind, topic))
        return object()

    def get_logger(self) -> Any:
        return self

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.mark.parametrize("optional", [False, True])
def test_a_topic_of_a_type_that_is_not_installed_is_left_out_with_one_warning(optional: bool) -> None:
    node: Any = FakeNode()
    weight = RecordedTopic("/weight", optional=optional)
    subscriptions = Subscriptions(node, [weight, RecordedTopic("/text")], lambda topic, data: None)
    subscriptions.discover()
    node.graph = {"/weight": ["no_such_msgs/msg/Weight"], "/text": ["std_msgs/msg/String"]}
    for _ in range(3):
        subscriptions.discover()
    assert node.subscribed == [(String, "/text")] and subscriptions.types == {"/text": "std_msgs/msg/String"}
    (line,) = node.warnings
    assert line.startswith("'/weight' is not recorded: message type 'no_such_msgs/msg/Weight' is not installed")
    if optional:
        subscriptions.check_complete()
    else:
        with pytest.raises(ClamError, match="'/weight' cannot be recorded: message type 'no_such_msgs"):
            subscriptions.check_complete()
