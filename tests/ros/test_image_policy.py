"""A policy that looks through cameras: in lockstep as offline, and at the robot as long as its cameras see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from diagnostic_msgs.msg import DiagnosticArray
from trajectory_msgs.msg import JointTrajectory

from clam_core.deploy import load_bundle
from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION, RATE
from clam_core.errors import ClamError
from clam_core.evaluation import evaluate
from clam_ros.stamps import to_ns

SEEDS = range(1_000_000, 1_000_002)
CAMERAS = {"camera": "external,over_shoulder", "image_size": 32}
CAMERA = "camera/external/image_raw"


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where nothing can be drawn."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        monkeypatch.setenv("MUJOCO_GL", os.environ.get("MUJOCO_GL", "egl"))
    env = make_env("kitchen", "reach-block")
    try:
        env.render(8, 8)
    except ClamError as error:
        pytest.skip(f"no rendering here: {error}")
    finally:
        env.close()


def test_a_rollout_through_the_bridge_equals_the_offline_rollout(make_bundle: Any, tmp_path: Path) -> None:
    bundle = make_bundle("kitchen", "reach-block", **CAMERAS, sees=())  # nothing but pictures
    out = tmp_path / "rollouts.json"
    arguments = {"bundle": bundle, "env": "kitchen", "task": "reach-block", "episodes": len(SEEDS), **CAMERAS}
    arguments |= {"seed": SEEDS.start, "out": out, "device": "cpu"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "clam_bringup.runner",
            "policy",
            *(f"{key}:={value}" for key, value in arguments.items()),
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    through_ros = json.loads(out.read_text())["episodes"]
    env = make_env("kitchen", "reach-block", **CAMERAS)
    offline = evaluate(env, load_bundle(bundle, "cpu"), SEEDS)
    env.close()
    assert [episode["seed"] for episode in through_ros] == list(SEEDS)
    for ros, rollout in zip(through_ros, offline, strict=True):
        assert len(rollout.actions) == 100 and np.ptp(rollout.actions, axis=0).max() > 1e-3
        np.testing.assert_array_equal(np.array(ros["actions"]), rollout.actions)
        np.testing.assert_array_equal(np.array(ros["rewards"]), rollout.rewards)


class Robot:
    """The simulated robot with one camera, in processes; and what the policy sends and says."""

    def __init__(self, graph: Any, start: Any, bundle: Path, **policy: Any) -> None:
        self.graph, self.start = graph, start
        self.commands = graph.collect(JointTrajectory, "command")
        self.chunks = graph.collect(JointTrajectory, "policy/action_chunk")
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        start("clam_sim.kitchen_world", task="reach-block")
        start("clam_arm.arm_driver", on_fast="scale")
        self.see()
        # generous: what is tested is what the node does, not how fast this machine is
        start("clam_policy.policy", bundle=bundle, device="cpu", max_observation_age=2.0, **policy)

    def see(self) -> None:
        self.camera = self.start(
            "clam_camera.camera", camera="external", backend="mujoco", width=64, height=48, rate=15.0
        )

    def says(self) -> str:
        found = [s.message for array in self.diagnostics for s in array.status if s.name == "/policy"]
        return found[-1] if found else ""

    def wait(self, more: int, what: str) -> list[JointTrajectory]:
        """The next commands."""
        count = len(self.commands)
        self.graph.spin_until(lambda: len(self.commands) >= count + more, what=f"{what}; it says: {self.says()}")
        return self.commands[count:]


@pytest.mark.parametrize("images", ["raw", "compressed"])
def test_without_its_camera_it_stops_and_says_so_and_with_it_goes_on(
    make_graph: Callable[..., Any], make_bundle: Any, start: Any, images: str
) -> None:
    bundle = make_bundle("kitchen", "reach-block", chunk=5, sees=("gripper",), camera="external", image_size=32)
    robot = Robot(make_graph(), start, bundle, images=images)
    begin = time.monotonic()
    commands = robot.wait(30, "commands")
    assert time.monotonic() - begin > 0.5 * 30 / RATE, "at the bundle's rate, not at that of the camera"
    stamps = [to_ns(command.header.stamp) for command in commands]
    assert 0.9 / RATE < np.median(np.diff(stamps)) / 1e9 < 1.1 / RATE
    for command in commands:
        assert command.joint_names == list(ACTION.names) and len(command.points) == 1
        assert (np.array(command.points[0].positions) >= ACTION.low).all()
        assert (np.array(command.points[0].positions) <= ACTION.high).all()
    answers = len(robot.chunks)
    assert answers >= 10

    robot.camera.stop(signal.SIGKILL)
    topic = CAMERA if images == "raw" else "camera/external/compressed"
    robot.graph.spin_until(lambda: f"nothing on '{topic}'" in robot.says(), what="a diagnostic")
    robot.graph.spin_until(lambda: "used up" in robot.says(), what="the end of the chunk")
    count = len(robot.commands)
    robot.graph.spin_for(1.0)
    assert len(robot.commands) == count and robot.says().startswith("no command: ")

    robot.see()
    robot.wait(10, "commands of a camera that is back")
    robot.graph.spin_until(lambda: robot.says() == "commanding", what="a sound diagnostic")


def test_a_camera_that_never_came_is_named(make_graph: Callable[..., Any], make_bundle: Any, start: Any) -> None:
    bundle = make_bundle("kitchen", "reach-block", sees=("gripper",), **CAMERAS)
    robot = Robot(make_graph(), start, bundle)
    wanted = "no command: camera/over_shoulder/image_raw: nobody publishes it"
    robot.graph.spin_until(lambda: robot.says().startswith(wanted), what="a diagnostic")
    assert not robot.commands
