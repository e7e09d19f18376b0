"""RealSense through the real librealsense; the device is the library's own software device, fed by the test."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

rs = pytest.importorskip(
    "pyrealsense2",
    reason="needs pyrealsense2 (wheels: Linux, x86_64 and aarch64) and libusb-1.0-0",
    exc_type=ImportError,
)

from clam_camera import realsense_camera  # noqa: E402
from clam_camera.realsense_camera import RealSenseCamera, calibration_of  # noqa: E402
from clam_camera.source import CameraLost, Settings  # noqa: E402
from clam_core.errors import ClamError  # noqa: E402

W, H, RATE = 64, 48, 30
PERIOD = 1000.0 / RATE  # [ms]


def intrinsics() -> Any:
    values = rs.intrinsics()
    values.width, values.height = W, H
    values.fx, values.fy, values.ppx, values.ppy = 60.0, 61.0, 31.5, 23.5
    values.model, values.coeffs = rs.distortion.brown_conrady, [0.0] * 5
    return values


class SoftwareCamera:
    """librealsense's software device: a colour and a depth stream, whose sensors are `baseline` [m] apart."""

    def __init__(self, serial: str = "123", depth_unit: float = 0.001, baseline: float = 0.0) -> None:
        self.depth_unit = depth_unit
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.serial_number, serial)
        self.colour, self.colour_profile = self._add("Color", rs.stream.color, rs.format.rgb8, 3, 0)
        self.depth, self.depth_profile = self._add("Depth", rs.stream.depth, rs.format.z16, 2, 1)
        self.depth.add_read_only_option(rs.option.depth_units, depth_unit)
        shift = rs.extrinsics()
        shift.rotation, shift.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [baseline, 0, 0]
        self.depth_profile.register_extrinsics_to(self.colour_profile, shift)
        self.device.create_matcher(rs.matchers.default)
        self.begin = time.time() * 1000

    def _add(self, name: str, kind: Any, pixels: Any, size: int, uid: int) -> tuple[Any, Any]:
        sensor, stream = self.device.add_sensor(name), rs.video_stream()
        stream.type, stream.fmt, stream.bpp, stream.uid, stream.index = kind, pixels, size, uid, 0
        stream.width, stream.height, stream.fps, stream.intrinsics = W, H, RATE, intrinsics()
        return sensor, sensor.add_video_stream(stream)

    def send(self, number: int, image: Any = None, depth: Any = None, domain: Any = None) -> float:
        """Send a frame of each given stream; its timestamp [ms]."""
        timestamp = self.begin + number * PERIOD
        streams = [(self.depth, self.depth_profile, depth, 2), (self.colour, self.colour_profile, image, 3)]
        for sensor, profile, pixels, size in streams:
            if pixels is not None:
                frame = rs.software_video_frame()
                frame.pixels, frame.stride, frame.bpp = pixels, W * size, size
                frame.timestamp, frame.frame_number = timestamp, number
                frame.domain = domain or rs.timestamp_domain.global_time
                frame.profile = profile.as_video_stream_profile()
                frame.depth_units = self.depth_unit if size == 2 else 0.0
                sensor.on_video_frame(frame)
        return timestamp


def picture(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 256, (H, W, 3), dtype=np.uint8)


def opened(software: SoftwareCamera, **settings: Any) -> RealSenseCamera:
    camera = RealSenseCamera(Settings(**settings), devices=lambda: [software.device])
    camera.open()
    return camera


def test_colour_frames_are_those_that_were_sent_with_number_and_capture_time() -> None:
    software = SoftwareCamera()
    camera = opened(software)
    for number in (1, 2, 5):
        timestamp = software.send(number, picture(number))
        frame = camera.read()
        assert np.array_equal(frame.image, picture(number))
        assert frame.number == number and frame.depth is None
        assert abs(frame.stamp - timestamp * 1e6) < 1000  # [ns] a double of milliseconds is that exact
    camera.close()


def test_a_frame_outlives_the_librarys_buffer() -> None:
    software = SoftwareCamera()
    camera = opened(software)
    software.send(1, picture(1))
    frame = camera.read()
    for number in range(2, 40):
        software.send(number, picture(number))
        camera.read()
    camera.close()
    assert np.array_equal(frame.image, picture(1))


@pytest.mark.parametrize(("unit", "sent", "expected"), [(0.001, 1200, 1200), (0.0001, 12004, 1200)])
def test_depth_comes_aligned_and_in_millimetres(unit: float, sent: int, expected: int) -> None:
    software = SoftwareCamera(depth_unit=unit, baseline=0.1)
    edge = W // 2 + 5  # at 1.2 m: focal length 60 pixels * 0.1 m / 1.2 m to the right
    camera = opened(software, depth=True)
    depth = np.full((H, W), sent, dtype=np.uint16)
    depth[:, : W // 2] = 0  # unknown
    frames = []
    for number in range(1, 6):
        software.send(number, picture(number), depth)
        frames.append(camera.read())
    camera.close()
    complete = [frame for frame in frames if frame.depth is not None]
    assert len(complete) >= 3
    last = complete[-1]
    assert np.array_equal(last.image, picture(last.number))
    assert last.depth.shape == (H, W) and last.depth.dtype == np.uint16
    seen = last.depth[4:-4, edge + 1 : -2]
    assert set(np.unique(seen)) <= {0, expected} and (seen == expected).mean() > 0.9  # librealsense leaves some holes
    assert (last.depth[:, : edge - 1] == 0).all()


def test_hardware_clock_times_are_mapped_to_the_system_clock() -> None:
    software = SoftwareCamera()
    software.begin = 1000.0  # [ms] since the device was switched on
    camera = opened(software)
    stamps = []
    for number in range(1, 6):
        before = time.time_ns()
        software.send(number, picture(number), domain=rs.timestamp_domain.hardware_clock)
        stamps.append(camera.read().stamp)
        assert stamps[-1] <= time.time_ns() and (number > 1 or stamps[-1] >= before)
    camera.close()
    assert (np.diff(stamps) > 0).all()


def test_intrinsics_become_the_calibration() -> None:
    software = SoftwareCamera()
    camera = RealSenseCamera(Settings(), devices=lambda: [software.device])
    properties = camera.open()
    camera.close()
    assert (properties.width, properties.height, properties.rate) == (W, H, RATE)
    assert properties.calibration is not None
    assert properties.calibration.k == (60, 0, 31.5, 0, 61, 23.5, 0, 0, 1)
    assert properties.calibration.d == (0, 0, 0, 0, 0)
    distorted = intrinsics()
    distorted.coeffs = [0.1, -0.2, 0.001, 0.002, 0.03]
    assert calibration_of(distorted).d == pytest.approx((0.1, -0.2, 0.001, 0.002, 0.03))
    distorted.model = rs.distortion.kannala_brandt4
    assert (calibration_of(distorted).model, len(calibration_of(distorted).d)) == ("equidistant", 4)


@pytest.mark.parametrize("asked", ["0222", "222"])
def test_the_serial_number_chooses_the_camera(asked: str) -> None:
    first, second = SoftwareCamera("111"), SoftwareCamera("0222")
    camera = RealSenseCamera(Settings(device=asked), devices=lambda: [first.device, second.device])
    camera.open()
    second.send(1, picture(2))
    assert np.array_equal(camera.read().image, picture(2))
    camera.close()
    absent = RealSenseCamera(Settings(device="333"), devices=lambda: [first.device, second.device])
    with pytest.raises(CameraLost, match="RealSense 333 is not connected; connected serials: 111, 0222"):
        absent.open()


def test_on_this_machine_an_absent_camera_is_lost_rather_than_an_error() -> None:
    with pytest.raises(CameraLost, match="RealSense 000000000000 is not connected"):
        RealSenseCamera(Settings(device="000000000000")).open()


def test_a_camera_that_falls_silent_is_lost_and_can_be_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realsense_camera, "TIMEOUT", 50)
    software = SoftwareCamera()
    camera = opened(software)
    with pytest.raises(CameraLost, match="RealSense 123 sent no frame"):
        camera.read()
    monkeypatch.undo()
    camera.open()
    software.send(1, picture(1))
    assert np.array_equal(camera.read().image, picture(1))
    camera.close()


def test_a_mode_that_the_camera_lacks_names_those_it_has() -> None:
    with pytest.raises(ClamError, match=r"no color stream of 640x480 at 30 Hz: choose one of 64x48 at 30 Hz"):
        opened(SoftwareCamera(), width=640, height=480, rate=30.0)
