"""Cameras that look into the simulated kitchen, each in a process of its own, beside an arm that moves."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState

from clam_core.envs.kitchen_view import KitchenView, focal_length
from clam_core.errors import ClamError
from clam_ros.node import ERROR, OK
from clam_ros.stamps import to_ns

KITCHEN, CAMERA = "clam_sim.kitchen_world", "clam_camera.camera"
WIDTH, HEIGHT = 160, 120
LOOK = {"backend": "mujoco", "width": WIDTH, "height": HEIGHT, "rate": 10.0}
LOOK |= {"reconnect_first": 0.05, "reconnect_longest": 0.2}
GONE = "no kitchen publishes '/kitchen/scene': start it with"


@pytest.fixture(scope="module")
def view() -> Any:
    """Draws what a camera must have drawn."""
    view = KitchenView()
    try:
        view.render(view._model.qpos0, HEIGHT, WIDTH, "external")
    except ClamError as error:
        pytest.skip(str(error))
    yield view
    view.close()


class Viewer:
    """What comes from one camera, and what it says of itself."""

    def __init__(self, graph: Any, camera: str) -> None:
        self.graph = graph
        self.images: list[Image] = []
        self.infos: list[CameraInfo] = []
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        for kind, name, messages in ((Image, "image_raw", self.images), (CameraInfo, "camera_info", self.infos)):
            graph.probe.create_subscription(kind, f"camera/{camera}/{name}", messages.append, qos_profile_sensor_data)

    def latest(self) -> tuple[bytes, str, dict[str, str]]:
        for array in reversed(self.diagnostics):
            for status in array.status:
                if status.name.endswith("/camera"):
                    return status.level, status.message, {item.key: item.value for item in status.values}
        return b"", "", {}

    def sees(self, frames: int = 1) -> None:
        """So many more images come."""
        count = len(self.images) + frames
        self.graph.spin_until(lambda: len(self.images) >= count, what="images")


@pytest.mark.parametrize("camera", ["external", "over_shoulder"])
def test_an_image_shows_the_scene_whose_stamp_it_carries(
    make_graph: Any, start: Any, view: KitchenView, camera: str
) -> None:
    graph = make_graph()
    scenes = graph.collect(JointState, "kitchen/scene", 2000)
    viewer = Viewer(graph, camera)
    start(KITCHEN)
    node = start(CAMERA, **LOOK, camera=camera, device=camera)
    graph.spin_until(lambda: bool(scenes), what="scenes")
    viewer.sees(15)
    graph.spin_for(0.5)  # scenes that are still on their way
    positions = {to_ns(scene.header.stamp): np.array(scene.position) for scene in scenes}
    known = [image for image in viewer.images if to_ns(image.header.stamp) in positions]
    assert len(known) >= 10
    for image in known:
        assert (image.width, image.height, image.header.frame_id) == (WIDTH, HEIGHT, f"{camera}_optical_frame")
        got = np.frombuffer(image.data, np.uint8).reshape(HEIGHT, WIDTH, 3)
        np.testing.assert_array_equal(got, view.render(positions[to_ns(image.header.stamp)], HEIGHT, WIDTH, camera))
    stamps = [to_ns(image.header.stamp) for image in viewer.images]
    assert (np.diff(stamps) > 0).all()
    assert 1e9 * (len(stamps) - 1) / (stamps[-1] - stamps[0]) < 13  # how much less depends on what the machine does
    focal = focal_length(camera, HEIGHT)
    assert list(viewer.infos[-1].k) == pytest.approx([focal, 0, 79.5, 0, focal, 59.5, 0, 0, 1])
    assert node.stop() == 0 and "Traceback" not in node.output(), node.output()


@pytest.mark.usefixtures("udp")
def test_a_camera_without_a_kitchen_says_so_and_sees_again_when_it_is_there(make_graph: Any, start: Any) -> None:
    graph = make_graph()
    viewer = Viewer(graph, "camera")
    node = start(CAMERA, **LOOK, stale_after=60.0)
    graph.spin_until(lambda: viewer.latest()[1].startswith(GONE), what="an error")
    assert viewer.latest()[0] == ERROR and not viewer.images
    first = start(KITCHEN)
    viewer.sees(3)
    first.popen.send_signal(signal.SIGKILL)
    first.wait()
    viewer.diagnostics.clear()
    graph.spin_until(lambda: viewer.latest()[1].startswith(GONE), what="an error")
    before = int(viewer.latest()[2]["reconnects"])  # a kitchen that paused for long was lost, too
    start(KITCHEN)
    viewer.sees(3)
    graph.spin_until(lambda: int(viewer.latest()[2]["reconnects"]) > before, what="a reconnect in the diagnostics")
    assert node.stop() == 0 and "Traceback" not in node.output(), node.output()


@pytest.mark.usefixtures("udp")
def test_a_killed_camera_leaves_the_arm_alone_and_comes_back(
    make_graph: Any, start: Any, robot_of: Any, view: KitchenView
) -> None:
    graph = make_graph()
    start(KITCHEN)
    camera = start(CAMERA, **LOOK)
    patience = {"backend_timeout": 60.0, "measurement_timeout": 0.5, "command_timeout": 5.0}  # the machine may be busy
    start("clam_arm.arm_driver", backend="mujoco", startup_time=0.1, **patience)
    start("clam_ros.watch", nodes="[arm_driver, camera]")
    robot, viewer = robot_of(graph), Viewer(graph, "camera")
    robot.swing(0.3)
    robot.says("state", "active")
    viewer.sees(3)
    robot.watch_says(OK, "camera", "is heard")
    camera.popen.send_signal(signal.SIGKILL)
    camera.wait()
    robot.watch_says(ERROR, "camera", "/camera is silent for")
    now = graph.probe.get_clock().now().nanoseconds
    graph.spin_until(lambda: to_ns(robot.states[-1].header.stamp) > now + 1e9, what="what was on its way")
    viewer.diagnostics.clear()
    robot.diagnostics.clear()
    images, states = len(viewer.images), len(robot.states)
    graph.spin_until(lambda: len(robot.states) > states + 100, what="the arm going on")
    graph.spin_until(
        lambda: np.ptp([state.position[0] for state in robot.states[states:]]) > 0.05, what="the arm under way"
    )
    robot.says("state", "active")
    assert len(viewer.images) == images and not viewer.latest()[2], "the camera itself is dead"
    robot.watch_says(ERROR, "camera", "its process has ended or hangs")
    robot.watch_says(OK, "arm_driver", "is heard")
    assert "refused" in robot.facts()
    start(CAMERA, **LOOK)
    viewer.sees(3)
    graph.spin_until(lambda: viewer.latest()[2].get("state") == "streaming", what="diagnostics of the camera")
    robot.watch_says(OK, "camera", "is heard")
    robot.never_left_its_limits()


def test_what_a_kitchen_camera_cannot_do_is_one_line(start: Any) -> None:
    process = start(CAMERA, backend="mujoco", depth=True)
    assert process.wait() == 1
    (line,) = [line for line in process.output().splitlines() if line]
    assert "'mujoco' gives no depth" in line
