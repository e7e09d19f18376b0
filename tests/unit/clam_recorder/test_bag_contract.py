"""One contract for every writer that is installed: the same bag, readable by whoever reads MCAP bags."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from clam_core.data.bag_integrity import FileDigest, storage_files
from clam_core.data.bag_recovery import is_unfinished, recover_bag
from clam_recorder.bag_writer import BACKENDS

STORE = get_typestore(Stores.ROS2_JAZZY)
TOPICS = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/camera/front/compressed": "sensor_msgs/msg/CompressedImage",
    "/record/mark": "std_msgs/msg/String",
    "/silent": "std_msgs/msg/String",
}
INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} comes with a system ROS 2 (not on PyPI)"
        ),
    )
    for name in BACKENDS
]


def messages() -> list[tuple[str, int, bytes]]:
    """A few hundred messages, among them some that are larger than a chunk."""
    rows = []
    text = STORE.types["std_msgs/msg/String"]
    for index in range(300):
        data = STORE.serialize_cdr(text(data=f"{index}"), "std_msgs/msg/String")
        rows.append(("/record/mark", 10**9 + 3 * index, bytes(data)))
    for index in range(3):
        data = STORE.serialize_cdr(text(data="x" * 2_000_000), "std_msgs/msg/String")
        rows.append(("/record/mark", 10**9 + 1000 + index, bytes(data)))
    return sorted(rows, key=lambda row: row[1])


@pytest.fixture(params=INSTALLED)
def bag(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    writer = BACKENDS[request.param](tmp_path / "episode_0000", TOPICS)
    digests = {}
    for number, (topic, stamp, data) in enumerate(messages()):
        writer.write(topic, stamp, data)
        if number % 50 == 0:
            writer.flush()
            for file in storage_files(tmp_path / "episode_0000"):
                digests.setdefault(file.name, FileDigest(file)).update()
    writer.close()
    for name, digest in digests.items():  # nothing that was written is ever changed
        assert digest.facts() == FileDigest(tmp_path / "episode_0000" / name).facts()
    return tmp_path / "episode_0000"


def test_rosbags_reads_every_message_with_its_time(bag: Path) -> None:
    assert not is_unfinished(bag)
    with Reader(bag) as reader:
        assert [(c.topic, time, bytes(data)) for c, time, data in reader.messages()] == messages()
        assert {c.topic: c.msgtype for c in reader.connections} == TOPICS
    with AnyReader([bag]) as reader:
        found = [reader.deserialize(raw, c.msgtype).data for c, _, raw in reader.messages()]
    assert found[:2] == ["0", "1"] and len(found) == 303


def test_mcaps_own_reader_reads_the_same(bag: Path) -> None:
    (file,) = storage_files(bag)
    with file.open("rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        assert summary.statistics.message_count == 303
        rows = [(channel.topic, message.log_time, message.data) for _, channel, message in reader.iter_messages()]
        kinds = {channel.topic: summary.schemas[channel.schema_id].name for channel in summary.channels.values()}
    assert rows == messages()
    assert kinds == TOPICS


def test_metadata_says_what_rosbag2_needs(bag: Path) -> None:
    facts = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert facts["storage_identifier"] == "mcap"
    assert facts["message_count"] == 303
    assert facts["relative_file_paths"] == [file.name for file in storage_files(bag)]
    counts = {t["topic_metadata"]["name"]: t["message_count"] for t in facts["topics_with_message_count"]}
    assert counts == {**dict.fromkeys(TOPICS, 0), "/record/mark": 303}
    assert {t["topic_metadata"]["serialization_format"] for t in facts["topics_with_message_count"]} == {"cdr"}


def test_what_was_flushed_is_on_the_disk_without_a_close(tmp_path: Path) -> None:
    """What SIGKILL leaves: the file as it is, neither closed nor described."""
    names = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
    for name in names:
        writer = BACKENDS[name](tmp_path / name, TOPICS)
        for topic, stamp, data in messages()[:200]:
            writer.write(topic, stamp, data)
        writer.flush()
        killed = tmp_path / f"{name}_killed"
        shutil.copytree(tmp_path / name, killed)
        assert is_unfinished(killed)
        assert recover_bag(killed) >= 190  # rosbag2's own writer keeps up to 4 KiB to itself
        writer.close()


@pytest.mark.parametrize("name", INSTALLED)
def test_a_topic_can_be_taken_up_at_any_time(tmp_path: Path, name: str) -> None:
    rows = messages()
    writer = BACKENDS[name](tmp_path / "late", TOPICS)
    for number, (topic, stamp, data) in enumerate(rows):
        if number in (100, 200):
            writer.add_topic(f"/late_{number}", "std_msgs/msg/String")
        writer.write(topic if number < 100 else "/late_100", stamp, data)
    writer.flush()
    shutil.copytree(tmp_path / "late", tmp_path / "killed")
    writer.close()
    recover_bag(tmp_path / "killed")
    for bag in ("late", "killed"):
        with Reader(tmp_path / bag) as reader:
            counts = {c.topic: c.msgcount for c in reader.connections if c.msgcount}
            assert counts["/record/mark"] == 100 and counts["/late_100"] >= 190
            found = [bytes(data) for _, _, data in reader.messages()]
            assert found == [data for _, _, data in rows][: len(found)]


def test_rosbag2s_own_reader_reads_what_either_wrote(bag: Path) -> None:
    rosbag2_py = pytest.importorskip("rosbag2_py", reason="rosbag2_py comes with a system ROS 2 (not on PyPI)")
    reader = rosbag2_py.SequentialReader()
    options = rosbag2_py.StorageOptions(uri=str(bag), storage_id="mcap")
    reader.open(options, rosbag2_py.ConverterOptions("cdr", "cdr"))
    rows = []
    while reader.has_next():
        topic, data, stamp = reader.read_next()
        rows.append((topic, stamp, bytes(data)))
    assert rows == messages()
