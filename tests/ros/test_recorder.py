"""The recorder: bags that open whatever happens, and nothing lost in silence."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from mcap.exceptions import McapError
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_recorder.recorder import Recorder
from clam_ros.messages import CommandWriter, NamedVectorWriter
from clam_ros.names import STATUS_FIELDS


class Source:
    """Publishes numbered observations, commands and statuses."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        node = graph.probe
        self.observation = node.create_publisher(JointState, "observation/state", 1000)
        self.command = node.create_publisher(JointTrajectory, "command", 1000)
        self.status = node.create_publisher(JointState, "episode/status", 1000)
        self.sent = 0

    def matched(self) -> None:
        publishers = (self.observation, self.command, self.status)
        self.graph.spin_until(
            lambda: all(publisher.get_subscription_count() for publisher in publishers),
            what="recorder matched",
        )

    def send(self, count: int, success: bool = False) -> None:
        for _ in range(count):
            self.sent += 1
            status = (3, self.sent, 42, 0.5, 1.0, float(success), 0.0)
            self.status.publish(NamedVectorWriter(STATUS_FIELDS).message(self.sent, status))
            self.observation.publish(NamedVectorWriter(("x",)).message(self.sent, [self.sent]))
            self.command.publish(CommandWriter(("a",)).message(self.sent, [self.sent]))


def record(make_graph: Callable[..., Any], out: Path, **parameters: Any) -> tuple[Any, Source, Any]:
    graph = make_graph(out=out, task="assembly", kind="play", **parameters)
    recorder = graph.add(Recorder())
    source = Source(graph)
    source.matched()
    return graph, source, recorder


def call(graph: Any, name: str) -> tuple[bool, str]:
    response = graph.call(Trigger, f"record/{name}")
    return response.success, response.message


def count(bag: Path) -> dict[str, int]:
    with Reader(bag) as reader:
        return {connection.topic: connection.msgcount for connection in reader.connections}


def on_disk(mcap: Path) -> int:
    """Messages in an MCAP file that is still being written."""
    messages = 0
    with contextlib.suppress(McapError, struct.error), mcap.open("rb") as file:
        for message in StreamReader(file).records:
            messages += isinstance(message, Message)
    return messages


def test_every_episode_is_a_bag_and_an_episode_file(make_graph: Any, tmp_path: Path) -> None:
    graph, source, _ = record(make_graph, tmp_path / "out")
    for number, success in enumerate([False, True]):
        assert call(graph, "start")[0]
        source.send(50, success)
        kept, message = call(graph, "stop")
        assert kept, message
        bag = tmp_path / "out" / f"episode_{number:04d}"
        assert json.loads(message)["bag"] == str(bag)
        assert count(bag) == {"/observation/state": 50, "/command": 50, "/episode/status": 50}
        episode = yaml.safe_load((bag / "episode.yaml").read_text())
        assert (episode["task"], episode["kind"], episode["seed"]) == ("assembly", "play", 42)
        assert (episode["success"], episode["complete"], episode["dropped"]) == (success, True, 0)
        assert episode["messages"] == count(bag)
        assert episode["start"] < episode["stop"]


def test_what_was_sent_before_the_stop_is_in_the_bag_though_the_recorder_stood_still(
    make_graph: Any, tmp_path: Path
) -> None:
    graph, source, recorder = record(make_graph, tmp_path)
    assert call(graph, "start")[0]
    client = graph.probe.create_client(Trigger, "record/stop")
    graph.spin_until(client.service_is_ready)
    source.send(200)
    answer = client.call_async(Trigger.Request())
    graph.spin_until(lambda: recorder._tail is not None, what="the stop to be asked for")
    time.sleep(1.0)
    graph.spin_until(answer.done, what="an answer")
    assert set(count(tmp_path / "episode_0000").values()) == {200}


def test_messages_in_the_bag_are_those_that_were_sent(make_graph: Any, tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader

    graph, source, _ = record(make_graph, tmp_path)
    assert call(graph, "start")[0]
    source.send(20)
    assert call(graph, "stop")[0]
    with AnyReader([tmp_path / "episode_0000"]) as reader:
        observations = [c for c in reader.connections if c.topic == "/observation/state"]
        values = [reader.deserialize(raw, c.msgtype).position[0] for c, _, raw in reader.messages(observations)]
    assert values == list(range(1, 21))


def test_discard_leaves_nothing_and_the_number_is_used_again(make_graph: Any, tmp_path: Path) -> None:
    graph, source, _ = record(make_graph, tmp_path)
    assert call(graph, "start")[0]
    source.send(10)
    assert call(graph, "discard")[0]
    assert not list(tmp_path.glob("episode_*"))
    assert call(graph, "start")[1].endswith("episode_0000")


def test_calls_out_of_order_are_refused_and_lose_nothing(make_graph: Any, tmp_path: Path) -> None:
    graph, source, _ = record(make_graph, tmp_path)
    assert call(graph, "stop") == (False, "not recording: call record/start first")
    assert call(graph, "discard") == (False, "not recording: call record/start first")
    assert call(graph, "start")[0]
    source.send(10)
    again, message = call(graph, "start")
    assert not again and "already recording episode_0000" in message
    source.send(10)
    assert call(graph, "stop")[0]
    assert count(tmp_path / "episode_0000")["/command"] == 20


def test_start_is_refused_while_a_topic_has_no_publisher(make_graph: Any, tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path)
    graph.add(Recorder())
    started, message = call(graph, "start")
    assert not started and "/observation/state" in message
    assert not list(tmp_path.glob("episode_*"))


def test_types_of_other_topics_are_looked_up_in_the_graph(make_graph: Any, tmp_path: Path) -> None:
    from std_msgs.msg import Float64

    graph = make_graph(out=tmp_path, topics='["weight", "height:std_msgs/msg/Float64"]')
    weight = graph.probe.create_publisher(Float64, "weight", 10)
    height = graph.probe.create_publisher(Float64, "height", 10)
    recorder = graph.add(Recorder())
    graph.spin_until(lambda: len(recorder._heard.types) == 2, what="types")
    graph.spin_until(lambda: weight.get_subscription_count() and height.get_subscription_count())
    assert call(graph, "start")[0]
    weight.publish(Float64(data=1.0))
    height.publish(Float64(data=2.0))
    assert call(graph, "stop")[0]
    assert count(tmp_path / "episode_0000") == {"/weight": 1, "/height": 1}
    assert yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())["success"] is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_recorder_that_ends_in_an_episode_leaves_a_bag_that_opens(
    make_graph: Any, start: Any, tmp_path: Path, number: int
) -> None:
    out = tmp_path / "out"
    process = start("clam_recorder.recorder", out=out)
    graph = make_graph()
    source = Source(graph)
    source.matched()
    graph.spin_until(lambda: call(graph, "start")[0], what="recording")
    bag = out / "episode_0000"
    source.send(100)
    graph.spin_until(lambda: on_disk(bag / "episode_0000.mcap") == 300, what="a flush")
    process.popen.send_signal(number)
    process.wait()
    assert yaml.safe_load((bag / "episode.yaml").read_text())["complete"] is False
    if number == signal.SIGKILL:
        assert not (bag / "metadata.yaml").exists()
        second = start("clam_recorder.recorder", out=out)  # repairs what the first one left
        graph.spin_until(lambda: (bag / "metadata.yaml").exists() or second.popen.poll() is not None)
        graph.spin_until(lambda: "recovered" in second.output(), what="a line about it")
        assert second.stop() == 0
    assert count(bag) == {"/observation/state": 100, "/command": 100, "/episode/status": 100}


def test_an_unwritable_folder_is_one_clear_line_and_status_1(start: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = start("clam_recorder.recorder", out=tmp_path / "file" / "out")
    assert process.wait() == 1
    assert "choose another `out`" in process.output()
    assert "Traceback" not in process.output()


def test_two_recorders_do_not_share_a_folder(make_graph: Any, start: Any, tmp_path: Path) -> None:
    record(make_graph, tmp_path)
    process = start("clam_recorder.recorder", out=tmp_path)
    assert process.wait() == 1
    assert "another recorder" in process.output()


def test_a_full_disk_is_said_and_the_bag_opens_up_to_there(
    make_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clam_recorder.bag_writer import RosbagsWriter

    graph, source, recorder = record(make_graph, tmp_path, backend="rosbags")
    write = RosbagsWriter.write

    def full(self: Any, topic: str, stamp: int, data: bytes) -> None:
        if recorder._session.episode.messages["/command"] >= 5:
            raise OSError(28, os.strerror(28))
        write(self, topic, stamp, data)

    monkeypatch.setattr(RosbagsWriter, "write", full)
    assert call(graph, "start")[0]
    source.send(20)
    kept, message = call(graph, "stop")
    assert not kept and "No space left on device" in message and "lost" in message
    assert count(tmp_path / "episode_0000")["/command"] == 5
    assert yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())["complete"] is False
    assert np.all([recorder.diagnose()[0] == b"\x01", "No space" in recorder.diagnose()[1]])
