from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.safety import FilterSettings, Limits, Measurement, SafetyFilter
from clam_core.teleop.clutch import State
from clam_core.teleop.faults import Cause

DOWN = (0.0, -0.1, 0.0)  # WebXR's axes [m]


def test_the_hands_relative_motion_is_the_end_effectors(make_rig: Any) -> None:
    rig = make_rig().engage()
    begin = rig.place
    rig.tick(50, hand=(0.08, -0.05, -0.03))
    rig.tick(30)
    assert rig.place == pytest.approx(np.add(begin, [0.03, -0.08, -0.05]), abs=1e-3)


def test_scale_and_yaw_are_of_the_hands_motion(make_rig: Any) -> None:
    rig = make_rig(scale=0.5, yaw=np.pi / 2).engage()
    begin = rig.place
    rig.tick(50, hand=(0.0, 0.0, -0.1))  # ahead
    rig.tick(30)
    assert rig.place == pytest.approx(np.add(begin, [0.0, 0.05, 0.0]), abs=1e-3)


def test_letting_go_holds_where_the_arm_is_and_the_clutch_goes_on_from_there(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.tick(20, hand=DOWN)
    rig.squeeze = 0.0
    command = rig.tick()
    assert np.abs(command - rig.arm).max() < 0.016, "it does not go on to what was commanded last"
    held = rig.tick(50, hand=(0.3, 0.2, 0.1))
    assert (held == command).all()
    before = rig.place
    rig.engage().tick(50, hand=DOWN)
    rig.tick(30)
    assert rig.place == pytest.approx(np.add(before, [0, 0, -0.1]), abs=5e-3)


def test_an_arm_that_sags_under_its_weight_does_not_sink_at_every_clutch(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.squeeze = 0.0
    setpoint = rig.tick(10)
    rig.arm = setpoint + np.array([0, 0.006, 0.006, 0, 0, 0, 0])  # what gravity does
    rig.sluggish = 0.0
    for _ in range(10):
        rig.engage()
        rig.squeeze = 0.0
        rig.tick(3)
    assert rig.tick() == pytest.approx(setpoint, abs=2e-3)


def test_commands_never_lead_further_than_the_driver_takes(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.blocked = True
    for _ in range(30):
        command = rig.tick(hand=(0.0, -0.02, 0.0))
        assert np.abs(command - rig.arm)[:-1].max() <= 0.2 + 1e-9
    assert "blocked" in rig.teleoperator.warning
    rig.blocked = False
    rig.tick(100, hand=(0.0, 0.6, 0.0))
    rig.tick(50)
    assert rig.teleoperator.warning == ""


def test_a_hand_far_outside_brings_the_arm_to_the_edge_of_the_box_and_back(make_rig: Any, limits: Limits) -> None:
    rig = make_rig().engage()
    begin = rig.place
    for _ in range(60):
        rig.tick(hand=(0.0, -0.02, 0.0))
        assert rig.place[2] > limits.workspace_lower[2] - 1e-6
    assert rig.place[2] < 0.03 and "edge" in rig.teleoperator.warning
    rig.tick(80, hand=(0.0, 1.2, 0.0))
    rig.tick(100)
    assert rig.place == pytest.approx(begin, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_hand_does_the_safety_filter_takes_every_command(
    make_rig: Any, limits: Limits, forward: Any, seed: int
) -> None:
    rig, rng = make_rig(hand_speed=20.0), np.random.default_rng(seed)
    safety = SafetyFilter(limits, forward, FilterSettings(startup_time=0.1, startup_speed=1.0))
    velocity = np.zeros(3)
    safety.observe(Measurement(rig.now, rig.arm.copy()), rig.now)
    safety.enable(rig.now)
    for step in range(600):
        velocity = 0.9 * velocity + 0.01 * rng.normal(size=3)
        rig.squeeze = float(step % 100 > 5)
        rig.trigger = float(rng.random() < 0.5)
        rig.blocked = step % 150 > 120
        command = rig.tick(hand=velocity)
        safety.observe(Measurement(rig.now, rig.arm.copy()), rig.now)
        if command is not None:
            assert safety.command(limits.names, command, rig.now) is None, safety.last_refusal
        safety.output(rig.now)


def test_joint_states_that_stop_coming_end_the_commands(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.measured = False
    assert rig.tick(14) is not None
    assert rig.tick(3) is None
    assert rig.teleoperator.clutch.reason.cause is Cause.ARM
    rig.measured = True
    assert rig.tick() is not None, "it holds"
    assert rig.state is State.BLOCKED, "squeezed since before"


def test_before_the_first_joint_state_nothing_is_commanded(make_rig: Any) -> None:
    rig = make_rig()
    rig.measured = False
    assert rig.tick(10) is None
    rig.teleoperator.observe(np.full(7, np.nan), rig.now)
    assert rig.tick() is None


def test_a_silent_page_holds_and_a_closed_one_ends_the_commands_after_a_while(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.silent = True
    rig.tick(9)
    assert rig.state is State.BLOCKED and rig.teleoperator.clutch.reason.cause is Cause.TIMEOUT
    rig.teleoperator.close(rig.now)
    assert rig.tick(40) is not None
    assert rig.tick(20) is None


def test_while_somebody_else_moves_the_arm_nothing_is_sent_and_then_it_holds_where_it_is(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.teleoperator.begin("the arm moves home")
    assert rig.tick(5) is None
    rig.arm = rig.arm + np.array([0.5, 0.2, -0.2, 0, 0, 0, 0.01])
    rig.teleoperator.end()
    command = rig.tick()
    assert command[:-1] == pytest.approx(rig.arm[:-1], abs=1e-9)
    assert rig.state is State.BLOCKED
    rig.engage()


def test_from_outside_the_workspace_nobody_leads_the_arm_anywhere(make_rig: Any) -> None:
    rig = make_rig()
    rig.arm[1] = 1.0  # leans forward, into the table
    assert rig.place[2] < 0.0
    rig.squeeze = 0.0
    rig.tick(2)
    rig.squeeze = 1.0
    rig.tick(2)
    assert rig.state is State.BLOCKED and "outside its workspace" in rig.teleoperator.clutch.reason.text


def test_another_device_must_let_go_first(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.device = "keyboard"
    rig.tick(5)
    assert rig.state is State.BLOCKED
    rig.engage()


def test_a_message_out_of_order_asks_for_nothing(make_rig: Any) -> None:
    rig = make_rig()
    rig.tick(3)
    rig.sequence -= 2
    rig.buttons = frozenset({"record"})
    rig.tick()
    assert rig.teleoperator.requests() == []
    rig.tick(2)
    assert rig.teleoperator.requests() == ["record"]


def test_a_new_page_begins_with_its_own_clock_and_nothing_pressed(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.teleoperator.close(rig.now)
    rig.sequence, rig.now = 0, rig.now + 5.0
    rig.buttons = frozenset({"record", "estop"})
    rig.teleoperator.open(rig.now)
    rig.tick(5)
    assert rig.teleoperator.requests() == ["estop"], "an e-stop is never in vain"
    assert rig.state is State.BLOCKED
    rig.buttons = frozenset()
    rig.engage()


def test_the_grip_outlives_faults_and_moves(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.tick()
    rig.trigger = 1.0
    rig.tick(60)
    assert rig.commands[-1][-1] == pytest.approx(0.03)
    rig.arm[-1] = 0.036  # it holds a block
    rig.blocked = True
    rig.teleoperator.begin("the arm moves home", keeps_grip=True)
    rig.tick(3)
    rig.teleoperator.end()
    assert rig.tick()[-1] == pytest.approx(0.03)


@pytest.mark.parametrize("obstacle", ["no torque", "no joint states", "home"])
def test_a_gripper_that_others_opened_is_not_closed_by_a_grip_of_the_past(make_rig: Any, obstacle: str) -> None:
    rig = make_rig().engage()
    rig.tick()
    rig.trigger = 1.0
    rig.tick(60)
    rig.squeeze = 0.0
    rig.tick(2)
    rig.blocked = True
    if obstacle == "no joint states":
        rig.measured = False
    else:
        rig.teleoperator.begin(obstacle, keeps_grip=obstacle == "home")
    assert rig.tick(20) is None
    rig.arm[-1] = 0.07
    rig.measured = True
    rig.teleoperator.end()
    rig.tick(2)
    assert rig.state is State.RELEASED
    assert rig.tick()[-1] == pytest.approx(0.07, abs=0.0101 if obstacle == "home" else 1e-9)


def test_a_page_that_is_only_open_sends_nothing_and_takes_hold_of_the_arm_where_it_is_by_then(make_rig: Any) -> None:
    rig = make_rig()
    assert rig.tick(20) is None
    rig.engage().tick(20, hand=DOWN)
    rig.squeeze = 0.0
    assert rig.tick(5) is not None
    rig.teleoperator.close(rig.now)
    rig.silent = True
    assert rig.tick(60) is None
    rig.arm = rig.arm + np.array([0.12, 0.01, 0.0, 0.0, 0.0, 0.0, 0.01])  # somebody else commands it
    rig.teleoperator.open(rig.now)
    rig.silent, rig.sequence = False, 0
    assert rig.tick(20) is None
    begin = rig.arm.copy()
    rig.engage()
    assert rig.commands[-1] == pytest.approx(begin, abs=1e-3)


def test_a_page_that_comes_back_at_once_finds_the_arm_where_others_moved_it(make_rig: Any) -> None:
    rig = make_rig().engage()
    rig.teleoperator.close(rig.now)
    rig.silent = True
    rig.tick(3)
    rig.arm = rig.arm + np.array([0.01, 0.01, 0.0, 0.0, 0.0, 0.0, 0.01])
    rig.teleoperator.open(rig.now)
    rig.silent, rig.sequence = False, 0
    begin = rig.arm.copy()
    assert rig.engage().commands[-1] == pytest.approx(begin, abs=1e-3)


@pytest.mark.parametrize("device", ["headset", "keyboard"])
def test_an_estop_counts_with_a_change_of_device_in_the_first_message_and_before_a_close(
    make_rig: Any, device: str
) -> None:
    rig = make_rig()
    rig.buttons = frozenset({"estop"})
    rig.tick()
    assert rig.teleoperator.requests() == ["estop"]
    rig.buttons = frozenset()
    rig.tick()
    rig.device, rig.buttons = device, frozenset({"estop", "record"})
    rig.tick()
    assert "estop" in rig.teleoperator.requests()
    rig.buttons = frozenset()
    rig.tick()
    rig.buttons = frozenset({"estop", "success"})
    rig.tick()
    rig.teleoperator.close(rig.now)
    assert rig.teleoperator.requests() == ["estop"]


def test_nobody_takes_hold_of_an_arm_in_the_messages_that_come_with_an_obstacle(make_rig: Any) -> None:
    rig = make_rig()
    rig.tick(2)
    rig.teleoperator.begin("the node is not active")
    for squeeze in (0.0, 1.0):
        rig.squeeze = squeeze
        rig.now += 0.01
        rig.teleoperator.receive(rig.message(), rig.now)
    assert rig.state is State.BLOCKED


def test_a_jump_of_the_hand_is_judged_before_its_scale(make_rig: Any) -> None:
    rig = make_rig(scale=3.0).engage()
    rig.tick(10, hand=(0.0, 0.0, 0.4))  # 2 m/s
    assert rig.state is State.ENGAGED, rig.teleoperator.clutch.reason
    rig = make_rig(scale=0.1).engage()
    rig.tick(1, hand=(0.0, 0.3, 0.0))
    assert rig.state is State.BLOCKED and rig.teleoperator.clutch.reason.cause is Cause.JUMP


def test_an_arm_that_falls_back_is_not_commanded_further_ahead_than_the_lead(make_rig: Any) -> None:
    rig = make_rig().engage()
    for _ in range(60):  # to the edge of the box, where the way on is refused
        rig.tick(hand=(0.0, -0.02, 0.0))
    rig.blocked = True
    rig.arm = rig.arm + np.array([0.3, -0.3, 0.3, 0.0, 0.0, 0.0, 0.0])
    for _ in range(20):
        command = rig.tick(hand=(0.0, -0.02, 0.0))
        assert np.abs(command - rig.arm)[:-1].max() <= 0.2 + 1e-9


def test_without_a_solution_the_lead_is_kept_too(make_rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig().engage()
    monkeypatch.setattr(rig.teleoperator._follower._kinematics, "step", lambda target, seconds: False)
    rig.blocked = True
    rig.arm = rig.arm + 0.4
    rig.arm[-1] = 0.05
    command = rig.tick()
    assert np.abs(command - rig.arm)[:-1].max() <= 0.2 + 1e-9
