"""A commander that goes on through a move or an e-stop does not get the arm back by waiting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_arm import diagnostics
from clam_arm.arm_controller import Request
from clam_arm.arm_model import HOME
from clam_core.safety import Reason, Refusal
from clam_ros.node import OK, WARN


def command(rig: Any, offset: float = 0.05, times: tuple[float, ...] = (0.0,), start: float = 0.0) -> str:
    """Reason of the refusal, or an empty text."""
    goal = rig.backend.positions + np.array([offset, 0, 0, 0, 0, 0, 0])
    points = [goal.tolist()] * len(times)
    refusal = rig.controller.command(Request(rig.safety.limits.names, times, points, rig.now + start), rig.now)
    return "" if refusal is None else str(refusal.reason.value)


def move_home(rig: Any, *, commander: bool) -> set[str]:
    """What commands were refused for on the way."""
    reasons = set()
    rig.controller.move("home", HOME, rig.now)
    while rig.controller.moving:
        rig.tick(5)
        if commander and rig.controller.moving:
            reasons.add(command(rig))
    return reasons


@pytest.mark.parametrize("times", [(0.0,), (0.5,), (0.5, 1.0)])
def test_who_commands_through_a_move_is_refused_until_it_pauses(make_rig: Any, times: tuple[float, ...]) -> None:
    rig = make_rig()
    assert command(rig) == ""
    assert move_home(rig, commander=True) == {"busy"}
    for _ in range(20):
        assert command(rig, times=times) == "went_on"
        rig.tick(10)
    assert rig.backend.positions[:6] == pytest.approx(HOME)
    assert rig.safety.counts["went_on"] == 20 and "through the move to home" in rig.safety.last_refusal.text
    level, message = diagnostics.level(rig.controller, rig.now, refused_lately=True)
    assert level == WARN and "policy/enable false" in message
    rig.tick(30)
    assert command(rig, times=times) == ""
    rig.tick()
    assert command(rig, times=times) == ""


def test_who_is_silent_during_a_move_is_obeyed_at_once(make_rig: Any) -> None:
    rig = make_rig()
    assert command(rig) == ""
    assert move_home(rig, commander=False) == set()
    assert command(rig) == ""


def test_a_short_move_ends_when_who_stopped_for_it_is_obeyed_again(make_rig: Any) -> None:
    rig = make_rig()
    move_home(rig, commander=False)
    assert command(rig, 0.0) == ""
    begin = rig.now
    rig.controller.move("home", HOME, rig.now)
    while rig.controller.moving:
        rig.tick()
    assert 0.5 <= rig.now - begin < 0.6, "a move of 0.1 s: it waits for the time-out of commands"
    assert command(rig) == ""


def test_a_stopped_move_is_no_invitation(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(50)
    assert command(rig) == "busy"
    rig.controller.cancel(rig.now, "a test")
    assert command(rig) == "went_on"


@pytest.mark.parametrize("what", ["estop", "torque"])
def test_after_estop_or_torque_a_stream_is_refused_also_if_it_was_not_sound(make_rig: Any, what: str) -> None:
    rig = make_rig()
    assert command(rig) == ""
    rig.tick(5)
    if what == "estop":
        rig.controller.estop(rig.now)
        rig.tick(50)
        assert command(rig) == "estop"
        rig.tick(5)
        rig.safety.reset_estop(rig.now)
    else:
        rig.safety.disable()
        rig.tick(50)
        rig.controller.refuse(Refusal(Reason.SHAPE, "the message was no good"), rig.now)
        rig.tick(5)
        rig.safety.enable(rig.now)
    held = rig.backend.positions.copy()
    for _ in range(20):
        assert command(rig) == "went_on"
        rig.tick(5)
    assert rig.backend.positions == pytest.approx(held)
    assert rig.state == "hold"


def test_an_estop_is_the_reason_while_it_is_latched(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("home", HOME, rig.now)
    rig.tick(10)
    command(rig)
    rig.controller.estop(rig.now)
    assert command(rig) == "estop"


def test_a_trajectory_that_has_not_begun_shows_in_the_diagnostic(make_rig: Any) -> None:
    rig = make_rig()
    assert command(rig, 0.3, times=(1.0, 2.0), start=0.8) == ""
    rig.tick(20)
    level, message = diagnostics.level(rig.controller, rig.now, refused_lately=False)
    assert (level, message) == (OK, "hold, a trajectory begins in 0.4 s")
    assert diagnostics.facts(rig.controller, "fake", rig.now)["trajectory begins in [s]"] == "0.400"
    rig.tick(30)
    assert rig.state == "active" and rig.controller.pending(rig.now) == 0
    assert diagnostics.facts(rig.controller, "fake", rig.now)["trajectory begins in [s]"] == "-"
