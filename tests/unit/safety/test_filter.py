"""Each rule of the filter: what is refused, under which reason, and that the arm holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.safety import Refusal, Trajectory

HOME = (0.0, 0.0, 0.1, 0.05)


@pytest.mark.parametrize(
    ("positions", "names", "reason"),
    [
        (HOME, ("yaw", "pitch", "slide", "grip"), "joint_names"),
        (HOME[:3], ("yaw", "pitch", "slide"), "joint_names"),
        (HOME, ("yaw", "pitch", "slide", "slide"), "joint_names"),
        (HOME[:3], None, "shape"),
        ((*HOME, 0.0), None, "shape"),
        ((np.nan, *HOME[1:]), None, "not_finite"),
        ((0.0, 0.0, np.inf, 0.05), None, "not_finite"),
        ((0.0, 0.0, 0.21, 0.05), None, "position_limit"),
        ((-2.001, 0.0, 0.1, 0.05), None, "position_limit"),
        ((0.0, 0.0, 0.1, 0.02), None, "position_limit"),
        ((0.0, 0.0, 0.1, 0.08), None, "position_limit"),
        ((0.4, 0.0, 0.1, 0.05), None, "velocity_limit"),
        ((0.0, 0.0, 0.18, 0.05), None, "velocity_limit"),
    ],
)
def test_a_violating_command_is_refused_counted_and_the_arm_holds(
    make_arm: Any, positions: Any, names: Any, reason: str
) -> None:
    arm = make_arm()
    assert arm.command(0.02, 0.02, 0.1, 0.05) == ""
    arm.tick()
    measured = arm.filter.measured.positions
    assert arm.state == "active"
    assert arm.command(*positions, names=names) == reason
    assert arm.filter.counts == {reason: 1}
    assert arm.filter.last_refusal.reason.value == reason
    assert arm.state == "hold"
    assert arm.tick(5) == pytest.approx(measured), "it stays where it was measured"
    assert arm.command(*measured) == "", "a sound command is followed again"
    assert arm.state == "active"


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_trajectory_to_nowhere_is_refused(make_arm: Any, number: float) -> None:
    arm = make_arm()
    nowhere = np.array([0.0, number, 0.1, 0.05])
    with pytest.raises(Refusal, match="not_finite"):
        arm.filter.check_trajectory(Trajectory(np.array([0.0, 9.0]), np.array([HOME, nowhere])))
    with pytest.raises(Refusal, match="not_finite"):
        Trajectory.move(np.array(HOME), nowhere, speed=np.full(4, 0.5), now=arm.now)


def test_names_may_come_in_any_order(make_arm: Any) -> None:
    arm = make_arm()
    assert arm.command(0.06, 0.1, 0.05, 0.02, names=("gripper", "slide", "pitch", "yaw")) == ""
    assert arm.tick(3) == pytest.approx([0.02, 0.05, 0.1, 0.06])


def test_limits_may_be_commanded_exactly(make_arm: Any) -> None:
    arm = make_arm()
    for _ in range(10):
        slide = min(0.2, arm.positions[2] + 0.02)
        assert arm.command(0.0, 0.0, slide, 0.074) == ""
        arm.tick(5)
    assert arm.positions == pytest.approx([0.0, 0.0, 0.2, 0.074])


def test_the_end_effector_stays_in_its_box_and_may_return_to_it(make_arm: Any) -> None:
    narrow = {"workspace_upper": (0.7, 0.3, 0.6)}
    arm = make_arm(limits=narrow)
    reasons = []
    for step in range(12):  # turn until the hand is at y = 0.3
        reasons.append(arm.command(0.1 * (step + 1), 0.0, 0.1, 0.05))
        arm.tick(5)
    assert reasons[0] == "" and reasons[-1] in ("workspace", "velocity_limit")
    assert arm.filter.counts["workspace"] >= 1
    assert arm.filter._checks._outside(arm.positions) == 0

    arm = make_arm(limits=narrow, warm=False)
    arm.positions[0] = 1.0  # moved out of the box by hand
    arm.tick(40)
    arm.filter.enable(arm.now)
    arm.tick(120)
    assert arm.command(0.95, 0.0, 0.1, 0.05) == "workspace", "not even towards the box"
    assert "outside the workspace box" in arm.filter.last_refusal.text
    move = Trajectory.move(arm.positions, np.array([0.2, 0.0, 0.1, 0.05]), speed=np.full(4, 0.5), now=arm.now)
    with pytest.raises(Refusal):
        arm.filter.check_trajectory(move)
    arm.filter.check_trajectory(move, returning=True)
    while arm.now < move.end:
        assert arm.filter.command(arm.names, move.at(arm.now), arm.now, returning=True) is None
        arm.tick()
    assert arm.command(0.2, 0.0, 0.1, 0.05) == "", "back in"


def test_a_move_may_not_lead_out_of_the_box_nor_further_out(make_arm: Any) -> None:
    arm = make_arm(limits={"workspace_upper": (0.7, 0.3, 0.6)})
    for yaws, says in (((0.0, 1.0), "would be at"), ((1.0, 0.9), "would be at"), ((1.0, 1.3, 0.0), "the way leads")):
        path = np.array([[yaw, 0.0, 0.1, 0.05] for yaw in yaws])
        with pytest.raises(Refusal, match=says) as refusal:
            arm.filter.check_trajectory(Trajectory(np.arange(len(path)) * 10.0, path), returning=True)
        assert refusal.value.reason.value == "workspace"
    assert "hold the arm, switch torque off (service torque)" in refusal.value.text, "what is left to do"


def test_too_fast_a_command_is_scaled_only_where_that_was_chosen(make_arm: Any) -> None:
    arm = make_arm(on_fast="scale")
    assert arm.command(1.0, 0.5, 0.1, 0.05) == ""
    assert arm.filter.counts == {"velocity_limit": 1}
    arm.tick(6)
    assert arm.positions[:2] == pytest.approx([0.3, 0.15]), "velocity limit x horizon, on the straight line"
    assert arm.command(3.0, 0.5, 0.1, 0.05) == "position_limit", "position limits are never clipped"


def test_what_is_accepted_is_approached_at_the_velocity_limit(make_arm: Any) -> None:
    arm = make_arm()
    assert arm.command(0.29, 0.0, 0.1, 0.05) == ""
    steps = np.diff([arm.tick()[0] for _ in range(8)], prepend=0.0)
    assert steps.max() <= 3.0 * arm.period + 1e-12
    assert arm.positions[0] == pytest.approx(0.29)


def test_the_arm_is_slow_at_first_after_enabling(make_arm: Any) -> None:
    arm = make_arm(warm=False, startup_speed=0.1, startup_time=1.0)
    assert arm.tick() is None, "nothing is sent before it is enabled"
    assert arm.command(*HOME) == "torque_off"
    arm.filter.enable(arm.now)
    assert arm.tick() == pytest.approx(HOME), "it starts from where it is"
    speeds = []
    for _ in range(60):
        # back and forth: the hand stays in its box while the joint is always asked for more
        arm.command(arm.positions[0] + (0.25 if len(speeds) % 2 else -0.25), *HOME[1:])
        before = arm.positions[0]
        speeds.append(abs(arm.tick()[0] - before) / arm.period)
    assert speeds[0] < 0.15 * 3.0
    assert all(speed <= 3.0 * (0.1 + 0.9 * min(1, (k + 1) * arm.period)) + 1e-6 for k, speed in enumerate(speeds))
    assert speeds[-1] == pytest.approx(3.0)


def test_a_silent_policy_makes_the_arm_hold_once(make_arm: Any) -> None:
    arm = make_arm(command_timeout=0.3)
    arm.command(0.2, 0.0, 0.1, 0.06)
    arm.tick(14)
    assert arm.state == "active"
    arm.tick(3)
    assert arm.state == "hold"
    assert arm.filter.counts == {"command_timeout": 1}
    held = arm.tick()
    assert arm.tick(50) == pytest.approx(held)
    assert arm.filter.counts == {"command_timeout": 1}


def test_gravity_does_not_drag_a_hold_down(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.0, 0.05, 0.1, 0.05)
    arm.tick()
    arm.command(*[np.nan] * 4)
    held = arm.tick()
    for _ in range(20):
        arm.positions = held + np.array([0.0, 0.01, 0.0, 0.0])  # it sags
        arm.command(*[np.nan] * 4)
        assert arm.tick() == pytest.approx(held)


def test_a_hold_keeps_the_grip(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.0, 0.0, 0.1, 0.03)
    arm.tick(5)
    for _ in range(60):
        arm.positions[-1] = 0.045  # an object is in the way
        arm.tick()
    assert arm.state == "hold"
    assert arm.sent[-1][-1] == pytest.approx(0.03)
    arm.tick(20, measure=False)  # a fault passes
    arm.positions[-1] = 0.045
    assert arm.tick()[-1] == pytest.approx(0.03)


def test_an_estop_latches_until_it_is_reset(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.2, 0.0, 0.1, 0.05)
    arm.tick()
    stopped = arm.filter.measured.positions
    arm.filter.estop(arm.now)
    assert arm.state == "e-stop"
    assert arm.tick(5) == pytest.approx(stopped), "it stops where it is, not where it was going"
    for _ in range(3):
        assert arm.command(*stopped) == "estop"
        arm.tick()
    arm.filter.disable()
    arm.filter.enable(arm.now)
    assert arm.command(*stopped) == "estop", "torque does not reset it"
    arm.tick()
    assert arm.filter.reset_estop(arm.now) is None
    assert arm.state == "hold"
    assert arm.command(0.2, 0.0, 0.1, 0.05) == ""
    assert arm.tick()[0] - stopped[0] < 0.3 * 3.0 * arm.period, "slow at first"


def test_an_estop_at_the_end_of_a_trajectory_stops_at_once(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.29, 0.0, 0.1, 0.05)
    arm.filter.rest()
    arm.tick()
    stopped = arm.filter.measured.positions
    arm.filter.estop(arm.now)
    assert arm.tick(5) == pytest.approx(stopped)


def test_an_estop_is_not_reset_while_nobody_knows_where_the_arm_is(make_arm: Any) -> None:
    arm = make_arm()
    arm.filter.estop(arm.now)
    arm.tick(20, measure=False)
    assert arm.filter.reset_estop(arm.now).reason.value == "no_measurement"
    assert arm.state == "e-stop"


def test_a_planned_end_of_commands_is_no_timeout(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.1, 0.0, 0.1, 0.05)
    arm.filter.rest()
    assert arm.tick(60) == pytest.approx([0.1, 0.0, 0.1, 0.05]), "the last command is held"
    assert not arm.filter.counts


def test_a_stalled_joint_shows_as_following_error(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.2, 0.0, 0.1, 0.05)
    for _ in range(5):
        arm.tick()
        arm.positions[0] = 0.0
    arm.tick()
    assert arm.filter.following_error == pytest.approx(0.2)
