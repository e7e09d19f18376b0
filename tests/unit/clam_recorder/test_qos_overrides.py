"""The QoS file for `ros2 bag record` says what our own recorder uses."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_recorder.recorded_topics import IMAGES, session_topics
from clam_recorder.subscriptions import ENDPOINT_QOS
from clam_ros import names


def test_every_topic_of_a_robots_session_is_there_with_our_own_qos() -> None:
    overrides = yaml.safe_load((files("clam_recorder") / "config/qos_overrides.yaml").read_text())
    cameras = ["external", "over_shoulder"]
    topics = {item.topic for images in IMAGES for item in session_topics("robot", cameras, images)}
    assert {f"/{topic.lstrip('/')}" for topic in topics | {names.RECORD_MARK}} == set(overrides)
    for topic, values in overrides.items():
        ours = ENDPOINT_QOS[topic.startswith("/camera/")]
        assert values == {
            "history": ours.history.short_key,
            "depth": ours.depth,
            "reliability": ours.reliability.short_key,
            "durability": ours.durability.short_key if ours.durability.value else "volatile",
        }
