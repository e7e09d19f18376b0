"""What a recorder makes of a world that does not behave: late topics, sudden transitions, folders that vanish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_core.data.bag_integrity import check_files
from clam_core.data.bag_lock import lock_folder
from clam_recorder.recorder import Recorder
from clam_ros.messages import NamedVectorWriter

TEXT = '["text:std_msgs/msg/String"]'


def call(graph: Any, name: str) -> tuple[bool, str]:
    response = graph.call(Trigger, f"record/{name}")
    return response.success, response.message


def recording(make_graph: Callable[..., Any], out: Path, **parameters: Any) -> tuple[Any, Recorder, Any]:
    """A graph with a recorder of `text` whose episode has begun, and the publisher."""
    graph = make_graph(out=out, **{"topics": TEXT, **parameters})
    publisher = graph.probe.create_publisher(String, "text", 100)
    recorder = graph.add(Recorder())
    graph.spin_until(publisher.get_subscription_count, what="the recorder's subscription")
    assert call(graph, "start")[0]
    return graph, recorder, publisher


def test_an_optional_topic_that_comes_in_the_middle_of_an_episode_is_recorded_from_there(
    make_graph: Callable[..., Any], tmp_path: Path
) -> None:
    """camera_info of a camera that was opened again; it used to end the episode."""
    graph = make_graph(
        out=tmp_path, topics=TEXT, session="robot", cameras='["front"]', required='["camera/front/compressed:0"]'
    )
    text = graph.probe.create_publisher(String, "text", 100)
    graph.probe.create_publisher(CompressedImage, "camera/front/compressed", 100)
    graph.add(Recorder())
    graph.spin_until(lambda: call(graph, "start")[0], what="recording")
    graph.spin_until(text.get_subscription_count, what="the recorder's subscription")
    text.publish(String(data="before"))
    late = graph.probe.create_publisher(CameraInfo, "camera/front/camera_info", 100)
    graph.spin_until(late.get_subscription_count, what="the late subscription")
    for _ in range(3):
        late.publish(CameraInfo())
    text.publish(String(data="after"))
    kept, message = call(graph, "stop")
    assert kept, message
    assert json.loads(message)["messages"]["/camera/front/camera_info"] == 3
    counts = check_files(tmp_path / "episode_0000")
    assert counts is not None and (counts["/text"], counts["/camera/front/camera_info"]) == (2, 3)
    with Reader(tmp_path / "episode_0000") as reader:
        found = {connection.topic: connection.msgcount for connection in reader.connections}
    assert found["/text"] == 2 and found["/camera/front/camera_info"] == 3


@pytest.mark.parametrize("service", ["stop", "discard"])
def test_a_deactivation_while_an_episode_ends_leaves_a_recorder_that_works(
    make_graph: Callable[..., Any], tmp_path: Path, service: str
) -> None:
    graph, recorder, publisher = recording(make_graph, tmp_path, quiet_time=5.0)
    publisher.publish(String(data="x"))
    client = graph.probe.create_client(Trigger, f"record/{service}")
    graph.spin_until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    graph.spin_until(lambda: recorder._session.state == "ending" or answer.done(), what="the end to begin")
    recorder.trigger_deactivate()
    graph.spin_until(answer.done, what="an answer")
    if service == "stop":
        assert "is kept as not complete" in answer.result().message
    assert (tmp_path / "episode_0000").exists() == (service == "stop")
    recorder.set_parameters([_parameter("quiet_time", 0.05)])
    recorder.trigger_activate()
    assert call(graph, "start")[0]
    stopped, message = call(graph, "stop")
    assert stopped, message
    assert recorder._session.kept == (2 if service == "stop" else 1)


def _parameter(name: str, value: Any) -> Any:
    from rclpy.parameter import Parameter

    return Parameter(name, value=value)


def test_a_folder_that_vanishes_ends_the_episode_with_a_line_and_the_node_lives(
    make_graph: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    graph, recorder, _ = recording(make_graph, out)
    shutil.rmtree(out)
    graph.spin_until(lambda: recorder._session.episode is None, what="the end of the episode")
    stopped, message = call(graph, "stop")
    assert not stopped and "No such file or directory" in message
    statuses = graph.collect(String, "record/status")
    graph.spin_until(lambda: bool(statuses), what="a status")
    assert any("is gone" in reason for reason in json.loads(statuses[-1].data)["refusals"])
    started, message = call(graph, "start")
    assert not started and "is gone (No such file or directory)" in message


def test_discarding_an_episode_that_has_ended_by_itself_deletes_it(
    make_graph: Callable[..., Any], tmp_path: Path
) -> None:
    graph, recorder, _ = recording(make_graph, tmp_path)
    recorder._session.episode._fail(OSError(28, "No space left on device"))
    graph.spin_until(lambda: recorder._session.episode is None, what="the end of the episode")
    assert call(graph, "discard")[0]
    assert not list(tmp_path.glob("episode_*"))


def test_a_configuration_that_fails_leaves_the_folder_to_others(make_graph: Callable[..., Any], tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path, topics='["text:no_such_msgs/msg/Type"]')
    recorder = Recorder()
    graph.nodes.append(recorder)
    assert not recorder.autostart()
    lock_folder(tmp_path).close()
    assert recorder._heard is None and recorder._session is None


@pytest.mark.parametrize(
    ("name", "value"), [("topics", '["bad topic"]'), ("topics", '["a//b"]'), ("cameras", '["my cam"]')]
)
def test_a_name_that_is_none_is_one_line(start: Any, tmp_path: Path, name: str, value: str) -> None:
    process = start("clam_recorder.recorder", out=tmp_path, session="robot", **{name: value})
    assert process.wait() == 1
    output = process.output()
    assert "is no topic (topic name must not contain" in output and "check `topics` and `cameras`" in output
    assert "Traceback" not in output


def test_stamp_0_is_seen_where_only_the_graph_knows_the_type(make_graph: Callable[..., Any], tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path, topics='["weights"]', required='["weights:20"]', rate_tolerance=1.0)
    publisher = graph.probe.create_publisher(JointState, "weights", 100)
    graph.probe.create_timer(0.05, lambda: publisher.publish(NamedVectorWriter(("x",)).message(0, [1.0])))
    graph.add(Recorder())
    graph.spin_until(lambda: "/weights has stamp 0" in call(graph, "start")[1], what="the refusal")


def test_cameras_may_come_at_any_rate(make_graph: Callable[..., Any], tmp_path: Path) -> None:
    make_graph(out=tmp_path, session="robot", cameras='["front"]', camera_rate=0.0)
    recorder = Recorder()
    assert recorder.autostart()
    assert recorder._monitor.table(0.0)["/camera/front/compressed"]["expected"] is None
    recorder.close()


def test_an_unfinished_bag_that_is_not_ours_is_left_alone(make_graph: Callable[..., Any], tmp_path: Path) -> None:
    for name, description in (("foreign", None), ("ours", {"stop": None})):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mcap").write_bytes(b"\x89MCAP0\r\n" + b"\xff" * 100)
        if description is not None:
            (tmp_path / name / "episode.yaml").write_text(yaml.safe_dump(description))
    recording(make_graph, tmp_path)
    assert sorted(path.name for path in (tmp_path / "foreign").iterdir()) == ["foreign.mcap"]
