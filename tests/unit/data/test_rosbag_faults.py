"""Bags that are sound and were refused, or not and were taken; and machines without room, which are no bag's fault."""

import errno
import logging

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from clam_core.data import bag_integrity, bag_reader
from clam_core.data.bag_integrity import seal
from clam_core.data.importing import ImportOptions
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

SECOND = 10**9
OPTIONS = ImportOptions(rate=5.0)
COUNTS = {"/observation/state": 11, "/command": 10, "/episode/status": 11}


@pytest.fixture
def robot(make_bag, tiny):
    """States and commands at 50 Hz that count themselves, received 2 ms later; commands begin at 1 s."""

    def make(speed=1.0):
        bag, start = make_bag(tiny.episode(0), simulated=False, success=True), 10**12
        ticks = [start + i * SECOND // 50 for i in range(201)]
        received = [start + round((stamp - start) / speed) + 2_000_000 for stamp in ticks]
        bag.states = [(s, ("a", "b", "c"), [i, 0, 1], r) for i, (s, r) in enumerate(zip(ticks, received, strict=True))]
        bag.commands = [(s, ("u", "v"), [i / 1000, 0], r + 1) for i, (s, *_, r) in enumerate(bag.states) if i >= 50]
        return bag

    return make


def imported(bag, tmp_path, name="bag", options=OPTIONS):
    import_rosbag(bag.write(tmp_path / name), tmp_path / f"{name}-out", options)
    return EpisodeStore.open(tmp_path / f"{name}-out").episode(0)


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_commands_stamped_now_that_begin_late_give_the_same_actions_as_stamped_ones(tmp_path, robot, speed):
    stamped = imported(robot(speed), tmp_path, "stamped")
    bag = robot(speed)
    bag.commands = [(0, *rest) for _, *rest in bag.commands]
    now = imported(bag, tmp_path, "now")
    assert len(now) == len(stamped) == 15
    np.testing.assert_allclose(now.actions, stamped.actions, atol=0.0011)  # one command of 20 ms


def test_an_action_is_the_last_command_before_the_next_observation(tmp_path, robot):
    episode = imported(robot(), tmp_path)
    states = episode.observations["state"][:, 0]
    np.testing.assert_allclose(episode.actions[:, 0] * 1000, states[1:] - 1, atol=1e-3)


def test_a_trajectory_of_several_points_is_rejected(tmp_path, robot, monkeypatch):
    bag = robot()
    written = type(bag).write.__globals__
    one = written["_message"]

    def several(kind, *row):
        message = one(kind, *row)
        if kind == written["COMMAND_TYPE"]:
            message.points.extend(2 * message.points)
        return message

    monkeypatch.setitem(written, "_message", several)
    with pytest.raises(ClamError, match="has 3 points; record the one-point command"):
        imported(bag, tmp_path)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (MemoryError("Unable to allocate 1.66 GiB"), "not enough memory to read the bag"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device.*: make room, or set TMPDIR"),
    ],
)
def test_a_machine_without_room_is_not_called_a_corrupt_bag(tmp_path, tiny, make_bag, monkeypatch, error, why):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1)

    def full(*_):
        raise error

    monkeypatch.setattr(bag_reader, "recover", full)
    with pytest.raises(ClamError, match=why) as caught:
        import_rosbag(bag, tmp_path / "out", ImportOptions())
    assert "corrupt" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_fault_of_ours_is_not_called_a_corrupt_bag(tmp_path, tiny, make_bag, monkeypatch):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag")
    with pytest.raises(KeyError, match="ours"), bag_reader.open_bag(bag):
        raise KeyError("ours")


def test_a_file_that_may_not_be_read_rejects_its_bag_only(tmp_path, tiny, make_bag, monkeypatch):
    """Root may read all, so the system is asked to refuse."""
    for index in range(2):
        seal(make_bag(tiny.episode(index)).write(tmp_path / f"bags/{index}"), COUNTS)

    class Refusing(bag_integrity.FileDigest):
        def update(self):
            if self.path.name == "1.mcap":
                raise PermissionError(13, "Permission denied")
            super().update()

    monkeypatch.setattr(bag_integrity, "FileDigest", Refusing)
    report = import_rosbag(tmp_path / "bags", tmp_path / "out", ImportOptions())
    assert report.kept == ("0",)
    assert report.rejected == (("1", "1.mcap cannot be read (Permission denied)"),)


@pytest.mark.parametrize("finish", [True, False])
def test_a_bag_named_by_a_dot_gives_its_episode_the_name_of_its_folder(tmp_path, tiny, make_bag, monkeypatch, finish):
    monkeypatch.chdir(make_bag(tiny.episode(0)).write(tmp_path / "wave", finish=finish, flush_every=1))
    report = import_rosbag(".", tmp_path / "out", ImportOptions())
    assert report.kept == ("wave",)
    assert EpisodeStore.open(tmp_path / "out").info.provenance["folder"] == "wave"


def test_bags_further_down_are_told_of(tmp_path, tiny, make_bag, caplog):
    make_bag(tiny.episode(0)).write(tmp_path / "bags/a")
    make_bag(tiny.episode(1)).write(tmp_path / "bags/more/b")
    with caplog.at_level(logging.WARNING):
        assert import_rosbag(tmp_path / "bags", tmp_path / "out", ImportOptions()).kept == ("a",)
    assert "1 deeper bags not read" in caplog.text
    with pytest.raises(ClamError, match=r"there are some in '.*/bags'"):
        import_rosbag(tmp_path, tmp_path / "none", ImportOptions())


def test_an_unfinished_sqlite_bag_says_what_mends_it(tmp_path, tiny, make_bag):
    for index in range(2):
        bag = make_bag(tiny.episode(index))
        bag.storage = StoragePlugin.SQLITE3
        bag.write(tmp_path / f"bags/{index}")
    (tmp_path / "bags/1/metadata.yaml").unlink()
    ((name, why),) = import_rosbag(tmp_path / "bags", tmp_path / "out", ImportOptions()).rejected
    assert name == "1" and "ros2 bag reindex -s sqlite3" in why and "corrupt" not in why
