"""Videos through ffmpeg: one that complains a lot is read to its end, and any path is a file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from clam_core.data import videos
from clam_core.data.videos import VideoError, VideoWriter, read_frames

# Says more than a pipe holds before it does its work. Where that would wait for a reader, it fails instead.
TALKATIVE = """
import os, sys
os.set_blocking(2, False)
said = 0
while said < 2**20:
    said += os.write(2, b"error while decoding\\n" * 1000)
os.write(2, b"the last word\\n")
"""
READER = TALKATIVE + "os.write(1, bytes(2 * 4 * 4 * 3))"
WRITER = TALKATIVE + "sys.stdin.buffer.read(); sys.exit(1)"


def test_a_video_with_many_errors_does_not_hang_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mp4").touch()
    monkeypatch.setattr(videos, "_ffmpeg", lambda: [sys.executable, "-c", READER])
    frames = read_frames(tmp_path / "x.mp4", 4, 4, 10, 0, 3)
    assert next(frames).shape == next(frames).shape == (4, 4, 3)
    with pytest.raises(VideoError, match=r"ends at frame 2 of 3 \(the last word\)"):
        next(frames)


def test_an_encoder_with_many_warnings_does_not_hang_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "_ffmpeg", lambda: [sys.executable, "-c", WRITER])
    writer = VideoWriter(tmp_path / "x.mp4", 4, 4, 10)
    writer.write(np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(VideoError, match=r"'x\.mp4' could not be encoded: the last word"):
        writer.close()


def test_a_path_with_a_colon_is_not_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("2026-05-01T12:00:00/x.mp4")
    writer = VideoWriter(path, 16, 16, 10)
    for value in (0, 100, 200):
        writer.write(np.full((16, 16, 3), value, dtype=np.uint8))
    writer.close()
    frames = list(read_frames(path, 16, 16, 10, 0, 3))
    assert [round(float(frame.mean()), -1) for frame in frames] == [0, 100, 200]


def test_a_video_that_is_not_read_to_its_end_leaves_no_process(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "x.mp4", 16, 16, 10)
    for _ in range(9):
        writer.write(np.zeros((16, 16, 3), dtype=np.uint8))
    writer.close()
    frames = read_frames(tmp_path / "x.mp4", 16, 16, 10, 0, 9)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    abandoned = VideoWriter(tmp_path / "y.mp4", 16, 16, 10)
    abandoned.kill()
