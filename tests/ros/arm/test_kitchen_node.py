"""The node `kitchen` by itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from clam_core.envs.kitchen_spec import ACTION, STATE_NAMES
from clam_core.envs.kitchen_tasks import READY
from clam_ros.node import OK, WARN
from clam_ros.stamps import to_ns
from clam_sim.kitchen_world import Kitchen


def test_a_stamp_is_of_the_time_that_was_simulated(make_graph: Any) -> None:
    """A slow machine simulates late, and must not call the result new: that looks like an arm that is too fast."""
    graph = make_graph()
    node = graph.add(Kitchen())
    world, asked = node._world, []

    def slowly(_: float) -> None:
        asked.append(graph.probe.get_clock().now().nanoseconds)
        time.sleep(0.05)

    world.catch_up = slowly  # and what is shown tells how often it was asked
    world.measure = lambda: (np.full(8, len(asked)), np.zeros(8))
    world.scene = lambda: np.full(len(world.scene_names), len(asked))
    world.observe = lambda: np.full(len(STATE_NAMES), len(asked))
    measured, scenes = (graph.collect(JointState, f"kitchen/{name}") for name in ("joint_states", "scene"))
    observed = graph.collect(JointState, "observation/state")
    graph.spin_until(lambda: measured and scenes and observed, what="messages")
    for message in (measured[-1], scenes[-1], observed[-1]):
        assert to_ns(message.header.stamp) <= asked[int(message.position[0]) - 1]


def test_every_reset_takes_the_next_seed_or_the_one_that_was_set(make_graph: Any) -> None:
    graph = make_graph(seed=5)
    node = graph.add(Kitchen())

    def reset() -> int:
        answer = graph.call(Trigger, "reset")
        assert answer.success, answer.message
        return int(json.loads(answer.message)["seed"])

    assert [reset(), reset()] == [6, 7]  # it began with 5
    (result,) = node.set_parameters([Parameter("seed", Parameter.Type.INTEGER, 100)])
    assert result.successful, result.reason
    assert [reset(), reset()] == [100, 101]


def test_a_kitchen_that_was_held_up_itself_does_not_miss_its_commander(make_graph: Any) -> None:
    node = make_graph().add(Kitchen())
    point = JointTrajectoryPoint(positions=[*READY, 0.05])
    node._on_setpoint(JointTrajectory(joint_names=list(ACTION.names), points=[point]))
    time.sleep(2.5)  # and setpoints wait to be heard
    assert node.diagnose()[0] == OK
    said = [node.diagnose() for _ in range(2)]
    assert said[0][0] == OK and said[1][0] == WARN and "nobody has commanded the arm for 3 s" in said[1][1]


def test_without_mujoco_a_kitchen_is_one_line() -> None:
    code = "import sys; sys.modules['mujoco'] = None; from clam_sim.kitchen_world import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    (line,) = [line for line in (ended.stdout + ended.stderr).splitlines() if line]
    assert "the toy kitchen needs MuJoCo" in line and "pip install mujoco" in line
