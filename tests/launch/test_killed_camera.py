"""`clam-launch policy` on the simulated robot: a camera that is killed comes back, and arm and policy live on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy (make setup, or a system ROS 2)")
pytest.importorskip("mujoco")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from clam_core.envs.kitchen_spec import ACTION

from ..conftest import nodes_of

PATIENCE = 300.0  # [s] generous: the machine may be busy


class Robot:
    """The graph, and what came from it."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("w") as file:
            command = [sys.executable, "-m", "clam_bringup.runner", *arguments]
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        self.images: list[Any] = []
        self.states: list[Any] = []
        self.commands: list[Any] = []
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        node = rclpy.create_node("probe", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        node.create_subscription(Image, "camera/external/image_raw", self.images.append, qos_profile_sensor_data)
        node.create_subscription(JointState, "joint_states", self.states.append, 10)
        node.create_subscription(JointTrajectory, "command", self.commands.append, 10)

    def spin_until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, f"no {what}:\n{self.log.read_text()}"
            self._executor.spin_once(timeout_sec=0.05)

    def more(self, messages: list[Any], what: str) -> None:
        count = len(messages) + 5
        self.spin_until(lambda: len(messages) >= count, what)

    def pids(self) -> dict[str, int]:
        return nodes_of(self.process.pid)

    def close(self) -> int:
        """SIGINT; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(120.0)
        finally:
            self.process.kill()
            rclpy.try_shutdown(context=self._context)


@pytest.fixture
def robot(tmp_path: Path, make_bundle: Any) -> Iterator[Robot]:
    """A policy that looks at joints drives it: cameras are not what it needs."""
    bundle = make_bundle("kitchen", "push-button", sees=ACTION.names)
    texts = {"bundle": bundle, "robot": "mujoco", "task": "push-button", "device": "cpu", "force": "true"}
    texts |= {"width": 64, "height": 48, "rate": 10.0}
    made = Robot(tmp_path / "graph.log", "policy", *(f"{name}:={value}" for name, value in texts.items()))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_camera_comes_back_and_arm_and_policy_live_on(robot: Robot) -> None:
    for messages, what in ((robot.images, "images"), (robot.states, "joint states"), (robot.commands, "commands")):
        robot.more(messages, what)
    before = robot.pids()
    assert {"camera", "camera_2", "arm_driver", "policy", "kitchen", "watch"} <= before.keys()
    for _ in range(2):
        killed = robot.pids()["camera"]
        os.kill(killed, signal.SIGKILL)
        robot.spin_until(lambda killed=killed: robot.pids().get("camera") != killed, "end of the camera")
        for messages, what in ((robot.states, "joint states"), (robot.commands, "commands")):
            robot.more(messages, f"{what} without a camera")
        robot.spin_until(lambda: "camera" in robot.pids(), "second camera process")
        robot.images.clear()
        robot.more(robot.images, "images of the new one")
    after = robot.pids()
    assert after.pop("camera") != before.pop("camera") and after == before, "all others are the same processes"
    assert robot.log.read_text().count("[camera] was ended by signal 9: it starts again in 2 s") == 2
    assert robot.close() == 0, "that it was killed is no failure of the graph"
