"""The arm driver on an arm in MuJoCo over real DDS: whatever comes in, the arm stays within its limits and says why."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from std_srvs.srv import SetBool, Trigger

from clam_arm.arm_driver import ArmDriver
from clam_arm.arm_model import HOME, READY, SLEEP, arm_model
from clam_core.errors import ClamError
from clam_ros.stamps import to_ns

ORDER = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper", "left_finger"]
ORDER += ["right_finger"]
LIMITS = arm_model("wx250s").limits
#: The arm alone, in the driver's process; test_kitchen_arm.py has the kitchen in a process of its own.
TIMES: dict[str, Any] = {"backend": "mujoco_arm"}
TIMES |= {"startup_time": 0.1, "startup_speed": 1.0, "move_speed": 1.5}  # tests are impatient
# a busy machine must not look like a fault of the arm
TIMES |= {"measurement_timeout": 1.0, "command_timeout": 5.0}


@pytest.fixture
def make_robot(make_graph: Callable[..., Any], robot_of: Any) -> Callable[..., Any]:
    def make(**parameters: Any) -> Any:
        graph = make_graph(**{**TIMES, **parameters})
        graph.add(ArmDriver())
        return robot_of(graph)

    return make


def test_joint_states_come_at_50_hz_in_the_order_of_the_real_arm(make_robot: Any) -> None:
    robot = make_robot()
    assert list(robot.states[-1].name) == ORDER
    count = len(robot.states)
    robot.graph.spin_until(lambda: len(robot.states) > count + 100, what="100 joint states")
    periods = np.diff([to_ns(state.header.stamp) for state in robot.states[count : count + 101]]) / 1e9
    assert periods.mean() > 1 / 55 and np.median(periods) < 1 / 35, periods  # one pause makes only the mean long
    gap, left, right = robot.states[-1].position[6:]
    assert left == pytest.approx(gap / 2) and right == pytest.approx(-gap / 2)
    assert robot.positions[:6] == pytest.approx(SLEEP, abs=0.02)
    assert robot.facts()["backend"] == "mujoco_arm"


def test_a_command_is_followed(make_robot: Any) -> None:
    robot = make_robot()
    goal = robot.positions + np.array([0.1, 0.1, -0.1, 0.1, -0.1, 0.1, 0.01])
    order = [3, 1, 6, 0, 5, 2, 4]
    robot.command(goal[order], names=[LIMITS.names[index] for index in order])
    robot.graph.spin_until(lambda: np.abs(robot.positions - goal).max() < 0.02, what="the goal")
    robot.says("state", "active")
    robot.never_left_its_limits()


def test_violating_commands_are_refused_and_show_in_diagnostics(make_robot: Any) -> None:
    robot = make_robot()
    here = robot.positions
    bad = {
        "not_finite": ([*here[:6], np.nan], {}),
        "position_limit": ([here[0], -1.95, *here[2:]], {}),
        "velocity_limit": ([here[0] + 10 * np.pi * 0.1 / 2, *here[1:]], {}),
        "joint_names": (here, {"names": ["a", *LIMITS.names[1:]]}),
        "shape": (here[:6], {}),
        "stale_command": (here, {"stamp": robot.graph.probe.get_clock().now().nanoseconds - 10 * 10**9}),
    }
    for reason, (positions, options) in bad.items():
        robot.command(positions, **options)
        robot.refused(reason)
    robot.says("refused", str(len(bad)))
    assert robot.facts()["state"] == "hold" and robot.facts()["level"] == b"\x01"
    robot.stays()
    robot.never_left_its_limits()


def test_a_command_ten_times_too_fast_does_not_move_the_arm_however_often_it_comes(make_robot: Any) -> None:
    robot = make_robot()
    here = robot.positions
    for _ in range(50):
        robot.command([here[0] + 3.1, *here[1:]])
        robot.graph.spin_for(0.01)
    robot.refused("velocity_limit", 50)
    assert abs(robot.positions[0] - here[0]) < 0.02


def test_commands_out_of_the_workspace_are_refused(make_robot: Any) -> None:
    robot = make_robot()
    assert robot.graph.call(Trigger, "home").success
    # bow down with small steps that each keep the velocity limit, until the hand is near the table
    for _ in range(200):
        robot.command(robot.positions + np.array([0, 0.15, 0, 0, 0, 0, 0]))
        robot.graph.spin_for(0.05)
        if "refused workspace" in robot.facts():
            break
    assert robot.facts()["last refusal"].startswith("workspace: ")
    height = arm_model("wx250s").kinematics.position(robot.positions[:6])[2]
    assert height > LIMITS.workspace_lower[2] - 0.01
    robot.never_left_its_limits()


def test_a_silent_policy_makes_the_arm_hold(make_robot: Any) -> None:
    robot = make_robot(command_timeout=0.3)
    goal = robot.positions + np.array([0.2, 0, 0, 0, 0, 0, 0])

    def active() -> bool:
        robot.command(goal)  # more than one where a busy machine is silent for so long itself
        return bool(robot.facts().get("state") == "active")

    def silences() -> int:
        return int(robot.facts().get("refused command_timeout", 0))

    robot.graph.spin_until(active, what="an arm that follows")
    before = silences()
    robot.graph.spin_until(lambda: silences() > before, what="the silence to be noticed")
    counted = silences()
    robot.says("state", "hold")
    robot.comes_to_rest()
    robot.stays()
    assert silences() == counted, "it is one silence, however long"


def test_an_estop_stops_a_move_latches_and_is_reset_explicitly(make_robot: Any) -> None:
    robot = make_robot(move_speed=0.3)
    client = robot.graph.probe.create_client(Trigger, "home")
    robot.graph.spin_until(client.service_is_ready, what="home")
    moving = client.call_async(Trigger.Request())
    robot.graph.spin_until(lambda: robot.positions[1] > SLEEP[1] + 0.2, what="the arm under way")
    assert robot.graph.call(Trigger, "estop").success
    robot.graph.spin_until(moving.done, what="the answer of home")
    assert not moving.result().success
    robot.graph.spin_for(0.3)  # it comes to rest
    robot.stays()
    robot.says("state", "e-stop")
    assert robot.facts()["level"] == b"\x02"
    for _ in range(3):
        robot.command(robot.positions)
    robot.refused("estop", 3)
    assert "e-stop is latched" in robot.graph.call(Trigger, "sleep").message
    robot.graph.call(SetBool, "torque", SetBool.Request(data=True))
    robot.command(robot.positions)
    robot.refused("estop", 5)
    assert robot.graph.call(Trigger, "estop_reset").success
    robot.says("state", "hold")
    robot.never_left_its_limits()


def test_a_commander_that_goes_on_through_an_estop_and_torque_moves_nothing(make_robot: Any) -> None:
    robot = make_robot()
    timer = robot.swing(0.5)
    robot.graph.spin_until(lambda: abs(robot.positions[0]) > 0.1, what="the arm under way")
    assert robot.graph.call(Trigger, "estop").success
    robot.graph.spin_for(0.5)  # it comes to rest
    for what, service, request in (
        ("the e-stop", ("estop_reset", Trigger), Trigger.Request()),
        ("the switching of torque", ("torque", SetBool), SetBool.Request(data=True)),
    ):
        assert robot.graph.call(service[1], service[0], request).success
        robot.says(
            "message",
            f"hold: went_on: a commander went on through {what}: "
            "stop it, e.g. policy/enable false, then enable it again",
        )
        assert robot.facts()["level"] == b"\x01" and int(robot.facts()["refused went_on"]) > 0
        robot.stays(1.0)
    robot.graph.probe.destroy_timer(timer)
    robot.graph.spin_for(TIMES["command_timeout"] + 1.0)  # the pause
    start, robot.diagnostics[:] = len(robot.states), []
    goal = robot.positions + np.array([0.1, 0, 0, 0, 0, 0, 0])
    robot.command(goal)
    robot.graph.spin_until(lambda: abs(robot.positions[0] - goal[0]) < 0.02, what="the arm to obey again")
    assert len(robot.states) > start
    robot.never_left_its_limits()


def test_an_estop_outlives_a_new_configuration(make_robot: Any) -> None:
    robot = make_robot()
    assert robot.graph.call(Trigger, "estop").success
    (node,) = robot.graph.nodes
    for transition in (node.trigger_deactivate, node.trigger_cleanup, node.trigger_configure, node.trigger_activate):
        transition()
    robot.graph.spin_until(lambda: robot.publisher.get_subscription_count() > 0, what="driver matched")
    robot.says("state", "e-stop")
    assert not robot.graph.call(Trigger, "home").success


def test_home_and_sleep_are_reached_slowly_and_commands_wait(make_robot: Any) -> None:
    robot = make_robot()
    client = robot.graph.probe.create_client(Trigger, "home")
    robot.graph.spin_until(client.service_is_ready, what="home")
    moving = client.call_async(Trigger.Request())
    robot.graph.spin_until(lambda: robot.positions[1] > SLEEP[1] + 0.1, what="the arm under way")
    robot.command(robot.positions)
    robot.refused("busy")
    robot.graph.spin_until(moving.done, what="the answer of home")
    assert moving.result().success, moving.result().message
    assert robot.positions[:6] == pytest.approx(HOME, abs=0.05)
    answer = robot.graph.call(Trigger, "sleep")
    assert answer.success and answer.message == "at sleep"
    assert robot.positions[:6] == pytest.approx(SLEEP, abs=0.05)
    positions = np.array([state.position[:6] for state in robot.states])
    stamps = np.array([to_ns(state.header.stamp) for state in robot.states]) / 1e9
    speed = (np.abs(np.diff(positions, axis=0)) / np.maximum(np.diff(stamps), 0.02)[:, None]).max(axis=1)
    assert np.quantile(speed, 0.98) < 1.7  # where a busy machine pauses, the servos catch up faster
    robot.never_left_its_limits()


def test_ready_is_where_rollouts_begin_with_the_gripper_open(make_robot: Any) -> None:
    robot = make_robot()
    answer = robot.graph.call(Trigger, "ready")
    assert answer.success and answer.message == "at ready", answer.message
    robot.graph.spin_until(lambda: robot.positions == pytest.approx(READY, abs=0.05), what="the pose")
    robot.graph.spin_until(lambda: abs(robot.positions[6] - READY[6]) < 0.003, what="the gripper's gap")
    robot.never_left_its_limits()


def test_a_whole_trajectory_is_executed_and_a_bad_one_refused_as_a_whole(make_robot: Any) -> None:
    robot = make_robot(horizon=0.5)  # where the machine pauses, the trajectory is not too fast afterwards
    here = robot.positions
    first, second = here + np.array([0.5, 0.3, 0, 0, 0, 0, 0]), here + np.array([-0.3, 0.3, 0, 0, 0.3, 0, 0.02])
    robot.command(first, first, second, times=(1.0, 4.5, 6.0))  # no pause is so long that nobody sees the first
    robot.graph.spin_until(lambda: robot.positions[0] > 0.4, what="the first point")
    robot.graph.spin_until(lambda: np.abs(robot.positions - second).max() < 0.03, what="the last point")
    robot.says("state", "hold")
    assert "refused command_timeout" not in robot.facts(), "a planned end is no silence"
    here = robot.positions
    robot.command(first, first, times=(1.0, 1.0))
    robot.refused("time")
    robot.command(times=())
    robot.refused("empty")
    robot.command(here, [0, 5, 0, 0, 0, 0, 0.05], times=(1.0, 2.0))
    robot.refused("position_limit")
    robot.command(here, here + np.array([1.0, 0, 0, 0, 0, 0, 0]), times=(1.0, 1.1))
    robot.refused("velocity_limit")
    robot.stays()
    robot.never_left_its_limits()


def test_without_torque_nothing_is_sent_and_torque_begins_where_the_arm_is(make_robot: Any) -> None:
    robot = make_robot()
    assert robot.graph.call(Trigger, "home").success
    assert robot.graph.call(SetBool, "torque", SetBool.Request(data=False)).message == "torque off"
    robot.says("state", "disabled")
    robot.graph.spin_until(lambda: robot.positions[1] > 0.3, what="the arm to fall")
    robot.comes_to_rest()  # a fall is faster than the motors: on the way it may be refused as a jump
    robot.command(robot.positions)
    robot.refused("torque_off")
    assert robot.graph.call(SetBool, "torque", SetBool.Request(data=True)).success
    fallen = robot.positions
    robot.says("state", "hold")
    robot.graph.spin_for(0.5)
    assert robot.positions[1] > fallen[1] - 0.2, "it does not jump back to its last goal"


@pytest.mark.usefixtures("udp")
def test_a_driver_that_is_killed_and_started_again_goes_on_within_its_limits(
    make_graph: Any, start: Any, robot_of: Any
) -> None:
    graph = make_graph()
    first = start("clam_arm.arm_driver", **TIMES)
    robot = robot_of(graph)
    timer = robot.swing(0.2)
    robot.says("state", "active")
    first.popen.send_signal(signal.SIGKILL)
    first.wait()
    graph.spin_for(0.3)  # what was on its way arrives
    silent = len(robot.states)
    graph.spin_for(0.3)
    assert len(robot.states) == silent
    second = start("clam_arm.arm_driver", **TIMES)
    graph.spin_until(lambda: len(robot.states) > silent + 50, what="joint states again")
    robot.diagnostics.clear()
    robot.says("state", "active")
    robot.never_left_its_limits()
    graph.probe.destroy_timer(timer)
    assert second.stop() == 0, second.output()
    assert "Traceback" not in second.output()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"backend": "mujocco"}, "did you mean 'mujoco'"),
        ({"backend": "clam_arm.backends.mujoco_arm:Nothing"}, "cannot be imported"),
        ({"backend": "interbotix"}, "install the X-Series packages"),
        ({"robot": "wx200s"}, "valid: workcell, wx250s"),
        ({"velocity_scale": ".inf"}, "velocity_scale"),
        ({"ready": "[.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05]"}, "parameter 'ready': positions are not finite"),
        ({"ready": "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 50.0]"}, "parameter 'ready': joint 'gripper'"),
        ({"workspace_upper": "[.inf, 0.5, 0.7]"}, "limits cannot be switched off"),
        ({"workspace_lower": "[0.5, 0.6, 0.0]"}, "lower must be less"),
    ],
)
def test_what_cannot_work_ends_with_one_clear_line(start: Any, parameters: Any, says: str) -> None:
    process = start("clam_arm.arm_driver", **parameters)
    assert process.wait() == 1
    lines = [line for line in process.output().splitlines() if "[ERROR]" in line]
    assert len(lines) == 1 and says in lines[0], process.output()
    assert "Traceback" not in process.output()


def test_a_horizon_of_less_than_a_period_is_refused(make_graph: Any) -> None:
    graph = make_graph(backend="mujoco_arm", rate=10.0, horizon=0.05)
    driver = ArmDriver()
    graph.nodes.append(driver)
    with pytest.raises(ClamError, match="less than one period: give at least"):
        driver.configure()
