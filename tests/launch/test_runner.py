"""`clam-launch` as a user starts it: real processes, real DDS, real signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy (make setup, or a system ROS 2)")

from sensor_msgs.msg import JointState  # noqa: E402

from clam_bringup.graph_file import load_graph  # noqa: E402
from clam_bringup.runner import describe  # noqa: E402

from ..conftest import nodes_of  # noqa: E402

RUNNER = [sys.executable, "-m", "clam_bringup.runner"]


class Launched:
    """A running `clam-launch`, and how to ask what became of its nodes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*RUNNER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def nodes(self) -> list[int]:
        """Process ids of its living node processes."""
        return [*nodes_of(self.process.pid).values()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for_observation(topic: str, seconds: float = 60) -> JointState | None:
    received: list[JointState] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("probe", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        node.create_subscription(JointState, topic, received.append, 10)
        deadline = time.monotonic() + seconds
        while not received and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
    finally:
        rclpy.shutdown(context=context)
    return received[0] if received else None


@pytest.fixture
def simulator() -> Iterator[Launched]:
    """The graph `sim`, already publishing."""
    launched = Launched("sim", "env:=gym", "task:=Pendulum-v1", "namespace:=robot")
    observation = _wait_for_observation("/robot/observation/state")
    assert observation is not None
    assert observation.name[-2:] == ["episode/index", "episode/step"]
    yield launched
    if launched.process.poll() is None:
        launched.process.kill()
    launched.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_graph_with_status_0_and_no_orphan(simulator: Launched, number: int) -> None:
    nodes = simulator.nodes()
    assert nodes
    assert simulator.stop(number) == 0
    assert not any(_alive(pid) for pid in nodes)
    assert "[sim_bridge] " in simulator.process.communicate()[0]


def test_a_killed_runner_takes_its_nodes_with_it(simulator: Launched) -> None:
    nodes = simulator.nodes()
    assert nodes
    simulator.process.kill()
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in nodes) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in nodes)


def test_a_node_that_fails_ends_the_graph_with_its_status(tmp_path: Path) -> None:
    arguments = ("record", "env:=gym", "task:=Pendulum-v0", f"out:={tmp_path / 'bags'}")
    ended = subprocess.run([*RUNNER, *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "Pendulum-v0" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["simm"], "did you mean 'sim'"),
        (["sim", "tsk:=x"], "did you mean 'task'"),
        (["sim", "seed:=x"], "whole number"),
        (["sim", "mode:=lockstp"], "did you mean 'lockstep'"),
        (["sim", "task"], "key:=value"),
        (["policy"], "bundle:="),
        (["policy", "bundle:=x", "robot:=mujoco"], "no bundle at 'x': expected bundle.json there"),
        (["evaluate", "bundles:=[x, y]", "out:=z"], "no bundle at 'x': expected bundle.json there"),
        (["record", "out:=x", "robot:=mujoco"], "needs task:=… with robot:=mujoco"),
        (["policy", "bundle:=x", "torque:=false"], "means nothing with robot:=none: leave it out"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_1(arguments: list[str], named: str) -> None:
    ended = subprocess.run([*RUNNER, *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert named in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_show_starts_nothing_and_lists_arguments_and_nodes() -> None:
    ended = subprocess.run([*RUNNER, "policy", "--show"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    assert "bundle:=  (str, required)" in ended.stdout
    assert "clam_policy policy" in ended.stdout
    assert "torque:=  (bool, default true)" in ended.stdout
    assert "task:=  (str, default task of the bundle)" in ended.stdout
    assert "required if robot is 'mujoco'" in describe(load_graph("record"))
    assert not {"True", "False"} & set(ended.stdout.replace(")", " ").replace(",", " ").split())


def test_an_executable_that_is_not_installed_is_named_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("nodes: [{package: clam_sim, executable: sim_brige, name: x}]")
    ended = subprocess.run([*RUNNER, str(file)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "did you mean 'sim_bridge'" in ended.stderr


def test_a_bundle_of_another_robot_is_refused_before_a_node_starts(make_bundle: Any, tmp_path: Path) -> None:
    """Not after a minute in which the evaluator says that it is not ready."""
    out = tmp_path / "evaluation"
    arguments = ["evaluate", f"bundle:={make_bundle('gym', 'Pendulum-v1')}", f"out:={out}"]
    ended = subprocess.run([*RUNNER, *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stdout == "" and not out.exists()
    assert "is of another robot (gym/Pendulum-v1)" in ended.stderr and ended.stderr.count("\n") == 1


def test_a_policy_runs_the_task_of_its_bundle(make_bundle: Any, tmp_path: Path) -> None:
    out = tmp_path / "rollouts.json"
    arguments = ["policy", f"bundle:={make_bundle('gym', 'Pendulum-v1')}", "episodes:=1", f"out:={out}", "device:=cpu"]
    ended = subprocess.run([*RUNNER, *arguments], capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "gym/Pendulum-v1" in ended.stdout and "warning" not in ended.stderr
    assert len(json.loads(out.read_text())["episodes"]) == 1
