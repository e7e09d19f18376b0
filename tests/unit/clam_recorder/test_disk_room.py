"""Room on the disk, and how long it lasts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from clam_recorder.disk_room import BALLAST, MEBIBYTE, DiskRoom


@pytest.fixture
def ten_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = SimpleNamespace(f_bavail=10, f_frsize=MEBIBYTE)
    monkeypatch.setattr("clam_recorder.disk_room.os.statvfs", lambda _: facts)


def test_the_reserve_belongs_to_others(tmp_path: Path, ten_mebibytes: None) -> None:
    assert DiskRoom(tmp_path, 4 * MEBIBYTE).free() == 6 * MEBIBYTE
    assert DiskRoom(tmp_path, 40 * MEBIBYTE).free() == 0


def test_what_does_not_last_is_refused_with_the_numbers(tmp_path: Path, ten_mebibytes: None) -> None:
    room = DiskRoom(tmp_path, 4 * MEBIBYTE)
    assert room.refusal(0.0, 10.0) is None
    assert room.refusal(MEBIBYTE / 120, 10.0) is None  # 12 minutes
    assert "lasts for 0.1 of 10 min (6 MiB at 1.0 MiB/s)" in str(room.refusal(MEBIBYTE, 10.0))
    assert "is full" in str(DiskRoom(tmp_path, 10 * MEBIBYTE).refusal(0.0, 0.0))


def test_a_folder_that_is_gone_has_no_room_and_says_why(tmp_path: Path) -> None:
    room = DiskRoom(tmp_path / "gone", 0)
    assert room.free() == 0
    assert "is gone (No such file or directory)" in str(room.refusal(0.0, 0.0))
    room.drop_ballast()


def test_the_ballast_occupies_room_and_gives_it_back(tmp_path: Path) -> None:
    room = DiskRoom(tmp_path, 0)
    assert room.take_ballast() and room.take_ballast()
    (file,) = tmp_path.iterdir()
    assert file.stat().st_blocks * 512 >= BALLAST
    room.drop_ballast()
    room.drop_ballast()
    assert not list(tmp_path.iterdir())
