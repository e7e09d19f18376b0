"""The camera node over real DDS: frames arrive as they were captured, and a lost camera is said and comes back."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
cv2 = pytest.importorskip("cv2", reason="needs OpenCV (pip install opencv-python-headless)")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from clam_camera.calibration import pinhole, save_calibration  # noqa: E402
from clam_camera.camera import Camera  # noqa: E402
from clam_camera.source import CameraLost, CameraSource, Frame, Properties  # noqa: E402
from clam_ros.images import ImageWriter  # noqa: E402
from clam_ros.node import ERROR, OK  # noqa: E402
from clam_ros.stamps import to_ns  # noqa: E402

W, H = 64, 48
CALIBRATION = pinhole(W, H, (60.0, 61.0), (31.5, 23.5), (0.1, -0.2, 0.001, 0.002, 0.0), "plumb_bob")


class FakeCamera:
    """No device: it gives the frames that the test puts into it, and is lost when the test unplugs it."""

    made: ClassVar[list[FakeCamera]] = []

    def __init__(self) -> None:
        self.made.append(self)
        self.frames: queue.Queue[Frame] = queue.Queue()
        self.plugged = True
        self.patience = 60.0  # [s] that `read` waits
        self.number = 0

    def put(self, count: int = 1, depth: bool = False) -> list[Frame]:
        made = []
        for _ in range(count):
            self.number += 1
            depths = np.full((H, W), 1000 + self.number, np.uint16) if depth else None
            stamp = 1_700_000_000_123_456_789 + self.number * 33_333_333
            made.append(Frame(picture(self.number), stamp, self.number, depths))
            self.frames.put(made[-1])
        return made

    def open(self) -> Properties:
        if not self.plugged:
            raise CameraLost("FakeCamera is not connected")
        return Properties(W, H, 30.0, CALIBRATION)

    def read(self) -> Frame:
        end = time.monotonic() + self.patience
        while self.plugged and time.monotonic() < end:
            try:
                return self.frames.get(timeout=0.01)
            except queue.Empty:
                pass
        raise CameraLost("FakeCamera was unplugged")

    def close(self) -> None: ...


class FakeCameraNode(Camera):
    """The camera node over a `FakeCamera`."""

    def make_source(self) -> CameraSource:
        self.fake = FakeCamera()
        return self.fake


def picture(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 256, (H, W, 3), dtype=np.uint8)


def pixels(message: Image) -> Any:
    assert (message.encoding, message.step, message.is_bigendian) == ("rgb8", 3 * message.width, 0)
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def receive(graph: Any, kind: type, name: str) -> list[Any]:
    messages: list[Any] = []
    graph.probe.create_subscription(kind, f"camera/front/{name}", messages.append, qos_profile_sensor_data)
    graph.spin_until(lambda: bool(graph.probe.count_publishers(f"camera/front/{name}")), what=f"publisher of {name}")
    return messages


def matched(graph: Any, *publishers: Any) -> None:
    graph.spin_until(lambda: all(publisher.get_subscription_count() for publisher in publishers), what="matched")


def diagnostics(graph: Any) -> Callable[[], tuple[bytes, str, dict[str, str]]]:
    arrays: list[DiagnosticArray] = []
    graph.probe.create_subscription(DiagnosticArray, "/diagnostics", arrays.append, 10)

    def latest() -> tuple[bytes, str, dict[str, str]]:
        for array in reversed(arrays):
            for status in array.status:
                if status.name.endswith("/camera"):
                    return status.level, status.message, {item.key: item.value for item in status.values}
        return b"", "", {}

    return latest


@pytest.fixture(autouse=True)
def unplugged_in_the_end() -> Iterator[None]:
    """No test leaves a fake that waits for frames."""
    yield
    while FakeCamera.made:
        FakeCamera.made.pop().plugged = False


@pytest.fixture
def video(tmp_path: Path) -> tuple[Path, list[Any]]:
    """A lossless video, 20 Hz, and its RGB frames."""
    path, images = tmp_path / "video.mkv", [picture(index) for index in range(7)]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 20.0, (W, H))
    for image in images:
        writer.write(image[..., ::-1])
    writer.release()
    return path, images


def test_a_video_in_another_process_arrives_as_it_is(
    make_graph: Any, start: Any, video: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    path, source = video
    save_calibration(tmp_path / "c.yaml", CALIBRATION, "front")
    graph = make_graph()
    arrivals: list[tuple[int, Image]] = []
    graph.probe.create_subscription(
        Image,
        "camera/front/image_raw",
        lambda message: arrivals.append((time.time_ns(), message)),
        qos_profile_sensor_data,
    )
    infos: list[CameraInfo] = []
    graph.probe.create_subscription(CameraInfo, "camera/front/camera_info", infos.append, qos_profile_sensor_data)
    before = time.time_ns()
    process = start("clam_camera.camera", camera="front", device=path, calibration=tmp_path / "c.yaml", frame_id="lens")
    graph.spin_until(lambda: len(arrivals) >= 15 or process.popen.poll() is not None, what="images")
    assert process.stop(signal.SIGINT) == 0, process.output()
    images = [message for _, message in arrivals]
    shown = [next(i for i, image in enumerate(source) if np.array_equal(image, pixels(m))) for m in images]
    assert set(shown) == set(range(len(source))), "every frame of the file was shown, and nothing else"
    stamps = [to_ns(message.header.stamp) for message in images]
    assert before < stamps[0] and (np.diff(stamps) > 0).all()
    assert all(stamp < arrival for stamp, (arrival, _) in zip(stamps, arrivals, strict=True))
    assert {message.header.frame_id for message in (*images, *infos)} == {"lens"}
    assert len(infos) >= 10 and len({to_ns(info.header.stamp) for info in infos} & set(stamps)) >= 10
    info = infos[0]
    assert (info.width, info.height, info.distortion_model) == (W, H, "plumb_bob")
    got = [tuple(values) for values in (info.k, info.d, info.r, info.p)]
    assert got == [CALIBRATION.k, CALIBRATION.d, CALIBRATION.r, CALIBRATION.p]
    assert "Traceback" not in process.output() and "XML" not in process.output()


def test_stamps_are_those_of_the_capture_on_every_topic(make_graph: Any) -> None:
    graph = make_graph(camera="front", depth=True, compress="always")
    node = graph.add(FakeCameraNode())
    images, depths = (receive(graph, Image, name) for name in ("image_raw", "aligned_depth_to_color/image_raw"))
    infos, jpegs = receive(graph, CameraInfo, "camera_info"), receive(graph, CompressedImage, "compressed")
    matched(graph, node._publish_image, node._publish_depth, node._publish_info, node._publish_jpeg)
    frames = node.fake.put(3, depth=True)
    graph.spin_until(lambda: len(images) == len(depths) == len(infos) == len(jpegs) == 3, what="frames")
    for topic in (images, depths, infos, jpegs):
        assert [to_ns(message.header.stamp) for message in topic] == [frame.stamp for frame in frames]
    assert all(np.array_equal(pixels(m), frame.image) for m, frame in zip(images, frames, strict=True))
    assert (depths[0].encoding, depths[0].step) == ("16UC1", 2 * W)
    assert np.array_equal(np.frombuffer(depths[2].data, np.uint16).reshape(H, W), frames[2].depth)
    assert tuple(infos[0].k) == CALIBRATION.k, "without a file the device's own"
    assert images[0].header.frame_id == "front_optical_frame"


def test_the_jpeg_decodes_and_is_made_only_for_subscribers(make_graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = make_graph(camera="front", jpeg_quality=95)
    node = graph.add(FakeCameraNode())
    encoded: list[int] = []
    encode = node._jpeg.message
    monkeypatch.setattr(node._jpeg, "message", lambda *arguments: (encoded.append(1), encode(*arguments))[1])
    images = receive(graph, Image, "image_raw")
    matched(graph, node._publish_image)
    node.fake.put(2)
    graph.spin_until(lambda: len(images) == 2, what="images")
    assert not encoded
    jpegs = receive(graph, CompressedImage, "compressed")
    matched(graph, node._publish_jpeg)
    smooth = np.dstack([np.tile(np.linspace(0, 255, W), (H, 1))] * 3).astype(np.uint8)
    smooth[..., 2] = 40
    node.fake.frames.put(Frame(smooth, 1, 3))
    graph.spin_until(lambda: bool(jpegs), what="a JPEG")
    assert jpegs[0].format == "rgb8; jpeg compressed bgr8"
    decoded = cv2.imdecode(np.frombuffer(jpegs[0].data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - smooth).mean() < 3


def test_an_unplugged_camera_is_an_error_in_the_diagnostics_and_comes_back(make_graph: Any) -> None:
    graph = make_graph(camera="front", reconnect_first=0.01, reconnect_longest=0.05)
    node, latest = graph.add(FakeCameraNode()), diagnostics(graph)
    images = receive(graph, Image, "image_raw")
    matched(graph, node._publish_image)
    node.fake.put(3)
    graph.spin_until(lambda: len(images) == 3 and latest()[2].get("frames") == "3", what="frames")
    assert latest()[2]["reconnects"] == "0"
    node.fake.plugged = False
    graph.spin_until(lambda: latest()[:2] == (ERROR, "FakeCamera is not connected"), what="an error")
    assert latest()[2]["state"] == "waiting to reconnect"
    node.fake.plugged = True

    def well() -> bool:
        if node.fake.frames.empty():
            node.fake.put()
        return latest()[0] != ERROR and latest()[2].get("reconnects") == "1"

    graph.spin_until(well, what="sound diagnostics")
    assert latest()[2]["state"] == "streaming" and latest()[2]["drops"] == "0"


def test_a_camera_that_hangs_is_stale_and_drops_are_counted(make_graph: Any) -> None:
    graph = make_graph(camera="front", stale_after=0.3)
    node, latest = graph.add(FakeCameraNode()), diagnostics(graph)
    node.fake.put(2)
    node.fake.number += 3  # the device lost three
    node.fake.put(1)
    graph.spin_until(lambda: "no frame for" in latest()[1] and latest()[2]["frames"] == "3", what="staleness")
    level, _, values = latest()
    assert (level, values["drops"], values["state"]) == (ERROR, "3", "streaming")
    assert float(values["age of last frame [s]"]) > 0.3
    assert values["requested rate [Hz]"] == "30.00"


def test_the_rate_in_the_diagnostics_is_the_true_one(make_graph: Any, video: tuple[Path, list[Any]]) -> None:
    graph = make_graph(device=video[0])
    node, latest = graph.add(Camera()), diagnostics(graph)
    graph.spin_until(lambda: int(latest()[2].get("frames", 0)) > 60, what="three seconds of frames")
    _, _, values = latest()
    assert values["requested rate [Hz]"] == "20.00" and node.active
    assert 5.0 < float(values["rate [Hz]"]) <= 20.5, "paced: never faster; slower on a busy machine"


def test_a_calibration_of_another_size_is_an_error_and_no_camera_info(
    make_graph: Any, video: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    save_calibration(tmp_path / "c.yaml", pinhole(640, 480, (600.0, 600.0), (320.0, 240.0), [0.0] * 5, "plumb_bob"), "")
    graph = make_graph(camera="front", device=video[0], calibration=tmp_path / "c.yaml")
    graph.add(Camera())
    latest, infos, images = (
        diagnostics(graph),
        receive(graph, CameraInfo, "camera_info"),
        receive(graph, Image, "image_raw"),
    )
    graph.spin_until(lambda: latest()[0] == ERROR and len(images) > 2, what="an error")
    assert "is for 640x480 images, the camera gives 64x48" in latest()[1] and not infos


def test_deactivating_releases_the_camera_and_activating_takes_it_again(make_graph: Any) -> None:
    graph = make_graph(camera="front", reconnect_first=0.01)
    node = graph.add(FakeCameraNode())
    node.fake.patience = 0.1
    images = receive(graph, Image, "image_raw")
    matched(graph, node._publish_image)
    for _ in range(3):
        images.clear()
        graph.spin_until(lambda: bool(images) or (node.fake.frames.empty() and not node.fake.put()), what="an image")
        begin = time.monotonic()
        node.trigger_deactivate()
        assert time.monotonic() - begin < 1.0, "no transition waits for the camera"
        assert node.diagnose() == (OK, "inactive")
        node.trigger_activate()
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert node._capture.join(30.0)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"backend": "realsens"}, "did you mean 'realsense'?"),
        ({"backend": "mujoco", "device": "wrist"}, "valid: external, over_shoulder"),
        ({"device": "none.mp4"}, "no video file 'none.mp4'"),
        ({"device": "0", "calibration": "none.yaml"}, "cannot read calibration 'none.yaml'"),
        ({"device": "0", "depth": True}, "gives no depth"),
    ],
)
def test_what_cannot_work_is_one_line_and_status_1(start: Any, parameters: dict[str, Any], words: str) -> None:
    process = start("clam_camera.camera", **parameters)
    assert process.wait() == 1
    lines = [line for line in process.output().splitlines() if line]
    assert len(lines) == 1 and words in lines[0], process.output()


def test_a_camera_that_is_not_connected_is_waited_for(make_graph: Any, start: Any) -> None:
    graph = make_graph()
    latest = diagnostics(graph)
    process = start("clam_camera.camera", device="/dev/v4l/by-id/usb-none-index0")
    graph.spin_until(lambda: latest()[0] == ERROR, what="an error in the diagnostics")
    assert latest()[1] == "camera '/dev/v4l/by-id/usb-none-index0' is not connected"
    assert process.stop(signal.SIGTERM) == 0, process.output()


def test_filling_an_image_costs_less_than_half_a_millisecond() -> None:
    writer, image = ImageWriter("front"), np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    times = []
    for stamp in range(200):
        begin = time.thread_time()  # CPU time: other processes do not count
        writer.message(stamp, image)
        times.append(time.thread_time() - begin)
    print(f"filling a 640x480 image: median {1e3 * np.median(times):.3f} ms")
    assert np.median(times) < 0.5e-3


def test_the_measuring_tool_counts_what_is_sent_and_received() -> None:
    command = [sys.executable, "-m", "clam_camera.measure_transport", "--only", "both", "--duration", "5", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["both"]
    assert set(result) == {"camera/front/image_raw", "camera/wrist/image_raw", "joint_states"}
    for row in result.values():
        assert 0 < row["received"] <= row["sent"] and row["lost"] == row["sent"] - row["received"]
    assert result["joint_states"]["lost"] == 0, "reliable"
