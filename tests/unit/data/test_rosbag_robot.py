"""Bags of a robot's session: our recorder's, and those of `ros2 bag record` with the same topics."""

import json

import cv2
import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.bundle_file import read_spec
from clam_core.cli import main
from clam_core.data.bag_integrity import seal
from clam_core.data.importing import ImportOptions
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore

STORE = get_typestore(Stores.ROS2_JAZZY)
SECOND = 10**9
START = 1_700_000_000 * SECOND
JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")


def make(kind, **fields):
    return STORE.types[kind](**fields)


def header(stamp):
    time = make("builtin_interfaces/msg/Time", sec=stamp // SECOND, nanosec=stamp % SECOND)
    return make("std_msgs/msg/Header", stamp=time, frame_id="")


def joint_state(stamp, index):
    values = np.append(np.full(7, index / 100), [0.01, -0.01])
    names = [*JOINTS, "left_finger", "right_finger"]
    empty = np.zeros(0)
    return make(
        "sensor_msgs/msg/JointState", header=header(stamp), name=names, position=values, velocity=empty, effort=empty
    )


def command(stamp, index):
    empty, zero = np.zeros(0), make("builtin_interfaces/msg/Duration", sec=0, nanosec=0)
    point = make(
        "trajectory_msgs/msg/JointTrajectoryPoint",
        positions=np.full(7, index / 30),
        velocities=empty,
        accelerations=empty,
        effort=empty,
        time_from_start=zero,
    )
    names = list(JOINTS)
    return make("trajectory_msgs/msg/JointTrajectory", header=header(stamp), joint_names=names, points=[point])


def image(stamp, index):
    picture = np.full((48, 64, 3), index % 256, dtype=np.uint8)
    data = cv2.imencode(".jpg", picture)[1].ravel()
    return make("sensor_msgs/msg/CompressedImage", header=header(stamp), format="jpeg", data=data)


def diagnostics(stamp, index):
    return make("diagnostic_msgs/msg/DiagnosticArray", header=header(stamp), status=[])


TOPICS = {
    "/joint_states": (50.0, joint_state),
    "/command": (30.0, command),
    "/camera/external/compressed": (30.0, image),
    "/camera/over_shoulder/compressed": (30.0, image),
    "/diagnostics": (1.0, diagnostics),
}


def write(path, seconds=4.0, namespace=""):
    """What ``ros2 bag record -s mcap`` leaves: a bag and its metadata, and nothing of ours."""
    rows = []
    for offset, (topic, (rate, message)) in enumerate(TOPICS.items()):
        for index in range(int(seconds * rate)):
            stamp = START + offset * 1_000_000 + round(index / rate * SECOND)
            rows.append((stamp + 2_000_000, topic, message(stamp, index)))
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {topic: message.__msgtype__ for _, topic, message in rows}
        connections = {
            topic: writer.add_connection(namespace + topic, kind, typestore=STORE) for topic, kind in kinds.items()
        }
        for received, topic, message in sorted(rows, key=lambda row: row[0]):
            writer.write(connections[topic], received, STORE.serialize_cdr(message, kinds[topic]))
    return path


def test_a_bag_of_ros2_bag_record_imports_with_its_task_and_kind_given(tmp_path, capsys):
    write(tmp_path / "bags/rosbag2_0")
    write(tmp_path / "bags/rosbag2_1")
    options = ["--task", "reach_block", "--kind", "play", "--rate", "5", "--image-size", "16"]
    assert main(["import", "rosbag", str(tmp_path / "bags"), *options, "--out", str(tmp_path / "out"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["kept"] == ["rosbag2_0", "rosbag2_1"]
    assert any("success unknown" in note["note"] for note in result["notes"])
    store = EpisodeStore.open(tmp_path / "out")
    spec = store.info.spec
    assert (spec.task, store.info.kind, spec.rate) == ("reach_block", "play", 5.0)
    assert spec.action.names == JOINTS
    assert spec.observation.names == (*JOINTS, "left_finger", "right_finger")
    assert [camera.name for camera in spec.observation.cameras] == ["external", "over_shoulder"]
    episode = store.episode(0)
    assert 15 <= len(episode) <= 20
    seconds = episode.observations["state"][:, 0] / 0.5  # the state counts messages: 50 of them a second
    np.testing.assert_allclose(np.diff(seconds), 0.2, atol=0.021)
    np.testing.assert_allclose(episode.actions[:, 0], seconds[1:], atol=0.06)  # what leads to the next observation


def test_our_own_bag_imports_the_same_without_being_told(tmp_path):
    plain, ours = write(tmp_path / "plain"), write(tmp_path / "ours")
    sag = {"topic": "/camera/external/compressed", "expected": 30.0, "lowest": 11.0, "from": 1.0, "to": 2.5}
    description = {"task": "reach_block", "kind": "play", "success": False, "complete": True, "sags": [sag]}
    (ours / "episode.yaml").write_text(yaml.safe_dump(description))
    seal(ours, {topic: int(4 * rate) for topic, (rate, _) in TOPICS.items()})
    options = ImportOptions(rate=5.0, image_size=16)
    report = import_rosbag(ours, tmp_path / "a", options)
    remark = "its recorder saw /camera/external/compressed sag to 11.0 Hz of 30 between 1.0 and 2.5 s"
    assert report.notes == (("ours", remark),)
    import_rosbag(plain, tmp_path / "b", ImportOptions(rate=5.0, image_size=16, task="reach_block", kind="play"))
    a, b = (EpisodeStore.open(tmp_path / name) for name in "ab")
    assert (a.info.spec, a.info.kind) == (b.info.spec, b.info.kind)
    for key, values in a.episode(0).observations.items():
        np.testing.assert_array_equal(values, b.episode(0).observations[key])
    np.testing.assert_array_equal(a.episode(0).actions, b.episode(0).actions)


def test_an_episode_that_its_recorder_ended_says_why(tmp_path):
    bag = write(tmp_path / "bag")
    ended = {"complete": False, "ended": "the disk is full (256 MiB are kept free): make room", "success": None}
    (bag / "episode.yaml").write_text(yaml.safe_dump(ended))
    report = import_rosbag(bag, tmp_path / "out", ImportOptions(rate=5.0, image_size=16))
    assert report.recovered == ("bag",)
    assert ("bag", f"recovered: {ended['ended']}") in report.notes


@pytest.mark.parametrize("damage", ["not a list", [{"topic": "/a"}]])
def test_a_mark_that_cannot_be_read_is_passed_on_as_it_is(tmp_path, damage):
    bag = write(tmp_path / "bag")
    (bag / "episode.yaml").write_text(yaml.safe_dump({"success": False, "sags": damage}))
    report = import_rosbag(bag, tmp_path / "out", ImportOptions(rate=5.0, image_size=16))
    assert report.kept == ("bag",)
    assert any("its recorder marked it" in note for _, note in report.notes)


def test_streams_of_other_rates_need_one_and_the_error_says_so(tmp_path, capsys):
    write(tmp_path / "bag")
    assert main(["import", "rosbag", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 1
    assert "give --rate" in capsys.readouterr().err


def test_a_robot_in_a_namespace_needs_no_options(tmp_path):
    options = ImportOptions(rate=5.0, image_size=16, kind="play")
    import_rosbag(write(tmp_path / "bag", namespace="/left"), tmp_path / "a", options)
    import_rosbag(write(tmp_path / "plain"), tmp_path / "b", options)
    a, b = (EpisodeStore.open(tmp_path / name) for name in "ab")
    assert a.info.spec == b.info.spec
    np.testing.assert_array_equal(a.episode(0).actions, b.episode(0).actions)


def test_play_and_demonstrations_of_a_robot_train_a_policy_together(tmp_path):
    """Their commands were as wide as they were, and demonstrations are imported without them."""
    play, expert = (str(tmp_path / kind) for kind in ("play", "expert"))
    for index, seconds in enumerate((4.0, 4.2, 4.4)):
        write(tmp_path / "bags/play" / str(index), seconds)
        write(tmp_path / "bags/expert" / str(index), seconds - 1)
    told = ["--task", "tidy-up", "--rate", "5", "--image-size", "64"]
    for kind, more in (("play", []), ("expert", ["--no-actions"])):
        folder = str(tmp_path / "bags" / kind)
        assert main(["import", "rosbag", folder, "--out", str(tmp_path / kind), "--kind", kind, *told, *more]) == 0
    limits = [EpisodeStore.open(folder, actions=False).info.spec.action for folder in (play, expert)]
    assert limits[0].high > limits[1].high
    data = [f"data.unlabeled=[{play},{expert}]", f"data.labeled={play}", f"data.expert={expert}"]
    few = [f"{stage}_training.updates=2" for stage in ("lam", "policy")]
    batches = [f"{stage}.batch_size=4" for stage in ("lam_training", "policy_training", "grounding")]
    run = str(tmp_path / "run")
    preset = ["clam", "--preset", "recommended/kitchen-cpu", "device=cpu", "--out", run]
    assert main(["train", *preset, *data, *few, *batches]) == 0
    assert read_spec(f"{run}/bundle").action == limits[0]
