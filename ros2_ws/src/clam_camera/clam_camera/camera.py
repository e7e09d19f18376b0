"""Camera node: the frames of one camera as images, JPEG and camera_info, stamped at capture."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from clam_camera.calibration import check_size, load_calibration
from clam_camera.capture import Backoff, Capture, State
from clam_camera.messages import InfoWriter, JpegWriter
from clam_camera.registry import BACKENDS, make_source
from clam_camera.source import CameraSource, Frame, Properties, Settings
from clam_camera.stream_statistics import StreamStatistics
from clam_camera.transport_profile import use_profile
from clam_core.errors import ClamError
from clam_ros import names
from clam_ros.images import ImageWriter
from clam_ros.node import ERROR, OK, WARN, Node
from clam_ros.run import run

DEPTH = "camera/{name}/aligned_depth_to_color/image_raw"  # as realsense2_camera names it
COMPRESS = ("subscribed", "always", "never")
QUEUE = 4  # frames between the capture thread and the executor
SLOW = 0.8  # a rate below this part of the requested one is worth a warning


class Camera(Node):
    """Captures in a thread of its own, publishes from the executor: no callback ever waits for the camera."""

    def __init__(self) -> None:
        super().__init__("camera")
        self.declare("camera", "camera", "Name of the camera: topics are camera/NAME/….")
        self.declare("backend", "opencv", "Library that captures.", choices=tuple(BACKENDS))
        about = "Serial number (realsense); index, /dev/v4l/by-id/… or video file (opencv); external or over_shoulder."
        # Serial numbers and indices are digits, which a command line takes for integers.
        self.declare_parameter("device", "", ParameterDescriptor(description=about, dynamic_typing=True))
        self.declare("width", 0, "Width [pixels]; 0 for the device's own.", low=0, high=8192)
        self.declare("height", 0, "Height [pixels]; 0 for the device's own.", low=0, high=8192)
        self.declare("rate", 0.0, "Frames per second [Hz]; 0 for the device's own.", low=0.0, high=1000.0)
        self.declare("depth", False, "Publish depth aligned to the image, 16UC1 [mm].")
        self.declare("loop", True, "Video file: begin again at its end.")
        self.declare("paced", True, "Video file: play at its rate, rather than as fast as it can be read.")
        self.declare("fourcc", "", "Webcam: pixel format, such as MJPG; empty for the device's own.")
        self.declare("frame_id", "", "Frame of the stamps' headers; empty: NAME_optical_frame.")
        self.declare("calibration", "", "Calibration file of camera_calibration (YAML); empty: the device's own.")
        self.declare("compress", "subscribed", "When to publish JPEG.", choices=COMPRESS)
        self.declare("jpeg_quality", 90, "Quality of the JPEG.", low=1, high=100)
        self.declare("stale_after", 1.0, "No frame for this long is an error [s].", low=0.01, high=3600.0)
        self.declare(
            "reconnect_first", 0.5, "First pause before a lost camera is opened again [s].", low=0.01, high=60.0
        )
        self.declare("reconnect_longest", 10.0, "Longest such pause; each doubles [s].", low=0.01, high=600.0)
        self._capture: Capture | None = None
        self._statistics = StreamStatistics()
        self._frames: deque[tuple[Frame, Properties]] = deque()

    def configure(self) -> None:
        """Check all that can be checked without the camera; make the publishers."""
        name = self.value("camera")
        self._path = self.value("calibration")
        self._calibration = load_calibration(self._path) if self._path else None
        self._source = self.make_source()
        self._frame_id = self.value("frame_id") or f"{name}_optical_frame"
        self._stale_after = self.value("stale_after")
        self._compress = self.value("compress")
        self._sim_time = self.value("use_sim_time")
        self._properties: Properties | None = None  # of the frames sent last
        self._counted: Properties | None = None  # of the frames counted last
        self._fault = ""
        self._overruns = self._stamps_back = self._last_stamp = 0

        self._image = ImageWriter(name, self._frame_id)
        self._depth = ImageWriter(name, self._frame_id, "16UC1")
        self._jpeg = None if self._compress == "never" else JpegWriter(self._frame_id, self.value("jpeg_quality"))
        self._info = InfoWriter(self._frame_id, 0, 0, None)
        qos = qos_profile_sensor_data
        self._publish_image = self.publish(Image, names.IMAGE.format(name=name), qos)
        self._publish_info = self.publish(CameraInfo, names.CAMERA_INFO.format(name=name), qos)
        if self._jpeg is not None:
            self._publish_jpeg = self.publish(CompressedImage, names.COMPRESSED.format(name=name), qos)
        self._publish_depth = self.publish(Image, DEPTH.format(name=name), qos) if self.value("depth") else None
        self._arrived = self._own(self.destroy_guard_condition, self.create_guard_condition(self._on_frames))

    def make_source(self) -> CameraSource:
        """The source that the parameters describe, not opened yet."""
        fields = ("device", "width", "height", "rate", "depth", "loop", "paced", "fourcc")
        values = {field: self.value(field) for field in fields}
        values |= {"device": str(values["device"]), "namespace": self.get_namespace()}
        return make_source(self.value("backend"), Settings(**values))

    def activate(self) -> None:
        """Start capturing; a camera that is not there yet is waited for."""
        backoff = Backoff(self.value("reconnect_first"), self.value("reconnect_longest"))
        self._statistics = StreamStatistics()
        self._since = time.monotonic()
        self._frames.clear()
        self._capture = Capture(self._source, self._deliver, self.get_logger().warning, backoff, after=self._capture)
        self._capture.start()

    def deactivate(self) -> None:
        """Stop capturing; the camera is released in the background."""
        if self._capture is not None:
            self._capture.stop()

    # Frames -------------------------------------------------------------------------------------------------

    def _deliver(self, frame: Frame) -> None:
        """In the capture thread."""
        assert self._capture is not None and self._capture.properties is not None
        properties = self._capture.properties
        if properties is not self._counted:
            self._statistics.restart()
            self._counted = properties
        self._statistics.add(time.monotonic(), frame.number)
        if len(self._frames) >= QUEUE:
            self._overruns += 1
            with contextlib.suppress(IndexError):  # the executor has just taken it
                self._frames.popleft()
        self._frames.append((frame, properties))
        self._arrived.trigger()

    def _on_frames(self) -> None:
        while self._frames and self.active:
            try:
                frame, properties = self._frames.popleft()
            except IndexError:  # the capture thread has just dropped it
                break
            if properties is not self._properties:
                self._properties = properties
                self._prepare(frame, properties)
            self._send(frame)

    def _prepare(self, frame: Frame, properties: Properties) -> None:
        """The camera was opened: choose its calibration."""
        height, width = frame.image.shape[:2]
        calibration = self._calibration or properties.calibration
        self._fault = ""
        try:
            if calibration is not None:
                check_size(calibration, width, height, self._path or "of the device")
        except ClamError as error:
            self._fault, calibration = str(error), None
            self.get_logger().error(self._fault)
        self._info = InfoWriter(self._frame_id, width, height, calibration)
        self.get_logger().info(f"camera {self.value('camera')}: {width}x{height}, {self._requested_rate():g} Hz")

    def _send(self, frame: Frame) -> None:
        stamp = self._ros_time(frame.stamp)
        self._stamps_back += stamp <= self._last_stamp
        self._last_stamp = stamp
        if self._publish_image.get_subscription_count():
            self._publish_image.publish(self._image.message(stamp, frame.image))
        if self._publish_depth is not None and frame.depth is not None:
            self._publish_depth.publish(self._depth.message(stamp, frame.depth))
        if not self._fault:
            self._publish_info.publish(self._info.message(stamp))
        if self._jpeg is not None and (self._compress == "always" or self._publish_jpeg.get_subscription_count()):
            self._publish_jpeg.publish(self._jpeg.message(stamp, frame.image))

    def _ros_time(self, stamp: int) -> int:
        """ROS time [ns] of system time `stamp` [ns]; they differ under simulated time only."""
        if not self._sim_time:
            return stamp
        return int(self.get_clock().now().nanoseconds) - (time.time_ns() - stamp)

    # Diagnostics --------------------------------------------------------------------------------------------

    def diagnose(self) -> tuple[bytes, str]:
        """Error while there are no frames, or no camera_info; warning while they come too slowly."""
        now, capture, statistics = time.monotonic(), self._capture, self._statistics
        rate, wanted, age = statistics.rate(now), self._requested_rate(), statistics.age(now)
        values: dict[str, Any] = self.counters  # here numbers of all kinds
        values["rate [Hz]"] = f"{rate:.2f}"
        values["requested rate [Hz]"] = f"{wanted:.2f}"
        values["age of last frame [s]"] = f"{age:.3f}"
        values["frames"], values["drops"] = statistics.frames, statistics.drops
        if capture is None or not self.active:
            values["state"] = "inactive"
            return OK, "inactive"
        values["overruns"], values["stamps not monotone"] = self._overruns, self._stamps_back
        values["reconnects"], values["state"] = capture.reconnects, capture.state.value
        if capture.state is State.ENDED:
            return OK, capture.reason
        if capture.reason:
            return ERROR, capture.reason
        if min(age, now - self._since) > self._stale_after:
            return ERROR, f"no frame for {min(age, now - self._since):.1f} s"
        if self._fault:
            return ERROR, self._fault
        if statistics.frames == 0:
            return WARN, "no frame yet"
        slow = wanted > 0 and rate < SLOW * wanted and now - self._since > 2.0
        return (WARN, f"{rate:.1f} Hz of {wanted:g} Hz") if slow else (OK, f"{rate:.1f} Hz")

    def _requested_rate(self) -> float:
        """Of the parameter, else nominal rate of the device [Hz]; 0: unknown."""
        nominal = self._properties.rate if self.active and self._properties else 0.0
        return float(self.value("rate") or nominal)


def main() -> int:
    """Console script."""
    use_profile()
    return run(Camera)


if __name__ == "__main__":
    raise SystemExit(main())
