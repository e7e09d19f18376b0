"""Folders of bags whose recorders were killed: what needs mending, what must not be touched."""

import struct
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import StoragePlugin

from clam_core.cli import main
from clam_core.data import bag_mending
from clam_core.data.bag_description import write_description
from clam_core.data.bag_integrity import check_files, seal
from clam_core.data.bag_lock import NAME as LOCK
from clam_core.data.bag_lock import lock_folder
from clam_core.data.bag_mending import recover_folder, recover_recordings
from clam_core.data.bag_reader import find_bags
from clam_core.data.bag_recovery import recover_bag
from clam_core.data.rosbag import import_rosbag
from clam_core.errors import ClamError

COUNTS = {"/observation/state": 11, "/command": 10, "/episode/status": 11}


def test_a_folder_is_recovered_bag_by_bag_and_says_what_became_of_each(tmp_path, tiny, make_bag):
    make_bag(tiny.episode(0)).write(tmp_path / "episode_0000")
    make_bag(tiny.episode(1), complete=False, task="t").write(tmp_path / "episode_0001", finish=False, flush_every=1)
    (tmp_path / "episode_0002").mkdir()
    (tmp_path / "episode_0002/episode_0002.mcap").write_bytes(b"\x89MCAP0\r\n")
    (tmp_path / ".episode_0009.recovery-x").mkdir()  # of a recovery that was killed
    mended, empty = recover_folder(tmp_path)
    assert (mended.bag.name, mended.messages, mended.error) == ("episode_0001", 32, "")
    assert mended.seconds == pytest.approx(0.5)
    assert (empty.bag.name, empty.messages, empty.error) == ("episode_0002", 0, "")
    assert not (tmp_path / ".episode_0009.recovery-x").exists()
    description = yaml.safe_load((tmp_path / "episode_0001/episode.yaml").read_text())
    assert (description["recovered"], description["complete"], description["task"]) == (True, False, "t")
    assert sum(check_files(tmp_path / "episode_0001").values()) == 32
    assert recover_folder(tmp_path / "episode_0001") == []  # a bag by itself
    assert import_rosbag(tmp_path / "episode_0001", tmp_path / "data").recovered == ("episode_0001",)


def test_a_folder_that_a_recorder_has_is_left_alone(tmp_path, tiny, make_bag):
    make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1)
    lock = lock_folder(tmp_path)
    for path in (tmp_path, tmp_path / "bag"):
        with pytest.raises(ClamError, match="a recorder writes to"):
            recover_folder(path)
    lock.close()
    assert len(recover_folder(tmp_path)) == 1


def test_without_room_for_the_copy_nothing_is_touched(tmp_path, tiny, make_bag, monkeypatch):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1)
    before = (bag / "bag.mcap").read_bytes()
    monkeypatch.setattr(bag_mending.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    (result,) = recover_folder(tmp_path)
    assert "make room" in result.error
    assert (bag / "bag.mcap").read_bytes() == before and not (bag / "metadata.yaml").exists()


@pytest.mark.parametrize("mend", [recover_folder, recover_recordings], ids=["doctor", "recorder"])
def test_a_closed_bag_that_was_cut_off_is_an_error_and_not_touched(tmp_path, tiny, make_bag, mend):
    bag = make_bag(tiny.episode(0), complete=True, stop="2026").write(tmp_path / "episode_0000")
    seal(bag, COUNTS)
    file = bag / "episode_0000.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = {path.name: path.read_bytes() for path in bag.iterdir()}
    (result,) = mend(tmp_path)
    assert result.messages == 0 and "closed by its recorder" in result.error and "restore it" in result.error
    assert {path.name: path.read_bytes() for path in bag.iterdir()} == before
    with pytest.raises(ClamError, match="closed by its recorder"):
        recover_bag(bag)
    with pytest.raises(ClamError, match="cut off"):
        check_files(bag)


@pytest.mark.parametrize("sealed", [False, True], ids=["before the sidecar", "before the description"])
def test_a_bag_whose_recorder_was_killed_after_closing_it_is_described(tmp_path, tiny, make_bag, sealed):
    bag = make_bag(tiny.episode(0), complete=False, stop=None, messages={"/command": 0}).write(tmp_path / "bag")
    if sealed:
        seal(bag, COUNTS)
    (result,) = recover_folder(tmp_path)
    assert (result.messages, result.error) == (32, "")
    assert check_files(bag) == COUNTS
    description = yaml.safe_load((bag / "episode.yaml").read_text())
    assert description["messages"] == COUNTS
    assert (description["recovered"], description["complete"]) == (True, False)
    assert recover_folder(tmp_path) == []


def test_a_bag_that_was_damaged_before_it_was_described_is_an_error(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0), complete=False, stop=None).write(tmp_path / "bag")
    seal(bag, COUNTS)
    with (bag / "metadata.yaml").open("a") as file:
        file.write("# edited")
    (result,) = recover_folder(tmp_path)
    assert "metadata.yaml is longer than recorded" in result.error


def foreign(path):
    """An MCAP with a binary schema, not closed, as other recorders make them."""
    path.mkdir()
    stream = BytesIO()
    writer = McapWriter(stream, chunk_size=1)
    writer.start()
    schema = writer.register_schema("foxglove.Pose", "protobuf", b"\xff\xfe\x00")
    channel = writer.register_channel("/pose", "protobuf", schema)
    for stamp in range(5):
        writer.add_message(channel, stamp, struct.pack("<d", stamp), stamp)
    (path / f"{path.name}.mcap").write_bytes(stream.getvalue())


def test_a_foreign_bag_is_one_line_and_the_next_one_is_mended(tmp_path, tiny, make_bag):
    foreign(tmp_path / "a")
    make_bag(tiny.episode(0)).write(tmp_path / "b", finish=False, flush_every=1)
    strange, mended = recover_folder(tmp_path)
    assert "'/pose' is not of ROS 2: its schema is protobuf" in strange.error and "\n" not in strange.error
    assert mended.messages == 32


def test_a_recorder_mends_only_what_a_recorder_has_described(tmp_path, tiny, make_bag):
    foreign(tmp_path / "a")
    make_bag(tiny.episode(0)).write(tmp_path / "b", finish=False, flush_every=1)  # no episode.yaml
    bag = make_bag(tiny.episode(1), task="t").write(tmp_path / "c", finish=False, flush_every=1)
    assert [result.bag for result in recover_recordings(tmp_path)] == [bag]
    assert not (tmp_path / "b/metadata.yaml").exists()


def test_bags_further_down_are_found_and_no_lock_is_left(tmp_path, tiny, make_bag):
    for index, name in enumerate(("play/episode_0000", "expert/one/episode_0000")):
        make_bag(tiny.episode(index)).write(tmp_path / name, finish=False, flush_every=1)
    assert [result.messages for result in recover_folder(tmp_path)] == [32, 32]
    assert list(tmp_path.rglob(LOCK)) == []
    lock_folder(tmp_path / "play").close()
    assert recover_folder(tmp_path) == []
    assert list(tmp_path.rglob(LOCK)) == [tmp_path / "play" / LOCK]  # it was there before


def test_damage_loose_files_and_sqlite_are_errors_that_say_what_to_do(tmp_path, tiny, make_bag, capsys):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "damaged", finish=False, flush_every=1)
    data = (bag / "damaged.mcap").read_bytes()
    half = len(data) // 2
    (bag / "damaged.mcap").write_bytes(data[:half] + bytes(64) + data[half + 64 :])
    sqlite = make_bag(tiny.episode(1))
    sqlite.storage = StoragePlugin.SQLITE3
    (sqlite.write(tmp_path / "sqlite") / "metadata.yaml").unlink()
    assert main(["doctor", "--recover", str(tmp_path)]) == 3
    first, second, last = capsys.readouterr().out.splitlines()
    assert "messages recovered" in first and "kept as damaged.mcap.damaged" in first
    assert "ros2 bag reindex -s sqlite3" in second
    assert last == "1 of 2 unfinished bags recovered"


def test_a_folder_that_nobody_may_look_into_is_passed_over(tmp_path, tiny, make_bag, monkeypatch):
    """As lost+found on a USB disk; root may look, so the system is asked to refuse."""
    make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1)
    (tmp_path / "lost+found").mkdir()

    def refuse(path, ask):
        if "lost+found" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return ask(path)

    for name in ("iterdir", "is_file"):
        ask = getattr(Path, name)
        monkeypatch.setattr(Path, name, lambda path, ask=ask: refuse(path, ask))
    assert [bag.name for bag in find_bags(tmp_path)] == ["bag"]
    assert [result.messages for result in recover_folder(tmp_path)] == [32]


def test_a_folder_without_a_bag_is_an_error(tmp_path):
    (tmp_path / "a/b/c/d").mkdir(parents=True)
    with pytest.raises(ClamError, match="no bag in"):
        recover_folder(tmp_path)


def test_a_damaged_description_is_left_to_the_importer(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag")
    write_description(bag, {"stop": None})
    (bag / "episode.yaml").write_text("- a list")
    assert recover_folder(tmp_path) == []
