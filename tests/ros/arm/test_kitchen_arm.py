"""Driver and simulated kitchen as two processes over real DDS: what happens when either dies, and who says so."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION, STATE_NAMES
from clam_core.envs.kitchen_tasks import READY
from clam_core.operators import make_operator
from clam_description import ARM_JOINTS, FINGER_JOINTS, SLEEP
from clam_ros.node import ERROR, OK, WARN
from clam_ros.stamps import to_ns

KITCHEN, DRIVER = "clam_sim.kitchen_world", "clam_arm.arm_driver"
SLACK = np.array([0.02] * 6 + [0.002])
#: Tests are impatient with the arm, but a busy machine is no fault of it.
ARM: dict[str, Any] = {"backend": "mujoco", "backend_timeout": 60.0, "startup_time": 0.1, "startup_speed": 1.0}
ARM |= {"move_speed": 1.5, "measurement_timeout": 0.5, "command_timeout": 5.0}
GONE = "fault: the kitchen is silent on '/kitchen/joint_states'"


class Bus:
    """Everything that the kitchen publishes; what its arm measures is compared with the limits in the end."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.measured = graph.collect(JointState, "kitchen/joint_states", 5000)
        self.observations = graph.collect(JointState, "observation/state")
        self.scores = graph.collect(Float32, "episode/score")
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        self.setpoints = graph.probe.create_publisher(JointTrajectory, "kitchen/setpoint", 10)
        graph.spin_until(lambda: self.measured and self.observations, what="a kitchen")
        graph.spin_until(lambda: self.setpoints.get_subscription_count() > 0, what="kitchen matched")

    @property
    def arm(self) -> Any:
        """Newest measured joints and gap (7,)."""
        return gaps(self.measured[-1:])[0]

    def observed(self) -> dict[str, float]:
        return dict(zip(self.observations[-1].name, self.observations[-1].position, strict=True))

    def send(self, positions: Any, names: Any = ACTION.names) -> None:
        point = JointTrajectoryPoint(positions=[float(number) for number in positions])
        self.setpoints.publish(JointTrajectory(joint_names=list(names), points=[point]))

    def goes_to(self, positions: Any) -> None:
        """Repeats a setpoint, as drivers do: only the newest is looked at, and one may be lost."""

        def there() -> bool:
            self.send(positions)
            return bool(np.abs(self.arm - positions).max() < 0.02)

        self.graph.spin_until(there, what="the arm there")

    def rests(self) -> Any:
        """Waits until the arm rests, as seen now and not in messages that wait to be read; where it is (7,)."""

        def at_rest() -> bool:
            age = self.graph.probe.get_clock().now().nanoseconds - to_ns(self.measured[-1].header.stamp)
            moved = np.ptp(gaps(self.measured[-50:]), axis=0).max()
            return age < 0.3e9 and bool(moved < 3e-3)  # without torque it creeps

        self.graph.spin_until(at_rest, what="the arm at rest")
        return self.arm

    def refuses(self, count: int, positions: Any, names: Any = ACTION.names) -> None:
        def refused() -> bool:
            self.send(positions, names)
            return int(self.facts().get("setpoints refused", 0)) >= count and "refused" in self.facts()["message"]

        self.graph.spin_until(refused, what="a refusal")

    def facts(self) -> dict[str, Any]:
        for message in reversed(self.diagnostics):
            for status in message.status:
                if status.name.endswith("/kitchen"):
                    values = {item.key: item.value for item in status.values}
                    return {"level": status.level, "message": status.message} | values
        return {}

    def warns(self, words: str) -> None:
        self.graph.spin_until(lambda: words in self.facts().get("message", ""), what=words)
        assert self.facts()["level"] == WARN

    def never_left_its_limits(self) -> None:
        positions = gaps(self.measured)
        assert (positions >= np.array(ACTION.low) - SLACK).all() and (positions <= np.array(ACTION.high) + SLACK).all()
        stamps = np.array([to_ns(message.header.stamp) for message in self.measured]) / 1e9
        steps, ways = np.diff(stamps), np.abs(np.diff(positions[:, :6], axis=0)).max(axis=1)
        assert (steps > 0).all()
        together = steps < 0.2  # of one life of the kitchen
        assert (ways[together] < 1.2 * np.pi * np.maximum(steps[together], 0.02)).all()


def gaps(messages: list[JointState]) -> Any:
    positions = np.array([message.position for message in messages])
    return np.column_stack([positions[:, :6], positions[:, 6] - positions[:, 7]])


def gets_ready(robot: Any) -> None:
    """Asks again where a busy machine stopped the move."""
    robot.graph.spin_until(lambda: robot.graph.call(Trigger, "ready").success, what="the arm ready")


@pytest.fixture
def bus(make_graph: Any, start: Any) -> Bus:
    """A kitchen in a process of its own, and a node that talks to its bus as a driver would."""
    graph = make_graph()
    start(KITCHEN, seed=3, task="close-microwave")
    return Bus(graph)


@pytest.fixture
def stack(make_graph: Any, start: Any, robot_of: Any) -> Callable[..., tuple[Any, Bus, Any, Any]]:
    """``stack(…)``: a robot at its driver, the bus behind it, and the processes of driver and kitchen."""

    def make(task: str = "reach-block", **parameters: Any) -> tuple[Any, Bus, Any, Any]:
        graph = make_graph()
        kitchen = start(KITCHEN, task=task)
        driver = start(DRIVER, **{**ARM, **parameters})
        return robot_of(graph), Bus(graph), driver, kitchen

    return make


def test_the_kitchen_shows_its_bus_its_things_and_a_score(bus: Bus) -> None:
    scenes = bus.graph.collect(JointState, "kitchen/scene")
    count = len(bus.measured)
    bus.graph.spin_until(lambda: len(bus.measured) > count + 200 and len(scenes) > 60, what="messages")
    first, last = bus.measured[count], bus.measured[count + 200]
    assert list(last.name) == [*ARM_JOINTS, *FINGER_JOINTS] and len(last.velocity) == 8
    rate = 200e9 / (to_ns(last.header.stamp) - to_ns(first.header.stamp))
    assert rate < 105, rate  # how much less depends on what else the machine does
    assert bus.arm[:6] == pytest.approx(SLEEP, abs=0.02)
    assert list(bus.observations[-1].name) == [*STATE_NAMES, "episode/index", "episode/step"]
    scene = dict(zip(scenes[-1].name, scenes[-1].position, strict=True))
    offline = dict(zip(STATE_NAMES, make_env("kitchen", "close-microwave").reset(3)["state"], strict=True))
    for name in ("block_x", "block_y", "microwave_door"):
        assert scene[name] == pytest.approx(offline[name], abs=1e-3), name
    assert bus.scores[-1].data == 0.0
    bus.graph.spin_until(lambda: "seed" in bus.facts(), what="diagnostics")
    assert bus.facts()["seed"] == "3"


def test_setpoints_move_the_motors_and_what_makes_no_sense_does_not(bus: Bus) -> None:
    bus.goes_to([*READY, 0.05])
    bus.refuses(1, [*READY[:5], np.nan, 0.05])
    bus.refuses(int(bus.facts()["setpoints refused"]) + 1, READY, names=ACTION.names[:6])
    assert bus.facts()["level"] == b"\x01" and "setpoint refused" in bus.facts()["message"]
    assert np.abs(bus.arm - [*READY, 0.05]).max() < 0.02
    assert bus.graph.call(SetBool, "kitchen/torque", SetBool.Request(data=False)).success
    bus.graph.spin_until(lambda: np.abs(bus.arm[:6] - READY).max() > 0.3, what="the arm to fall")
    bus.never_left_its_limits()


def test_a_reset_moves_the_things_and_counts_the_seed_up(bus: Bus) -> None:
    bus.goes_to([*READY, 0.05])
    answer = bus.graph.call(Trigger, "reset")
    assert answer.success, answer.message
    assert {key: json.loads(answer.message)[key] for key in ("episode", "seed")} == {"episode": 1, "seed": 4}
    bus.graph.spin_until(lambda: bus.observed()["episode/index"] == 1, what="the next attempt")
    offline = dict(zip(STATE_NAMES, make_env("kitchen", "close-microwave").reset(4)["state"], strict=True))
    for name in ("block_x", "block_y", "pot_x", "microwave_door"):
        assert bus.observed()[name] == pytest.approx(offline[name], abs=1e-3), name
    assert np.abs(bus.arm - [*READY, 0.05]).max() < 0.02, "the arm stays where it was"
    assert json.loads(bus.graph.call(Trigger, "reset").message)["seed"] == 5


def test_an_operator_solves_a_task_through_the_driver(stack: Any) -> None:
    robot, bus, _, _ = stack(on_fast="scale")
    operator = make_operator("kitchen", "reach-block", "expert")
    operator.reset(0)
    gets_ready(robot)
    assert bus.graph.call(Trigger, "reset").success
    seen = len(bus.observations)

    def solved() -> bool:
        nonlocal seen
        if len(bus.observations) > seen:
            seen = len(bus.observations)
            state = np.array(bus.observations[-1].position[: len(STATE_NAMES)])
            robot.command(operator.act({"state": state}))
        return bool(bus.scores[-1].data == 1.0)

    robot.graph.spin_until(solved, what="a score of 1")
    robot.never_left_its_limits()
    bus.never_left_its_limits()


@pytest.mark.usefixtures("udp")
def test_a_killed_driver_comes_back_while_the_kitchen_goes_on(stack: Any, start: Any) -> None:
    robot, bus, driver, kitchen = stack()
    timer = robot.swing(0.3)
    start("clam_ros.watch", nodes="[arm_driver, kitchen]")
    robot.says("state", "active")
    robot.watch_says(OK, "arm_driver", "is heard")
    robot.graph.spin_until(lambda: abs(robot.positions[0]) > 0.1, what="the arm under way")
    bus.graph.spin_until(lambda: "nobody" not in bus.facts().get("message", "nobody"), what="a kitchen at peace")
    driver.popen.send_signal(signal.SIGKILL)
    driver.wait()
    bus.warns("nobody has commanded the arm for")
    left = bus.rests()  # the motors keep their last goal
    silent, count = len(robot.states), len(bus.measured)
    bus.graph.spin_until(lambda: len(bus.measured) > count + 50, what="the kitchen going on")
    assert len(robot.states) == silent
    robot.watch_says(ERROR, "arm_driver", "/arm_driver is silent for")
    robot.watch_says(OK, "kitchen", "is heard")
    robot.graph.probe.destroy_timer(timer)

    start(DRIVER, **ARM)
    robot.graph.spin_until(lambda: len(robot.states) > silent + 50, what="joint states again")
    since = gaps(bus.measured[count:])
    assert np.abs(since - left).max() < 0.02, "it begins where the arm is"
    robot.diagnostics.clear()
    robot.watch_says(OK, "arm_driver", "is heard")
    bus.diagnostics.clear()
    bus.graph.spin_until(lambda: "nobody" not in bus.facts().get("message", "nobody"), what="a kitchen at peace")
    robot.swing(0.3)
    robot.says("state", "active")
    robot.graph.spin_until(lambda: np.abs(gaps(bus.measured[count:])[:, 0]).max() > 0.2, what="the arm under way")
    robot.never_left_its_limits()
    bus.never_left_its_limits()
    assert kitchen.stop() == 0 and "Traceback" not in kitchen.output(), kitchen.output()


@pytest.mark.usefixtures("udp")
def test_a_killed_kitchen_is_said_and_the_driver_goes_on_when_it_is_back(stack: Any, start: Any) -> None:
    robot, bus, driver, kitchen = stack()
    robot.swing(0.3)
    robot.says("state", "active")
    kitchen.popen.send_signal(signal.SIGKILL)
    kitchen.wait()
    robot.says("state", "fault")
    robot.graph.spin_until(lambda: robot.facts()["message"].startswith(GONE), what="who is gone")
    assert robot.facts()["level"] == b"\x02" and "kitchen_world" in robot.facts()["message"]
    said = int(robot.facts()["refused backend"])  # also what a kitchen that paused before it was killed adds
    robot.diagnostics.clear()
    robot.graph.spin_for(1.5)
    silent = len(robot.states)
    robot.graph.spin_for(0.5)
    assert len(robot.states) == silent, "nothing old is published as new"
    robot.graph.spin_until(lambda: bool(robot.facts()), what="diagnostics of the driver")
    assert int(robot.facts()["refused backend"]) == said, "said once, whatever is commanded meanwhile"
    assert robot.graph.call(Trigger, "home").success is False

    start(KITCHEN)
    robot.says("state", "active")
    robot.graph.spin_until(lambda: len(robot.states) > silent + 100, what="joint states again")
    robot.never_left_its_limits()
    bus.never_left_its_limits()
    assert driver.stop() == 0 and "Traceback" not in driver.output(), driver.output()


def test_torque_is_switched_in_the_kitchen(stack: Any) -> None:
    robot, bus, _, _ = stack()
    gets_ready(robot)
    assert robot.graph.call(SetBool, "torque", SetBool.Request(data=False)).message == "torque off"
    robot.graph.spin_until(lambda: np.abs(bus.arm[:6] - READY).max() > 0.3, what="the arm to fall")
    fallen = bus.rests()
    switch = SetBool.Request(data=True)
    robot.graph.spin_until(lambda: robot.graph.call(SetBool, "torque", switch).message == "torque on", what="torque")
    robot.says("state", "hold")
    robot.graph.spin_for(0.5)
    assert np.abs(bus.rests() - fallen).max() < 0.1, "it does not jump back to its last goal"


def test_nobody_misses_a_driver_that_never_was_or_an_arm_without_torque(bus: Bus) -> None:
    seen = len(bus.diagnostics)
    bus.graph.spin_until(lambda: len(bus.diagnostics) > seen + 4, what="diagnostics")
    assert "nobody" not in bus.facts()["message"]
    bus.goes_to([*READY, 0.05])
    bus.warns("nobody has commanded the arm for")
    assert bus.graph.call(SetBool, "kitchen/torque", SetBool.Request(data=False)).success
    bus.graph.spin_until(lambda: "without torque" in bus.facts()["message"], what="an arm without torque")
    assert "nobody" not in bus.facts()["message"]
