"""Intel RealSense through librealsense: colour, and depth aligned to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyrealsense2 as rs

from clam_camera.calibration import Calibration, pinhole
from clam_camera.hardware_clock import HardwareClock
from clam_camera.source import CameraLost, Frame, Properties, Settings
from clam_core.errors import ClamError

TIMEOUT = 1000  # [ms] without a frame: the camera is lost
QUEUE = 4  # framesets that wait to be read
PREFERRED = (640, 480, 30)  # nearest to it is taken for what `Settings` leave open


def connected_devices() -> Iterable[Any]:
    """The RealSense cameras on USB."""
    return rs.context().query_devices()


class RealSenseCamera:
    """`Settings.device` is the serial number; empty: the first camera.

    Sensors are opened directly rather than through `rs.pipeline`, which accepts no software device: the code that
    tests run is the code that cameras run. `devices` lists what is connected.
    """

    def __init__(self, settings: Settings, devices: Callable[[], Iterable[Any]] = connected_devices) -> None:
        self._settings = settings
        self._devices = devices
        self._sensors: list[Any] = []
        self._name = "RealSense"

    def open(self) -> Properties:
        """See `CameraSource`."""
        self.close()
        device = self._find()
        colour = self._choose(device, rs.stream.color, rs.format.rgb8, PREFERRED)
        mode = _mode(colour[1])
        streams = [colour]
        if self._settings.depth:
            streams.append(self._choose(device, rs.stream.depth, rs.format.z16, mode, size=False))
        self._align = rs.align(rs.stream.color)
        self._syncer = rs.syncer(QUEUE)
        self._clock = HardwareClock()
        for sensor in device.query_sensors():
            profiles = [profile for owner, profile in streams if owner == _name(sensor)]
            if profiles:
                self._start(sensor, profiles)
        return Properties(*mode, calibration_of(colour[1].get_intrinsics()))

    def read(self) -> Frame:
        """See `CameraSource`. Until depth and colour are in step, the first frames may come without depth."""
        deadline = time.monotonic() + TIMEOUT / 1000
        while time.monotonic() < deadline:
            received, frames = self._syncer.try_wait_for_frames(TIMEOUT)
            arrival = time.time_ns()
            if not received:
                break
            colour, depth = frames.get_color_frame(), frames.get_depth_frame()
            if not colour:
                continue
            if self._settings.depth and depth:
                depth = self._align.process(frames).get_depth_frame()
            image = np.array(np.asanyarray(colour.get_data()), dtype=np.uint8)
            return Frame(image, self._stamp(colour, arrival), colour.get_frame_number(), _millimetres(depth))
        raise CameraLost(f"{self._name} sent no frame for {TIMEOUT / 1000:g} s")

    def close(self) -> None:
        """See `CameraSource`."""
        while self._sensors:
            sensor = self._sensors.pop()
            for step in (sensor.stop, sensor.close):
                with contextlib.suppress(RuntimeError):  # an unplugged camera cannot be stopped
                    step()

    def _find(self) -> Any:
        wanted = self._settings.device
        serials = {device.get_info(rs.camera_info.serial_number): device for device in self._devices()}
        for serial, device in serials.items():
            # Without the leading zeros, which a serial number loses when something takes it for a number.
            if not wanted or serial.lstrip("0") == wanted.lstrip("0"):
                self._name = f"RealSense {serial}"
                return device
        name = f"RealSense {wanted}".strip()
        raise CameraLost(f"{name} is not connected; connected serials: {', '.join(serials) or 'none'}")

    def _choose(
        self, device: Any, kind: Any, pixels: Any, near: tuple[float, ...], size: bool = True
    ) -> tuple[str, Any]:
        """Name of the sensor and the profile of a stream; of those that fit, the one nearest to `near`."""
        wanted = (self._settings.width * size, self._settings.height * size, self._settings.rate)
        offered = [
            (_name(sensor), profile.as_video_stream_profile())
            for sensor in device.query_sensors()
            for profile in sensor.get_stream_profiles()
            if profile.stream_type() == kind and profile.format() == pixels
        ]
        fitting = [
            (name, profile)
            for name, profile in offered
            if all(not want or want == have for want, have in zip(wanted, _mode(profile), strict=True))
        ]
        if not fitting:
            modes = sorted({_text(_mode(profile)) for _, profile in offered})
            asked = _text(wanted)
            raise ClamError(
                f"{self._name} has no {kind.name} stream of {asked}: choose one of {', '.join(modes) or 'none'}"
            )
        return min(fitting, key=lambda item: sum(abs(a - b) for a, b in zip(_mode(item[1]), near, strict=True)))

    def _start(self, sensor: Any, profiles: list[Any]) -> None:
        if sensor.supports(rs.option.global_time_enabled):
            sensor.set_option(rs.option.global_time_enabled, 1.0)
        sensor.open(profiles)
        self._sensors.append(sensor)
        sensor.start(self._syncer)

    def _stamp(self, frame: Any, arrival: int) -> int:
        """System time [ns] of a frame: the library's where it maps the clocks, else mapped here."""
        time_ns = round(frame.get_timestamp() * 1e6)
        if frame.get_frame_timestamp_domain() == rs.timestamp_domain.hardware_clock:
            return self._clock.to_system(time_ns, arrival)
        return time_ns


def _name(sensor: Any) -> str:
    return str(sensor.get_info(rs.camera_info.name))


def _mode(profile: Any) -> tuple[int, int, int]:
    return profile.width(), profile.height(), profile.fps()


def _text(mode: Sequence[float]) -> str:
    width, height, rate = (f"{value:g}" if value else "any" for value in mode)
    return f"{width}x{height} at {rate} Hz"


def _millimetres(depth: Any) -> Any:
    """Depth frame as uint16 [mm]; None without one."""
    if not depth:
        return None
    values = np.asanyarray(depth.get_data())
    scale = 1000.0 * depth.get_units()
    if abs(scale - 1.0) < 1e-4:
        return values.copy()
    return np.clip(np.rint(values * scale), 0, 65535).astype(np.uint16)


def calibration_of(intrinsics: Any) -> Calibration:
    """Intrinsics of librealsense in the terms of ROS."""
    i = intrinsics
    fisheye = i.model == rs.distortion.kannala_brandt4
    model, count = ("equidistant", 4) if fisheye else ("plumb_bob", 5)
    return pinhole(i.width, i.height, (i.fx, i.fy), (i.ppx, i.ppy), i.coeffs[:count], model)
