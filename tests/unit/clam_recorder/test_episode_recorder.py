"""The recorder's plain half: a bounded queue that counts, numbering, backends."""

from __future__ import annotations

import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

from clam_core.data.bag_scan import MAGIC
from clam_core.errors import ClamError
from clam_recorder import bag_writer, episode_file
from clam_recorder.episode_recorder import FLUSH, EpisodeRecorder
from clam_recorder.recipe import Recipe


class SlowBag:
    """A bag on a disk that hangs until `gate` is opened."""

    def __init__(self, path: Path, topics: Any) -> None:
        path.mkdir(parents=True)
        (path / f"{path.name}.mcap").write_bytes(MAGIC)
        self.path = path
        self.gate = threading.Event()
        self.written: list[tuple[str, int, bytes]] = []
        self.late: dict[str, str] = {}

    def add_topic(self, topic: str, kind: str) -> None:
        if kind == "my_msgs/msg/Mine":
            raise ClamError("the library does not know it")
        self.late[topic] = kind

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        assert self.gate.wait(30)
        self.written.append((topic, stamp, data))

    def flush(self) -> None: ...

    def salvage(self) -> None: ...

    def close(self) -> None:
        path = self.path
        (path / f"{path.name}.mcap").write_bytes(MAGIC + MAGIC)
        (path / "metadata.yaml").write_text("a fake")


def recorder(folder: Path, **changes: Any) -> tuple[EpisodeRecorder, SlowBag]:
    bags: list[SlowBag] = []

    def open_bag(path: Path, topics: Any) -> SlowBag:
        bags.append(SlowBag(path, topics))
        return bags[-1]

    recipe = Recipe({"/a": "std_msgs/msg/String"}, {"task": "t"}, open_bag, lambda data: None, "/s", **changes)
    return EpisodeRecorder(folder, recipe), bags[0]


def test_a_disk_that_hangs_holds_nobody_up_and_drops_are_counted(tmp_path: Path) -> None:
    episode, bag = recorder(tmp_path / "episode_0000", queue_bytes=1000)
    for _ in range(50):
        episode.write("/a", 1, bytes(100))
    bag.gate.set()
    episode.end(keep=True)
    episode.join()
    assert episode.dropped + len(bag.written) == 50
    assert 10 <= len(bag.written) <= 12
    assert episode.summary()["dropped"] == episode.dropped
    written = yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())
    assert written["dropped"] == episode.dropped
    assert written["messages"] == {"/a": len(bag.written)}


def test_stamps_of_a_bag_never_go_back(tmp_path: Path) -> None:
    episode, bag = recorder(tmp_path / "episode_0000")
    bag.gate.set()
    for stamp in (5, 3, 9):
        episode.write("/a", stamp, b"")
    episode.end(keep=True)
    episode.join()
    assert [stamp for _, stamp, _ in bag.written] == [5, 5, 9]


def test_a_topic_that_comes_late_is_taken_up_and_one_that_cannot_be_ends_nothing(tmp_path: Path) -> None:
    episode, bag = recorder(tmp_path / "episode_0000")
    bag.gate.set()
    for topic, kind in (("/a", ""), ("/late", "std_msgs/msg/String"), ("/mine", "my_msgs/msg/Mine"), ("/a", "")):
        episode.write(topic, 1, b"x", kind)
    episode.end(keep=True)
    episode.join()
    assert [topic for topic, _, _ in bag.written] == ["/a", "/late", "/a"]
    assert bag.late == {"/late": "std_msgs/msg/String"}
    assert (episode.error, episode.dropped, episode.complete) == ("", 0, True)
    assert episode.summary()["messages"] == {"/a": 2, "/late": 1, "/mine": 0}


def test_what_only_memory_knows_is_in_the_description_soon(tmp_path: Path) -> None:
    """SIGKILL takes no leave: drops, sags and the operator's success must not wait for the end."""
    episode, bag = recorder(tmp_path / "episode_0000", queue_bytes=1000)
    for _ in range(50):
        episode.write("/a", 1, bytes(100))
    episode.sags.note(1.0, {"/a": (10.0, 30.0)})
    episode.mark_success()
    bag.gate.set()
    limit = time.monotonic() + 60 * FLUSH

    def description() -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())
        return content

    while not description()["dropped"]:
        assert time.monotonic() < limit
        time.sleep(0.01)
    now = description()
    assert now["stop"] is None and now["complete"] is False
    assert (now["dropped"], now["success"]) == (episode.dropped, True)
    assert now["sags"][0]["lowest"] == 10.0 and now["success_at"] >= 0.0
    episode.end(keep=True)
    episode.join()


def test_what_the_last_error_loses_is_no_drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episode, bag = recorder(tmp_path / "episode_0000")

    def write(topic: str, stamp: int, data: bytes) -> None:
        assert bag.gate.wait(30)
        if len(bag.written) == 3:
            raise OSError(28, "No space left on device")
        bag.written.append((topic, stamp, data))

    monkeypatch.setattr(bag, "write", write)
    for _ in range(10):
        episode.write("/a", 1, b"x")
    bag.gate.set()
    episode.join()
    assert (episode.dropped, episode.lost_at_end) == (0, 7)
    description = yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())
    assert (description["dropped"], description["lost_at_end"], description["messages"]) == (0, 7, {"/a": 3})


def test_numbering_continues(tmp_path: Path) -> None:
    assert episode_file.next_folder(tmp_path).name == "episode_0000"
    for name in ("episode_0000", "episode_0007", "episode_x", "other"):
        (tmp_path / name).mkdir()
    assert episode_file.next_folder(tmp_path).name == "episode_0008"


def test_backends_are_chosen_by_what_is_installed() -> None:
    assert bag_writer.choose_backend("rosbags") == "rosbags"
    with pytest.raises(ClamError, match="did you mean 'rosbags'"):
        bag_writer.choose_backend("rosbagz")


def test_a_type_that_rosbags_does_not_know_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="rosbag2_py"):
        bag_writer.RosbagsWriter(tmp_path / "bag", {"/a": "my_msgs/msg/Mine"})
    assert not (tmp_path / "bag").exists()


@pytest.mark.parametrize("has_id", [True, False], ids=["jazzy", "humble"])
def test_rosbag2_py_is_called_as_both_distributions_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_id: bool
) -> None:
    """A fake of the module's signatures; the real one is tried where a system ROS 2 is."""
    calls: list[Any] = []

    class Writer:
        def open(self, storage: Any, converter: Any) -> None:
            calls.append(("open", storage.uri, storage.storage_id))

        def create_topic(self, topic: dict[str, Any]) -> None:
            calls.append(("topic", topic["name"], topic["type"]))

        def write(self, topic: str, data: bytes, stamp: int) -> None:
            calls.append(("write", topic, data, stamp))

    def metadata(*, name: str, type: str, serialization_format: str, **more: Any) -> dict[str, Any]:
        if has_id != ("id" in more):
            raise TypeError("no such signature")
        return {"name": name, "type": type}

    def options(**values: Any) -> types.SimpleNamespace:
        return types.SimpleNamespace(**values)

    module = types.SimpleNamespace(
        StorageOptions=options,
        ConverterOptions=lambda *formats: formats,
        SequentialWriter=Writer,
        TopicMetadata=metadata,
    )
    monkeypatch.setitem(sys.modules, "rosbag2_py", module)
    bag = bag_writer.Rosbag2PyWriter(tmp_path / "bag", {"/a": "std_msgs/msg/String"})
    bag.write("/a", 7, b"x")
    bag.add_topic("/b", "std_msgs/msg/String")
    bag.flush()
    bag.close()
    assert calls == [
        ("open", str(tmp_path / "bag"), "mcap"),
        ("topic", "/a", "std_msgs/msg/String"),
        ("write", "/a", b"x", 7),
        ("topic", "/b", "std_msgs/msg/String"),
    ]
