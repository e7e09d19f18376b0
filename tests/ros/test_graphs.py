"""Nodes in processes of their own: simulated time from /clock, and how jobs and services end."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")


def test_realtime_rollouts_run_on_simulated_time(start: Any, make_bundle: Any, tmp_path: Path) -> None:
    bundle = make_bundle("gym", "Pendulum-v1")
    start("clam_sim.sim_bridge", env="gym", task="Pendulum-v1", mode="realtime", publish_clock=True, speed=1.0)
    # force: nothing comes before the rollouts begin, and then its first commands are waited for
    start("clam_policy.policy", bundle=bundle, mode="realtime", device="cpu", use_sim_time=True, force=True)
    rollouts = start("clam_sim.rollouts", episodes=1, mode="realtime", out=tmp_path / "rollouts.json")
    assert rollouts.wait() == 0, rollouts.output()
    (episode,) = json.loads((tmp_path / "rollouts.json").read_text())["episodes"]
    assert len(episode["rewards"]) == 200
    answered = sum(action is not None for action in episode["actions"])
    assert answered > 100, "most observations are answered in time"


def test_rollouts_without_a_policy_end_with_a_clear_line_and_no_results(start: Any, tmp_path: Path) -> None:
    start("clam_sim.sim_bridge", env="gym", task="Pendulum-v1")
    rollouts = start("clam_sim.rollouts", timeout=1.0, out=tmp_path / "rollouts.json")
    assert rollouts.wait() == 1
    assert "is the policy node up?" in rollouts.output()
    assert not (tmp_path / "rollouts.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_services_with_0_and_unfinished_jobs_with_130(start: Any, number: int) -> None:
    bridge = start("clam_sim.sim_bridge", env="gym", task="Pendulum-v1")
    operator = start(
        "clam_sim.scripted_operator", env="gym", task="Pendulum-v1", kind="mixed", record=False, episodes=100000
    )
    while "of 100000" not in operator.output():  # it works
        assert operator.popen.poll() is None, operator.output()
        time.sleep(0.05)
    assert operator.stop(number) == 130
    assert bridge.stop(number) == 0
    assert "Traceback" not in operator.output() + bridge.output()
