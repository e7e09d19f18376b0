"""What is not as a policy needs it is a finding about the topic, with what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clam_core.doctor.finding import Finding
from clam_core.doctor.graph import clock, command, stamps, topics
from clam_core.doctor.heard import Needs, Stream

from .conftest import IMAGE, STATE, stream


def of(findings: Any, about: str) -> Finding:
    return next(finding for finding in findings if finding.about == about)


def test_a_sound_robot_has_no_complaint(needs: Needs, robot: Any) -> None:
    every = [f for check in (topics, stamps, clock, command) for f in check(needs, robot.heard)]
    assert {finding.level for finding in every} == {"ok"}
    assert {finding.about for finding in every} >= {STATE, IMAGE, f"stamps of {STATE}", "clock", "command"}


def test_a_topic_that_nobody_publishes_names_what_there_is_instead(needs: Needs, robot: Any) -> None:
    robot.streams[IMAGE], robot.offered[IMAGE] = Stream(), ()
    robot.topics = {"/camera/top/compressed": "sensor_msgs/msg/CompressedImage"}
    finding = of(topics(needs, robot.heard), IMAGE)
    assert finding.level == "fail" and finding.mend.endswith("set images to compressed")
    robot.topics = {"/camera/tpo/image_raw": "sensor_msgs/msg/Image"}
    assert "/camera/tpo/image_raw" in of(topics(needs, robot.heard), IMAGE).mend
    robot.topics = {}
    assert "ROS_DOMAIN_ID" in of(topics(needs, robot.heard), IMAGE).mend


def test_what_the_policy_needs_already_is_not_named_instead_of_another(needs: Needs, robot: Any) -> None:
    robot.streams[IMAGE], robot.offered[IMAGE] = Stream(), ()
    other = IMAGE.replace("top", "side")
    seen = replace(needs, cameras={**needs.cameras, other: "side"})
    robot.topics = {f"/{other}": "sensor_msgs/msg/Image"}
    assert other not in of(topics(seen, robot.heard), IMAGE).mend
    assert other in of(topics(needs, robot.heard), IMAGE).mend


def test_two_publishers_of_one_topic_are_a_warning(needs: Needs, robot: Any) -> None:
    robot.offered[STATE] = 2 * ("sensor_msgs/msg/JointState",)
    found = [finding for finding in topics(needs, robot.heard) if finding.about == STATE]
    assert [finding.level for finding in found] == ["ok", "warn"] and "published by 2" in found[1].text


def test_another_type_and_a_publisher_that_is_not_heard_fail(needs: Needs, robot: Any) -> None:
    robot.offered[STATE] = ("std_msgs/msg/String",)
    assert "std_msgs/msg/String" in of(topics(needs, robot.heard), STATE).text
    robot.offered[STATE], robot.streams[STATE] = ("sensor_msgs/msg/JointState",), Stream()
    finding = of(topics(needs, robot.heard), STATE)
    assert finding.level == "fail" and "best effort" in finding.mend


@pytest.mark.parametrize(("rate", "level"), [(50.0, "ok"), (5.0, "ok"), (4.0, "warn"), (2.0, "fail")])
def test_a_stream_slower_than_the_policy_looks_is_told(needs: Needs, robot: Any, rate: float, level: str) -> None:
    robot.streams[IMAGE] = stream(rate)
    assert of(topics(needs, robot.heard), IMAGE).level == level


def test_where_each_message_counts_a_fast_one_fails_too(needs: Needs, robot: Any) -> None:
    robot.streams[STATE] = stream(20.0)
    assert of(topics(needs, robot.heard), STATE).level == "ok"
    assert of(topics(replace(needs, each_counts=True), robot.heard), STATE).level == "fail"


def test_a_stream_that_fell_silent_fails(needs: Needs, robot: Any) -> None:
    late = stream(30.0)
    robot.streams[IMAGE] = Stream(late.stamps[:45], late.arrivals[:45])
    finding = of(topics(needs, robot.heard), IMAGE)
    assert finding.level == "fail" and "silent for 1.5 s" in finding.text


@pytest.mark.parametrize(
    ("age", "level", "word"),
    [(0.02, "ok", "old"), (0.3, "warn", "old"), (60.0, "fail", "old"), (-3.0, "fail", "future")],
)
def test_stamps_must_be_of_this_clock(needs: Needs, robot: Any, age: float, level: str, word: str) -> None:
    robot.streams[IMAGE] = stream(30.0, age)
    finding = of(stamps(needs, robot.heard), f"stamps of {IMAGE}")
    assert finding.level == level and word in finding.text
    robot.more["clock_publishers"] = 1
    if level == "fail":
        assert "use_sim_time" in of(stamps(needs, robot.heard), f"stamps of {IMAGE}").mend


def test_stamps_that_stand_still_or_are_empty_fail(needs: Needs, robot: Any) -> None:
    arrivals = stream(30.0).arrivals
    robot.streams[IMAGE] = Stream((arrivals[-1],) * len(arrivals), arrivals)
    assert "only 1 of 90" in of(stamps(needs, robot.heard), f"stamps of {IMAGE}").text
    robot.streams[IMAGE] = Stream((0,) * len(arrivals), arrivals)
    assert of(stamps(needs, robot.heard), f"stamps of {IMAGE}").text == "they are 0"


def test_streams_of_different_moments_are_a_warning(needs: Needs, robot: Any) -> None:
    robot.streams[IMAGE] = stream(30.0, 0.2)
    finding = of(stamps(needs, robot.heard), "stamps together")
    assert finding.level == "warn" and f"'{IMAGE}' are 0.180 s older than those of '{STATE}'" in finding.text


@pytest.mark.parametrize(
    ("sim", "publishers", "level"), [(False, 0, "ok"), (True, 1, "ok"), (True, 0, "fail"), (False, 1, "warn")]
)
def test_the_clock_is_that_of_the_graph(needs: Needs, robot: Any, sim: bool, publishers: int, level: str) -> None:
    robot.more |= {"use_sim_time": sim, "clock_publishers": publishers}
    assert of(clock(needs, robot.heard), "clock").level == level


def test_a_second_commander_and_no_arm_are_warnings(needs: Needs, robot: Any) -> None:
    robot.more["other_commanders"] = 1
    (finding,) = command(needs, robot.heard)
    assert finding.level == "warn" and "published already by 1" in finding.text
    robot.more = {}
    (finding,) = command(needs, robot.heard)
    assert finding.level == "warn" and "nobody listens" in finding.text
