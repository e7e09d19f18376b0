import os

import pytest
from rosbags.rosbag2 import Reader

from clam_core.data.bag_recovery import is_unfinished, recover, recover_bag


def contents(bag):
    with Reader(bag) as reader:
        return [(c.topic, c.msgtype, time, data) for c, time, data in reader.messages()]


def test_a_killed_recording_becomes_a_bag_that_opens(tmp_path, tiny, make_bag):
    whole = make_bag(tiny.episode(0)).write(tmp_path / "whole")
    killed = make_bag(tiny.episode(0)).write(tmp_path / "killed", finish=False, flush_every=8)
    assert is_unfinished(killed)
    with pytest.raises(FileNotFoundError):
        Reader(killed)
    kept = recover_bag(killed)
    assert kept == 32 // 8 * 8  # 11 observations, 10 commands and 11 statuses; chunks of eight messages
    assert not is_unfinished(killed)
    assert contents(killed) == contents(whole)[:kept]
    assert sorted(p.name for p in killed.iterdir()) == ["integrity.json", "killed.mcap", "metadata.yaml"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed", "whole"]


def test_every_place_to_be_cut_off_leaves_a_sound_beginning(tmp_path, tiny, make_bag):
    whole = contents(make_bag(tiny.episode(0, steps=3)).write(tmp_path / "whole"))
    killed = make_bag(tiny.episode(0, steps=3)).write(tmp_path / "killed", finish=False, flush_every=1)
    size = (killed / "killed.mcap").stat().st_size
    counts = []
    for i, length in enumerate(range(size, 0, -size // 12)):
        copy = tmp_path / f"copy{i}"
        copy.mkdir()
        (copy / f"copy{i}.mcap").write_bytes((killed / "killed.mcap").read_bytes()[:length])
        counts.append(recover_bag(copy))
        if counts[-1]:
            assert contents(copy) == whole[: counts[-1]]
    assert counts[0] == len(whole)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


def test_a_finished_bag_is_left_alone(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag")
    before = {p.name: p.read_bytes() for p in bag.iterdir()}
    assert recover(bag, tmp_path) is None
    assert recover_bag(bag) == 32
    assert {p.name: p.read_bytes() for p in bag.iterdir()} == before


def test_being_killed_between_the_two_replacements_is_mended_next_time(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag")
    os.unlink(bag / "metadata.yaml")
    assert is_unfinished(bag)
    assert recover_bag(bag) == 32
    assert len(contents(bag)) == 32


def test_a_flipped_byte_ends_what_is_kept_but_is_no_crash(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=4)
    file = bag / "bag.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    file.write_bytes(bytes(data))
    assert 0 < recover_bag(bag) <= 32


def test_a_file_without_any_message_is_left_as_it_is(tmp_path):
    bag = tmp_path / "bag"
    bag.mkdir()
    (bag / "bag.mcap").write_bytes(b"\x89MCAP0\r\n")
    assert recover_bag(bag) == 0
    assert [p.name for p in bag.iterdir()] == ["bag.mcap"]
