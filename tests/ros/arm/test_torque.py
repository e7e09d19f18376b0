"""Torque over real DDS: calls that overlap, motors that fail, and an arm that moved while the driver was inactive."""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from rclpy.lifecycle import TransitionCallbackReturn
from std_srvs.srv import SetBool

from clam_arm.arm_driver import ArmDriver
from clam_arm.backends.mujoco_arm import MujocoArmBackend
from clam_core.safety import Measurement

LONG = 120.0  # [s] longer than any test waits
ARM: dict[str, Any] = {"measurement_timeout": 1.0, "command_timeout": 5.0}


class Motors(MujocoArmBackend):
    """Answer when they may, fail on demand, and remember what they were told."""

    made: ClassVar[list[Motors]] = []

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.may, self.asked = threading.Event(), threading.Event()
        self.may.set()
        self.error: Exception | None = None
        self.silent = False
        self.events: list[str] = []
        Motors.made.append(self)

    def read(self, now: float) -> Measurement | None:
        return None if self.silent else super().read(now)

    def read_anew(self) -> None:
        self.events.append("anew")

    def send(self, setpoint: Any) -> None:
        self.events.append("send")
        super().send(setpoint)

    def torque(self, on: bool) -> None:
        self.asked.set()
        assert self.may.wait(LONG)
        if self.error is not None:
            raise self.error
        super().torque(on)
        self.events.append(f"torque {on}")

    def close(self) -> None:
        self.events.append("close")


@pytest.fixture
def arm(
    make_graph: Callable[..., Any], robot_of: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, ArmDriver, Motors]]:
    """``arm()``: a robot at its driver, the driver, and the motors behind it."""
    module: Any = types.ModuleType("motors_of_a_test")
    module.Motors = Motors
    monkeypatch.setitem(sys.modules, "motors_of_a_test", module)

    def make() -> tuple[Any, ArmDriver, Motors]:
        graph = make_graph(backend="motors_of_a_test:Motors", **ARM)
        driver = graph.add(ArmDriver())
        return robot_of(graph), driver, Motors.made[-1]

    return make


def test_off_after_on_leaves_the_motors_without_torque(arm: Any) -> None:
    robot, _, motors = arm()
    client = robot.graph.probe.create_client(SetBool, "torque")
    robot.graph.spin_until(client.service_is_ready, what="torque")
    motors.may.clear()
    motors.asked.clear()
    motors.events.clear()
    on = client.call_async(SetBool.Request(data=True))
    robot.graph.spin_until(motors.asked.is_set, what="the motors asked")
    off = client.call_async(SetBool.Request(data=False))
    robot.graph.spin_for(0.5)
    assert not off.done()
    motors.may.set()
    robot.graph.spin_until(lambda: bool(on.done() and off.done()), what="both answers")
    assert not on.result().success and on.result().message == "a later request decides"
    assert off.result().success and off.result().message == "torque off"
    assert motors.events[-3:] == ["send", "torque True", "torque False"]
    robot.says("state", "disabled")


def test_motors_that_fail_in_their_own_way_are_a_refusal(arm: Any) -> None:
    robot, _, motors = arm()
    motors.error = OSError("the bus is gone")
    answer = robot.graph.call(SetBool, "torque", SetBool.Request(data=True))
    assert not answer.success and answer.message == "OSError: the bus is gone"
    robot.says("state", "disabled")


def test_an_activation_tells_the_motors_first_where_the_arm_is_and_fails_if_nobody_knows(arm: Any) -> None:
    robot, driver, motors = arm()
    assert driver.trigger_deactivate() is TransitionCallbackReturn.SUCCESS
    motors.events.clear()
    time.sleep(1.5)  # inactive for longer than a measurement is good for
    assert driver.trigger_activate() is TransitionCallbackReturn.SUCCESS
    assert motors.events == ["anew", "send", "torque True"]
    robot.says("state", "hold")
    assert driver.trigger_deactivate() is TransitionCallbackReturn.SUCCESS
    motors.silent = True
    motors.events.clear()
    time.sleep(1.5)
    assert driver.trigger_activate() is TransitionCallbackReturn.FAILURE
    assert motors.events == ["anew"] and not driver.active
    motors.silent = False
    assert driver.trigger_activate() is TransitionCallbackReturn.SUCCESS


def test_the_backend_is_not_closed_while_the_motors_are_told(arm: Any) -> None:
    robot, driver, motors = arm()
    client = robot.graph.probe.create_client(SetBool, "torque")
    robot.graph.spin_until(client.service_is_ready, what="torque")
    motors.may.clear()
    motors.asked.clear()
    motors.events.clear()
    client.call_async(SetBool.Request(data=False))
    robot.graph.spin_until(motors.asked.is_set, what="the motors asked")
    timer = threading.Timer(0.5, motors.may.set)
    timer.start()
    driver.trigger_deactivate()
    driver.trigger_cleanup()
    assert motors.events[-2:] == ["torque False", "close"]
