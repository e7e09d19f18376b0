"""A robot's session: what must flow before an episode, what is marked in it, what the operator sees."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rclpy.qos import qos_profile_sensor_data
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_core.data.bag_integrity import check_files
from clam_core.data.bag_reader import read_bag
from clam_core.data.bag_topics import Topics
from clam_core.errors import ClamError
from clam_recorder.parameters import topics_of
from clam_recorder.recorder import Recorder
from clam_ros.messages import CommandWriter, NamedVectorWriter
from clam_ros.qos import STREAM
from clam_ros.stamps import set_stamp

RATE = 25.0  # [Hz] of all topics here


class Robot:
    """Publishes what an arm driver, a camera and an operator do, from timers, as long as the graph spins."""

    def __init__(self, graph: Any) -> None:
        node = graph.probe
        self.graph = graph
        self.zero_stamps = self.slow = False
        self.images = 0
        self._camera = node.create_publisher(CompressedImage, "camera/front/compressed", qos_profile_sensor_data)
        self._info = node.create_publisher(CameraInfo, "camera/front/camera_info", qos_profile_sensor_data)
        self._joints = node.create_publisher(JointState, "joint_states", STREAM)
        self._command = node.create_publisher(JointTrajectory, "command", STREAM)
        self._ticks = 0
        node.create_timer(1.0 / RATE, self._publish)

    def _publish(self) -> None:
        self._ticks += 1
        stamp = 0 if self.zero_stamps else time.time_ns()
        self._joints.publish(NamedVectorWriter(("waist",)).message(stamp, [0.1]))
        self._command.publish(CommandWriter(("waist",)).message(stamp, [0.2]))
        if self.slow and self._ticks % 4:
            return
        image, info = CompressedImage(format="jpeg"), CameraInfo()
        for message in (image, info):
            set_stamp(message.header.stamp, stamp)
        image.data = b"jpeg"
        self._camera.publish(image)
        self._info.publish(info)
        self.images += 1


@pytest.fixture
def robot(make_graph: Callable[..., Any], tmp_path: Path) -> Callable[..., tuple[Any, Robot, list[dict[str, Any]]]]:
    """``robot(**parameters)``: a graph with a robot, its recorder, and all that is said on record/status."""

    def make(**parameters: Any) -> tuple[Any, Robot, list[dict[str, Any]]]:
        settings = {
            "out": tmp_path / "out",
            "session": "robot",
            "cameras": '["front"]',
            "camera_rate": RATE,
            "required": f'["joint_states:{RATE}"]',
            "rate_tolerance": 0.5,  # the machine may be busy
            "task": "reach",
        }
        graph = make_graph(**settings, **parameters)
        statuses: list[dict[str, Any]] = []
        graph.probe.create_subscription(String, "record/status", lambda m: statuses.append(json.loads(m.data)), 10)
        machine = Robot(graph)
        graph.add(Recorder())
        return graph, machine, statuses

    return make


def call(graph: Any, name: str) -> tuple[bool, str]:
    response = graph.call(Trigger, f"record/{name}")
    return response.success, response.message


def begin(graph: Any, statuses: list[dict[str, Any]]) -> None:
    """Start as soon as nothing stands in the way."""
    graph.spin_until(lambda: bool(statuses) and not statuses[-1]["refusals"], what="readiness")
    graph.spin_until(lambda: call(graph, "start")[0], what="recording")


def test_an_episode_holds_all_streams_and_says_what_they_were(robot: Any, tmp_path: Path) -> None:
    graph, machine, statuses = robot(kind="expert")
    begin(graph, statuses)
    images = machine.images
    graph.spin_until(lambda: machine.images >= images + 30)
    assert call(graph, "success") == (True, "episode_0000 is marked as a success")
    kept, message = call(graph, "stop")
    assert kept, message
    bag = tmp_path / "out/episode_0000"
    counts = check_files(bag)
    assert counts is not None and json.loads(message)["messages"] == counts
    assert min(counts[f"/{name}"] for name in ("joint_states", "command", "camera/front/compressed")) >= 30
    assert counts["/camera/front/camera_info"] >= 30 and "/diagnostics" in counts
    description = yaml.safe_load((bag / "episode.yaml").read_text())
    assert description["success"] is True and 0.0 < description["success_at"] < 60.0
    recording = read_bag(bag, Topics())
    assert recording.names.state == "/joint_states"
    assert list(recording.cameras) == ["front"]
    with AnyReader([bag]) as reader:
        marks = [c for c in reader.connections if c.topic == "/record/mark"]
        said = [reader.deserialize(raw, c.msgtype).data for c, _, raw in reader.messages(marks)]
    assert said == ["start", "success", "stop"]


def test_the_status_topic_says_what_the_documentation_promises(robot: Any, tmp_path: Path) -> None:
    graph, _, statuses = robot(kind="play")
    begin(graph, statuses)

    def steady() -> bool:
        """A second or more of an episode in which this machine did not stand still."""
        now = statuses[-1]
        joints = now["topics"].get("/joint_states", {"ok": False})
        return now["state"] == "recording" and now["seconds"] > 1.0 and joints["ok"] and not now["warnings"]

    graph.spin_until(steady, what="a steady second")
    status = statuses[-1]
    assert (status["episode"], status["kept"], status["task"], status["kind"]) == ("episode_0000", 0, "reach", "play")
    assert status["disk_left_bytes"] > 0 and status["minutes_left"] > 0
    assert status["topics"]["/joint_states"]["expected"] == RATE
    assert status["topics"]["/joint_states"]["rate"] == pytest.approx(RATE, rel=0.5)
    assert status["topics"]["/command"]["expected"] is None
    assert isinstance(status["warnings"], list) and status["refusals"] == []
    assert call(graph, "stop")[0]
    graph.spin_until(lambda: statuses[-1]["state"] == "idle")
    assert (statuses[-1]["kept"], statuses[-1]["episode"]) == (1, "episode_0001")


def test_a_topic_that_is_not_as_it_should_be_is_named_and_nothing_begins(robot: Any, tmp_path: Path) -> None:
    graph, machine, statuses = robot()
    begin(graph, statuses)
    assert call(graph, "discard")[0]
    machine.slow = True
    graph.spin_until(lambda: any("comes at" in reason for reason in statuses[-1]["refusals"]), what="the rate")
    wanted = "/camera/front/compressed comes at"
    graph.spin_until(lambda: wanted in (message := call(graph, "start")[1]) and "\n" not in message, what=wanted)
    machine.slow, machine.zero_stamps = False, True
    graph.spin_until(lambda: "/joint_states has stamp 0" in call(graph, "start")[1], what="the stamp")
    assert not list((tmp_path / "out").glob("episode_*"))


def test_without_its_publishers_the_recorder_names_them(make_graph: Any, tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path, session="robot", cameras='["front"]')
    graph.add(Recorder())
    started, message = call(graph, "start")
    assert not started
    assert "nobody publishes /joint_states, /command, /camera/front/compressed" in message
    assert message.count("/joint_states") == 1


def test_a_rate_that_sags_is_a_warning_and_marks_the_episode(robot: Any, tmp_path: Path) -> None:
    graph, machine, statuses = robot()
    begin(graph, statuses)
    machine.slow = True
    wanted = "/camera/front/compressed comes at"
    graph.spin_until(lambda: any(said.startswith(wanted) for said in statuses[-1]["warnings"]), what=wanted)
    machine.slow = False
    graph.spin_until(lambda: not statuses[-1]["warnings"], what="its end")
    assert call(graph, "stop")[0]
    sags = yaml.safe_load((tmp_path / "out/episode_0000/episode.yaml").read_text())["sags"]
    (sag, *_) = [sag for sag in sags if sag["topic"] == "/camera/front/compressed"]
    assert sag["expected"] == RATE and sag["lowest"] < 0.5 * RATE and sag["from"] < sag["to"]


def test_a_wrong_requirement_is_one_line(make_graph: Any, tmp_path: Path) -> None:
    make_graph(out=tmp_path, session="robot", required='["joint_state:50"]')
    recorder = Recorder()
    with pytest.raises(ClamError, match="'joint_state', which is not recorded"):
        topics_of(recorder)
    assert not recorder.autostart()
    recorder.close()
