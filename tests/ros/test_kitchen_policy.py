"""A bundle of the kitchen through the graph `policy`: at the simulator's bridge as offline, and at the arm."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState

from clam_core.deploy import load_bundle
from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION
from clam_core.evaluation import evaluate

SEEDS = range(1_000_000, 1_000_002)
POLICY = [sys.executable, "-m", "clam_bringup.runner", "policy"]


def test_a_rollout_through_the_bridge_equals_the_offline_rollout(make_bundle: Any, tmp_path: Path) -> None:
    bundle, out = make_bundle("kitchen", "close-microwave"), tmp_path / "rollouts.json"
    arguments = {"bundle": bundle, "env": "kitchen", "task": "close-microwave", "episodes": len(SEEDS)}
    arguments |= {"seed": SEEDS.start, "out": out, "device": "cpu"}
    done = subprocess.run(
        [*POLICY, *(f"{key}:={value}" for key, value in arguments.items())],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    through_ros = json.loads(out.read_text())["episodes"]
    env = make_env("kitchen", "close-microwave")
    offline = evaluate(env, load_bundle(bundle), SEEDS)
    env.close()
    assert [episode["seed"] for episode in through_ros] == list(SEEDS)
    for ros, rollout in zip(through_ros, offline, strict=True):
        assert len(rollout.actions) == 100 and np.ptp(rollout.actions, axis=0).max() > 0.01
        np.testing.assert_array_equal(np.array(ros["actions"]), rollout.actions)
        np.testing.assert_array_equal(np.array(ros["rewards"]), rollout.rewards)


@pytest.fixture
def launched() -> Any:
    """``launched(key=value, …)`` starts the graph `policy`, which ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def launch(**arguments: Any) -> subprocess.Popen[str]:
        command = [*POLICY, *(f"{key}:={value}" for key, value in arguments.items())]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return processes[-1]

    yield launch
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_with_a_robot_it_drives_the_arm_and_there_is_no_bridge(
    make_graph: Callable[..., Any], make_bundle: Any, launched: Any
) -> None:
    graph = make_graph()
    states = graph.collect(JointState, "joint_states", 2000)
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
    bundle = make_bundle("kitchen", "push-button")
    process = launched(bundle=bundle, robot="mujoco", task="push-button", width=64, height=48, rate=5, device="cpu")

    def facts() -> dict[str, dict[str, str]]:
        statuses = [status for array in diagnostics for status in array.status]
        return {s.name: {"message": s.message} | {item.key: item.value for item in s.values} for s in statuses}

    def commanded() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return int(facts().get("/arm_driver", {}).get("commands", 0)) > 20

    graph.spin_until(commanded, what="commands")
    nodes = {"/kitchen", "/arm_driver", "/camera", "/camera_2", "/policy"}
    graph.spin_until(
        lambda: facts().keys() >= nodes and facts()["/policy"]["message"] == "commanding",
        what="diagnostics of all nodes",
    )
    assert "/sim_bridge" not in facts()
    positions = np.array([state.position[:7] for state in states])
    slack = np.array([0.02] * 6 + [0.002])
    assert (positions > np.array(ACTION.low) - slack).all() and (positions < np.array(ACTION.high) + slack).all()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in output, output
