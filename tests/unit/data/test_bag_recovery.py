import os
import shutil

import pytest
from rosbags.rosbag2 import Reader, StoragePlugin

from clam_core.data.bag_integrity import check_files
from clam_core.data.bag_recovery import is_unfinished, mend_bag, recover, recover_bag
from clam_core.data.bag_scan import McapScan
from clam_core.errors import ClamError


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


def spoil(file, where, length=64):
    data = bytearray(file.read_bytes())
    begin = int(len(data) * where)
    data[begin : begin + length] = bytes(length)
    file.write_bytes(data)


def test_what_follows_a_damaged_spot_is_kept_and_so_is_the_original(tmp_path, tiny, make_bag):
    whole = contents(make_bag(tiny.episode(0)).write(tmp_path / "whole"))
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1)
    spoil(bag / "bag.mcap", 0.6)
    before = (bag / "bag.mcap").read_bytes()
    mended = mend_bag(bag)
    assert len(whole) - 4 <= mended.kept < len(whole)
    assert contents(bag)[-1] == whole[-1]
    assert mended.originals == ("bag.mcap.damaged",) and mended.lost >= 64
    assert (bag / "bag.mcap.damaged").read_bytes() == before
    assert not is_unfinished(bag)
    check_files(bag)
    assert mend_bag(bag).originals == ()


def test_an_end_that_is_only_cut_off_is_no_damage(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=8)
    data = (bag / "bag.mcap").read_bytes()
    for length in range(len(data) - 300, len(data), 7):
        (tmp_path / "cut").write_bytes(data[:length])
        scan = McapScan(tmp_path / "cut")
        assert 16 <= sum(1 for _ in scan) <= 32 and scan.damaged == 0, length
    (tmp_path / "zeros").write_bytes(data[:-20] + bytes(5000))  # of a power cut: never written
    scan = McapScan(tmp_path / "zeros")
    assert sum(1 for _ in scan) >= 16


def test_a_file_that_is_whole_is_never_written_anew(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0)).write(tmp_path / "bag")
    (bag / "metadata.yaml").unlink()
    before = (bag / "bag.mcap").stat().st_ino
    assert mend_bag(bag).kept == 32
    assert (bag / "bag.mcap").stat().st_ino == before
    assert len(contents(bag)) == 32


def test_several_recordings_in_one_folder_are_refused_and_left_alone(tmp_path, tiny, make_bag):
    folder = tmp_path / "loose"
    folder.mkdir()
    for index in range(3):
        bag = make_bag(tiny.episode(index)).write(tmp_path / f"run_{index}", finish=index < 2, flush_every=1)
        shutil.move(bag / f"run_{index}.mcap", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for names in (("run_0.mcap", "run_1.mcap", "run_2.mcap"), ("run_0.mcap", "run_1.mcap")):
        for path in folder.iterdir():
            if path.name not in names:
                path.unlink()
        for mend in (mend_bag, lambda bag: recover(bag, tmp_path / "scratch")):
            with pytest.raises(ClamError, match="several recordings; put each in its own folder"):
                mend(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: before[name] for name in names}


def test_a_split_recording_keeps_its_whole_files_and_becomes_one_bag(tmp_path, tiny, make_bag):
    folder = tmp_path / "long"
    folder.mkdir()
    for index in range(3):
        bag = make_bag(tiny.episode(index), start=10**9 * (1 + index)).write(
            tmp_path / f"part_{index}", finish=index < 2, flush_every=1
        )
        shutil.move(bag / f"part_{index}.mcap", folder / f"long_{index}.mcap")
    whole = [(folder / f"long_{index}.mcap").stat().st_ino for index in range(2)]
    assert mend_bag(folder).kept == 96
    assert [(folder / f"long_{index}.mcap").stat().st_ino for index in range(2)] == whole
    assert [time for _, _, time, _ in contents(folder)] == sorted(time for _, _, time, _ in contents(folder))
    assert len(contents(folder)) == 96
    check_files(folder)


def test_an_unfinished_sqlite_bag_is_told_what_mends_it(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0))
    bag.storage = StoragePlugin.SQLITE3
    path = bag.write(tmp_path / "bag")
    (path / "metadata.yaml").unlink()
    with pytest.raises(ClamError, match=f"ros2 bag reindex -s sqlite3 {path}"):
        mend_bag(path)


def test_a_bag_named_by_a_dot_is_mended(tmp_path, tiny, make_bag, monkeypatch):
    monkeypatch.chdir(make_bag(tiny.episode(0)).write(tmp_path / "bag", finish=False, flush_every=1))
    assert recover_bag(".") == 32


def test_a_file_without_any_message_is_left_as_it_is(tmp_path):
    bag = tmp_path / "bag"
    bag.mkdir()
    (bag / "bag.mcap").write_bytes(b"\x89MCAP0\r\n")
    assert recover_bag(bag) == 0
    assert [p.name for p in bag.iterdir()] == ["bag.mcap"]
