from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_arm.arm_controller import Request
from clam_arm.arm_model import HOME, SLEEP
from clam_core.errors import ClamError
from clam_core.safety import Refusal


def request(rig: Any, *points: Any, times: Any = (0.0,), start: float | None = None, names: Any = None) -> str:
    """Reason of the refusal, or an empty text."""
    wanted = rig.safety.limits.names if names is None else names
    begin = rig.now if start is None else start
    refusal = rig.controller.command(Request(wanted, list(times), [list(p) for p in points], begin), rig.now)
    return "" if refusal is None else str(refusal.reason.value)


def test_a_move_reaches_its_pose_slowly_keeps_the_grip_and_is_no_silence(make_rig: Any) -> None:
    rig = make_rig()
    begin, fastest = rig.now, 0.0
    rig.controller.move("home", HOME, rig.now)
    while rig.controller.moving:
        before = rig.backend.positions.copy()
        rig.tick()
        fastest = max(fastest, float(np.abs(rig.backend.positions - before).max()) / 0.02)
    assert fastest <= 0.5 + 1e-6
    assert rig.now - begin == pytest.approx(1.8 / 0.5 * 15 / 8, abs=0.03)
    assert rig.backend.positions == pytest.approx([*HOME, 0.052])
    rig.tick(200)
    assert rig.backend.positions == pytest.approx([*HOME, 0.052])
    assert rig.state == "hold" and not rig.safety.counts


def test_a_move_pauses_where_the_driver_pauses(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(100)
    before = rig.backend.positions.copy()
    rig.now += 5.0  # a busy machine: made up for at once, it would be a jump of 1.8 rad
    rig.tick()
    assert np.abs(rig.backend.positions - before).max() <= 0.5 * (rig.safety.settings.horizon + 0.02)
    assert rig.controller.moving == "home"
    rig.tick(400)
    assert rig.controller.distance(HOME) < 1e-6 and not rig.controller.stopped
    assert not rig.safety.counts


def test_after_a_pause_a_move_waits_for_news_of_the_arm_but_not_for_long(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(100)
    rig.backend.dead = True  # its messages come in a thread that was paused too
    rig.now += 5.0
    rig.tick(3)
    assert rig.controller.moving == "home"
    rig.backend.dead = False
    rig.tick(400)
    assert rig.controller.distance(HOME) < 1e-6 and not rig.controller.stopped
    rig.controller.move("sleep", SLEEP, rig.now)
    rig.tick(100)
    rig.backend.dead = True
    rig.tick(25)
    assert "measurement" in rig.controller.stopped and not rig.controller.moving


def test_commands_wait_for_a_move_and_do_not_disturb_it(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(20)
    assert request(rig, rig.backend.positions) == "busy"
    assert request(rig, [np.nan] * 7) == "busy"
    with pytest.raises(Refusal, match="busy"):
        rig.controller.move("sleep", SLEEP, rig.now)
    rig.tick(500)
    assert rig.controller.distance(HOME) < 1e-6


def test_an_estop_ends_a_move_for_good(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(100)
    rig.controller.estop(rig.now)
    stopped = rig.backend.positions.copy()
    rig.tick(100)
    assert rig.backend.positions == pytest.approx(stopped, abs=0.011)
    assert rig.controller.stopped
    rig.safety.reset_estop(rig.now)
    rig.tick(100)
    assert rig.backend.positions == pytest.approx(stopped, abs=0.011)


def test_a_trajectory_is_interpolated_from_where_the_arm_is(make_rig: Any) -> None:
    rig = make_rig()
    goal = rig.backend.positions + np.array([0.5, 0, 0, 0, 0, 0, 0.02])
    assert request(rig, goal, times=(1.0,)) == ""
    rig.tick(25)
    assert rig.backend.positions[0] == pytest.approx(0.25, abs=0.011)
    rig.tick(30)
    assert rig.backend.positions == pytest.approx(goal)


def test_a_trajectory_that_breaks_a_rule_anywhere_does_not_begin(make_rig: Any) -> None:
    rig = make_rig()
    here = rig.backend.positions.copy()
    near, far = here + np.array([0.1, 0, 0, 0, 0, 0, 0]), here + np.array([0, 0, 9, 0, 0, 0, 0])
    assert request(rig, near, far, times=(1.0, 5.0)) == "position_limit"
    assert request(rig, near, here, times=(1.0, 1.01)) == "velocity_limit"
    assert request(rig, [1.5, *here[1:]], times=(0.3,)) == "velocity_limit"
    assert request(rig, [0, 1.9, 0.5, 0, 0, 0, 0.05], times=(20.0,)) == "workspace"
    assert request(rig, near, near, times=(1.0, 1.0)) == "time"
    assert request(rig, times=()) == "empty"
    assert request(rig, near, times=(1.0,), start=rig.now - 5) == "time"
    rig.tick(20)
    assert rig.backend.positions == pytest.approx(here)


def test_a_refused_command_ends_a_trajectory_and_a_sound_one_replaces_it(make_rig: Any) -> None:
    rig = make_rig()
    goal = rig.backend.positions + np.array([1.0, 0, 0, 0, 0, 0, 0])
    request(rig, goal, times=(2.0,))
    rig.tick(25)
    assert request(rig, goal, names=["a"] * 7) == "joint_names"
    stopped = rig.backend.positions.copy()
    rig.tick(50)
    assert rig.backend.positions == pytest.approx(stopped, abs=0.011)
    request(rig, goal, times=(2.0,))
    rig.tick(5)
    assert request(rig, rig.backend.positions) == ""
    rig.tick(100)
    assert rig.backend.positions[0] < 0.5


def test_a_backend_that_fails_is_a_fault_and_not_a_crash(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(10)
    rig.backend.fails = True
    rig.tick(30)
    assert rig.state == "fault" and not rig.controller.moving
    assert rig.safety.counts == {"backend": 11, "measurement_stale": 1}, "ten setpoints, and one silence"
    assert request(rig, rig.backend.positions) == "no_measurement"
    assert rig.controller.complaint == "the bus is down", "the cause, whatever was refused for it since"
    rig.backend.fails = False
    rig.tick(30)  # longer than the time-out of commands: the move was stopped, and somebody commanded since
    assert rig.state == "hold" and not rig.controller.complaint
    assert request(rig, rig.backend.positions) == ""


def test_a_dead_arm_that_repeats_its_last_state_is_a_fault(make_rig: Any) -> None:
    rig = make_rig()
    rig.backend.dead = True
    rig.tick(20)
    assert rig.state == "fault"
    assert rig.safety.counts == {"measurement_stale": 1}
    sent = rig.backend.events.count("send")
    rig.tick(20)
    assert rig.backend.events.count("send") == sent


def test_torque_comes_after_the_setpoint_that_keeps_the_arm_where_it_is(make_rig: Any) -> None:
    rig = make_rig()
    rig.safety.disable()
    rig.backend.events.clear()
    rig.controller.switch_torque(True, rig.now)
    assert rig.backend.events == ["send", "torque True"]
    rig.controller.switch_torque(False, rig.now)
    assert rig.backend.events[-1] == "torque False"


@pytest.mark.parametrize(("dead", "says"), [(True, "last sound measurement is 0.4 s old"), (False, "the bus is down")])
def test_without_knowing_where_the_arm_is_torque_stays_off(make_rig: Any, dead: bool, says: str) -> None:
    rig = make_rig()
    rig.safety.disable()
    rig.backend.dead, rig.backend.fails = dead, not dead
    rig.tick(20)
    rig.backend.events.clear()
    with pytest.raises(ClamError, match=says) as error:
        rig.controller.switch_torque(True, rig.now)
    assert "could jump to its last goal" in str(error.value) and "\n" not in str(error.value)
    assert not rig.backend.events
    rig.controller.switch_torque(False, rig.now)
    assert rig.backend.events == ["torque False"], "off is always possible"


def test_a_pose_that_is_no_number_is_refused_like_any_other(make_rig: Any) -> None:
    rig = make_rig()
    for pose, gap in (([np.nan, *HOME[1:]], None), ([np.inf, *HOME[1:]], None), (HOME, np.nan)):
        with pytest.raises(Refusal, match="not_finite"):
            rig.controller.move("ready", pose, rig.now, gap)
    rig.tick(5)
    assert not rig.controller.moving and rig.state == "hold"
