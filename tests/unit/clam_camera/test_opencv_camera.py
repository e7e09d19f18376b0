"""Video files through the real OpenCV. No webcam: what is said about them is arithmetic and error lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs OpenCV (pip install opencv-python-headless)")

from clam_camera.opencv_camera import OpenCVCamera, capture_stamp
from clam_camera.source import CameraLost, EndOfVideo, Settings
from clam_core.errors import ClamError

MakeVideo = Callable[..., tuple[Path, Any]]


def test_frames_are_those_of_the_file_in_rgb(make_video: MakeVideo) -> None:
    path, images = make_video(frames=5)
    camera = OpenCVCamera(Settings(device=str(path), loop=False, paced=False))
    properties = camera.open()
    assert (properties.width, properties.height, properties.rate) == (64, 48, 20.0)
    frames = [camera.read() for _ in images]
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, images, strict=True))
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5]
    with pytest.raises(EndOfVideo, match="has ended"):
        camera.read()
    camera.close()
    camera.close()


def test_a_looped_file_begins_again_and_goes_on_counting(make_video: MakeVideo) -> None:
    path, images = make_video(frames=3)
    camera = OpenCVCamera(Settings(device=str(path), paced=False))
    camera.open()
    frames = [camera.read() for _ in range(8)]
    camera.close()
    assert all(np.array_equal(frame.image, images[index % 3]) for index, frame in enumerate(frames))
    assert [frame.number for frame in frames] == list(range(1, 9))


@pytest.mark.parametrize(("asked", "rate"), [(0.0, 20.0), (50.0, 50.0)])
def test_a_paced_file_plays_no_faster_than_its_rate_or_the_one_asked_for(
    make_video: MakeVideo, asked: float, rate: float
) -> None:
    path, _ = make_video(frames=3)
    camera = OpenCVCamera(Settings(device=str(path), rate=asked))
    assert camera.open().rate == rate
    begin = time.monotonic()
    frames = [camera.read() for _ in range(11)]
    camera.close()
    assert time.monotonic() - begin >= 10 / rate - 0.001
    stamps = [frame.stamp for frame in frames]
    assert (np.diff(stamps) > 0).all() and abs(stamps[-1] - time.time_ns()) < 60e9


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match=r"no video file '.*none.mp4': `device` is an index"):
        OpenCVCamera(Settings(device=str(tmp_path / "none.mp4")))


def test_a_file_that_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("words")
    with pytest.raises(ClamError, match="is no video"):
        OpenCVCamera(Settings(device=str(tmp_path / "x.mp4"))).open()


def test_another_size_than_the_one_asked_for_is_refused(make_video: MakeVideo) -> None:
    path, _ = make_video()
    with pytest.raises(ClamError, match="gives 64x48, not 640x48"):
        OpenCVCamera(Settings(device=str(path), width=640)).open()


@pytest.mark.parametrize("device", ["/dev/v4l/by-id/usb-none-index0", "/dev/video987", "987"])
def test_a_webcam_that_is_not_connected_is_lost_and_no_error_in_the_settings(device: str) -> None:
    camera = OpenCVCamera(Settings(device=device))
    with pytest.raises(CameraLost, match="is not connected"):
        camera.open()


def test_what_a_webcam_cannot_do_is_refused_at_once() -> None:
    with pytest.raises(ClamError, match="no depth"):
        OpenCVCamera(Settings(depth=True))
    with pytest.raises(ClamError, match="four letters"):
        OpenCVCamera(Settings(fourcc="MJPEG"))


def test_the_kernels_stamp_is_believed_only_when_it_can_be_one() -> None:
    now, monotonic = 1_700_000_000 * 10**9, 5_000 * 10**9
    assert capture_stamp(4_999_980.0, now, monotonic) == now - 20_000_000  # 20 ms before the grab
    for position in (0.0, 5_000_001.0, 4_990_000.0, -1.0):  # unknown, in the future, too old, unsupported
        assert capture_stamp(position, now, monotonic) == now
