"""The bridge in lockstep and in real time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_core.envs import make_env
from clam_ros.messages import CommandWriter, StateReader, StatusReader
from clam_sim.sim_bridge import SimBridge


class Driver:
    """Drives a bridge by hand."""

    def __init__(self, graph: Any, names: tuple[str, ...]) -> None:
        self.graph = graph
        self.observations = graph.collect(JointState, "observation/state")
        self.statuses = graph.collect(JointState, "episode/status")
        self.publisher = graph.probe.create_publisher(JointTrajectory, "command", 100)
        self.writer = CommandWriter(names)
        self.names = names
        graph.spin_until(lambda: self.publisher.get_subscription_count() > 0, what="bridge matched")

    def newest(self) -> Any:
        return StateReader().read(self.observations[-1])

    def reset(self) -> dict[str, Any]:
        seen = len(self.observations)
        response = self.graph.call(Trigger, "reset")
        assert response.success, response.message
        self.graph.spin_until(lambda: len(self.observations) > seen, what="first observation")
        return json.loads(response.message)

    def command(self, action: Any, stamp: int | None = None, names: tuple[str, ...] | None = None) -> None:
        writer = self.writer if names is None else CommandWriter(names)
        self.publisher.publish(writer.message(self.newest().stamp if stamp is None else stamp, action))

    def step(self, action: Any) -> Any:
        before = self.newest()
        self.command(action)
        self.graph.spin_until(lambda: self.newest().stamp > before.stamp, what="a step")
        return self.newest()


def pendulum(make_graph: Callable[..., Any], **parameters: Any) -> tuple[SimBridge, Driver]:
    graph = make_graph(env="gym", task="Pendulum-v1", **parameters)
    bridge = graph.add(SimBridge())
    return bridge, Driver(graph, ("action0",))


def test_lockstep_steps_once_for_each_answered_observation_and_counts_in_band(make_graph: Any) -> None:
    bridge, driver = pendulum(make_graph, republish_period=30.0)
    assert driver.reset()["episode"] == 0
    stamps = [driver.newest().stamp]
    for step in range(1, 6):
        sample = driver.step([0.5])
        assert (sample.episode, sample.step) == (0, step)
        stamps.append(sample.stamp)
    assert np.all(np.diff(stamps) == stamps[1] - stamps[0])
    driver.command([0.5], stamp=stamps[-2])  # an old answer
    driver.graph.spin_until(lambda: bridge.counters["commands ignored"] == 1)
    assert bridge.counters["steps"] == 5
    assert driver.reset()["episode"] == 1
    assert driver.newest().stamp > stamps[-1], "stamps never go back, over episodes too"


def test_lockstep_repeats_an_unanswered_observation(make_graph: Any) -> None:
    _, driver = pendulum(make_graph, republish_period=0.05)
    driver.reset()
    driver.graph.spin_until(lambda: len(driver.observations) >= 4, what="repeated observations")
    assert len({StateReader().read(message).stamp for message in driver.observations}) == 1


@pytest.mark.parametrize(
    ("action", "names"), [([np.nan], None), ([np.inf], None), ([0.1], ("elbow",)), ([0.1, 0.2], None)]
)
def test_broken_commands_are_refused_counted_and_recovered_from(make_graph: Any, action: Any, names: Any) -> None:
    bridge, driver = pendulum(make_graph, republish_period=30.0)
    driver.reset()
    driver.command(action, names=names)
    driver.graph.spin_until(lambda: bridge.counters["commands refused"] == 1, what="a refusal")
    assert "refused" in bridge.diagnose()[1]
    assert bridge.counters["steps"] == 0
    assert driver.step([0.1]).step == 1
    assert "refused" not in bridge.diagnose()[1]


def test_actions_beyond_the_limits_are_clipped_and_counted(make_graph: Any) -> None:
    bridge, driver = pendulum(make_graph)
    driver.reset()
    driver.step([100.0])
    assert bridge.counters["actions clipped"] == 1


def test_metaworld_in_lockstep_equals_the_environment_offline(make_graph: Any) -> None:
    environment = make_env("metaworld", "assembly")
    graph = make_graph(env="metaworld", task="assembly", seed=7)
    graph.add(SimBridge())
    driver = Driver(graph, environment.spec.action.names)
    rewards = graph.collect(Float64, "episode/reward")
    successes = graph.collect(Bool, "episode/success")
    assert driver.reset()["seed"] == 7
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(driver.newest().state, environment.reset(7)["state"])
    for _ in range(10):
        action = rng.uniform(-1, 1, 4)
        expected, sample = environment.step(action), driver.step(action)
        np.testing.assert_array_equal(sample.state, expected.observation["state"])
        graph.spin_until(lambda stamp=sample.stamp: StatusReader().read(driver.statuses[-1]).stamp == stamp)
        assert StatusReader().read(driver.statuses[-1]).reward == expected.reward
    assert rewards and successes
    assert driver.reset()["seed"] == 8, "the seed counts up by itself"


def test_an_episode_ends_with_its_step_budget_and_auto_reset_begins_the_next(make_graph: Any) -> None:
    _, driver = pendulum(make_graph, auto_reset=True)
    driver.graph.spin_until(lambda: bool(driver.observations), what="first observation without reset")
    steps = make_env("gym", "Pendulum-v1").spec.max_steps
    while driver.newest().episode == 0:
        driver.step([0.0])
    done = [status for status in map(StatusReader().read, driver.statuses) if status.done]
    assert [(status.episode, status.step) for status in done] == [(0, steps)]


@pytest.mark.parametrize("on_missing", ["hold", "zero"])
def test_realtime_ticks_without_commands_and_publishes_the_clock(make_graph: Any, on_missing: str) -> None:
    bridge, driver = pendulum(make_graph, mode="realtime", publish_clock=True, speed=5.0, on_missing_command=on_missing)
    clock = driver.graph.collect(Clock, "/clock")
    driver.reset()
    driver.command([1.0])
    driver.graph.spin_until(lambda: driver.newest().step >= 10 and len(clock) > 5, what="ticks")
    assert bridge.counters["commands missing"] >= 8
    times = [message.clock.sec * 10**9 + message.clock.nanosec for message in clock]
    assert np.all(np.diff(times) == bridge._period)
    stamps = [StateReader().read(message).stamp for message in driver.observations]
    assert np.all(np.diff(stamps) > 0)


def test_unknown_task_is_one_clear_line_and_status_1(start: Any) -> None:
    process = start("clam_sim.sim_bridge", env="gym", task="Pendulun-v1")
    assert process.wait() == 1
    assert "Pendulum-v1" in process.output()
    assert "Traceback" not in process.output()


@pytest.mark.parametrize(
    ("name", "value", "mend"), [("mode", "locksteps", "lockstep"), ("speed", 1, "1.0"), ("seed", -1, "seed")]
)
def test_wrong_parameters_are_one_clear_line_and_status_1(start: Any, name: str, value: Any, mend: str) -> None:
    process = start("clam_sim.sim_bridge", **{name: value})
    assert process.wait() == 1
    assert mend in process.output()
    assert "Traceback" not in process.output()
