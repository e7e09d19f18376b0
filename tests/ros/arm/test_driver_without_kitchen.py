"""The driver of the simulated arm while its kitchen is not there, or refuses."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from clam_arm.arm_model import arm_model
from clam_arm.backend import BackendSettings
from clam_arm.backends.mujoco import MujocoBackend
from clam_description import ARM_JOINTS, FINGER_JOINTS, SLEEP

DRIVER = "clam_arm.arm_driver"
LONG = 300.0  # [s] longer than any test waits


def begins_to_wait(graph: Any) -> None:
    """Until the driver's small node is there, which waits for the kitchen."""
    graph.spin_until(lambda: "arm_bus" in graph.probe.get_node_names(), what="a driver that waits")


def test_without_a_kitchen_one_line_says_how_to_start_it(start: Any) -> None:
    driver = start(DRIVER, backend="mujoco", backend_timeout=1.0)
    assert driver.wait() == 1
    lines = [line for line in driver.output().splitlines() if line]
    assert len(lines) == 1, driver.output()
    assert "no kitchen publishes '/kitchen/joint_states' within 1 s: start it with `ros2 run clam_sim" in lines[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_a_kitchen(make_graph: Any, start: Any, number: int) -> None:
    graph = make_graph()
    driver = start(DRIVER, backend="mujoco", backend_timeout=120.0)
    begins_to_wait(graph)
    assert driver.stop(number) == 0, driver.output()
    (line,) = [line for line in driver.output().splitlines() if line]
    assert "told to stop while it waited for the kitchen" in line


def test_two_signals_at_once_end_the_wait_without_a_crash(make_graph: Any, start: Any) -> None:
    graph = make_graph()
    driver = start(DRIVER, backend="mujoco", backend_timeout=120.0)
    begins_to_wait(graph)
    driver.popen.send_signal(signal.SIGINT)
    assert driver.stop(signal.SIGTERM) in (0, 130), driver.output()
    assert "terminate called" not in driver.output() and "Traceback" not in driver.output(), driver.output()


def test_an_interrupted_wait_leaves_no_thread_behind(make_graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_graph()

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MujocoBackend, "_wait_for_kitchen", interrupted)
    model = arm_model("wx250s")
    with pytest.raises(KeyboardInterrupt):
        MujocoBackend(BackendSettings("wx250s", model.urdf, model.limits, model.start, timeout=LONG))
    assert "kitchen" not in [thread.name for thread in threading.enumerate()]


def test_a_kitchen_that_refuses_torque_is_one_line(make_graph: Any, start: Any) -> None:
    graph = make_graph()

    def refuse(_: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = False, "the kitchen is not configured: configure it first"
        return response

    graph.probe.create_service(SetBool, "kitchen/torque", refuse)
    publisher = graph.probe.create_publisher(JointState, "kitchen/joint_states", 10)

    def measure() -> None:
        message = JointState(name=[*ARM_JOINTS, *FINGER_JOINTS], position=[*SLEEP, 0.02, -0.02])
        message.header.stamp = graph.probe.get_clock().now().to_msg()
        publisher.publish(message)

    graph.probe.create_timer(0.02, measure)
    driver = start(DRIVER, backend="mujoco", backend_timeout=60.0)
    graph.spin_until(lambda: driver.popen.poll() is not None, what="the driver's end")
    assert driver.wait() == 1
    assert "the kitchen refuses torque: the kitchen is not configured" in driver.output(), driver.output()
    assert "Traceback" not in driver.output()
