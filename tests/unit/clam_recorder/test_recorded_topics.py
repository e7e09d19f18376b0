"""Which topics an episode is made of."""

from __future__ import annotations

import pytest

from clam_core.data.bag_images import camera_name
from clam_core.errors import ClamError
from clam_recorder.recorded_topics import session_topics, with_rates, with_topics


def rates(items: object) -> dict[str, float | None]:
    return {item.topic: item.rate for item in items}  # type: ignore[attr-defined]


def test_a_robot_session_is_joints_command_cameras_and_what_explains_them() -> None:
    topics = session_topics("robot", ["front", "", "wrist"])
    assert rates(topics) == {
        "joint_states": 50.0,
        "command": None,
        "camera/front/compressed": 30.0,
        "camera/wrist/compressed": 30.0,
        "camera/front/camera_info": None,
        "camera/wrist/camera_info": None,
        "/diagnostics": None,
    }
    assert [item.topic for item in topics if item.optional] == [
        "camera/front/camera_info",
        "camera/wrist/camera_info",
        "/diagnostics",
    ]
    assert camera_name("/camera/front/compressed") == "front"


def test_raw_images_if_asked() -> None:
    (topic,) = (item for item in session_topics("robot", ["front"], "raw", 15.0) if item.rate == 15.0)
    assert (topic.topic, topic.kind) == ("camera/front/image_raw", "sensor_msgs/msg/Image")


def test_a_simulator_session_requires_no_rate() -> None:
    topics = session_topics("simulator", ["corner4"])
    assert rates(topics) == dict.fromkeys(
        ["observation/state", "command", "episode/status", "camera/corner4/image_raw"]
    )


def test_topics_by_hand_replace_the_sessions_but_not_its_cameras() -> None:
    chosen = with_topics(session_topics("robot", ["front"]), ["joint_states", "weight:std_msgs/msg/Float64", "x"])
    assert rates(chosen) == {
        "joint_states": 50.0,
        "weight": None,
        "x": None,
        "camera/front/compressed": 30.0,
        "camera/front/camera_info": None,
    }
    assert [item.kind for item in chosen[1:3]] == ["std_msgs/msg/Float64", ""]


def test_a_slash_before_a_topic_of_the_session_takes_nothing_from_it() -> None:
    default = session_topics("robot", ["front"])
    chosen = with_topics(default, ["/joint_states", "/camera/front/compressed", "joint_states:a/msg/B"])
    assert [(item.topic, item.rate) for item in chosen[:2]] == [
        ("/joint_states", 50.0),
        ("/camera/front/compressed", 30.0),
    ]
    assert chosen[0].kind == "sensor_msgs/msg/JointState" and chosen[1].sensor
    assert chosen[2].kind == "a/msg/B"
    assert [item.topic for item in chosen[3:]] == ["camera/front/camera_info"]  # its images are there already


def test_cameras_of_any_rate_are_required_at_none() -> None:
    assert rates(session_topics("robot", ["front"], camera_rate=0.0))["camera/front/compressed"] is None


def test_rates_are_required_and_waived_by_name() -> None:
    topics = session_topics("robot", [])
    assert rates(with_rates(topics, ["command:20", "joint_states:0"]))["command"] == 20.0
    assert rates(with_rates(topics, ["command:20", "joint_states:0"]))["joint_states"] is None
    with pytest.raises(ClamError, match="topic:hz"):
        with_rates(topics, ["command"])
    with pytest.raises(ClamError, match="not recorded"):
        with_rates(topics, ["comand:20"])
