from __future__ import annotations

import json
from typing import Any

import pytest

from clam_core.teleop.messages import MessageRefused
from clam_eval.buttons import BUTTONS, CORRECTIONS, Doubles, allowed, apply, parse_press
from clam_eval.rollout import Phase, Rollout, Rules


def text(**changes: Any) -> str:
    return json.dumps({"type": "input", "sequence": 1, "stamp": 1500.0, "button": "score_1", "number": 3} | changes)


def test_a_press_is_read_and_anything_else_refused() -> None:
    assert parse_press(text()).button == "score_1" and parse_press(text()).stamp == 1.5
    for bad in (
        text(number=None),
        text(number=True),
        "",
        "[]",
        text(button="home"),
        text(type="status"),
        text(stamp="now"),
        text(stamp=True),
        "x" * 9000,
    ):
        with pytest.raises(MessageRefused):
            parse_press(bad)
    with pytest.raises(MessageRefused):
        parse_press('{"type": "input", "button": "score_1", "stamp": NaN}')


def test_only_what_means_something_is_allowed_and_taken() -> None:
    rollout = Rollout(Rules(by_person=True), rate=5.0)
    assert apply("score_1", None, 0.0) and allowed(None) == ["estop"]
    assert allowed(rollout) == ["invalid", "abort", "estop"] and "nobody asks" in apply("clear", rollout, 0.0)
    rollout.bar()
    assert allowed(rollout) == ["clear", "invalid", "abort", "estop"] and not apply("clear", rollout, 0.0)
    assert "nobody waits" in apply("scene_ready", rollout, 0.0)
    rollout.prepared()
    assert "scene_ready" in allowed(rollout) and not apply("scene_ready", rollout, 0.0)
    rollout.enabled(1.0)
    rollout.command(1.1)
    assert set(allowed(rollout)) == set(BUTTONS) - {"scene_ready", "clear", *CORRECTIONS}
    assert not apply("estop", rollout, 2.0) and rollout.phase is Phase.SCORING
    assert "nothing to stop" in apply("abort", rollout, 2.0) and "abort" not in allowed(rollout)
    assert not apply("score_half", rollout, 3.0) and rollout.score == 0.5
    assert "no rollout" in apply("score_1", rollout, 4.0) and allowed(rollout) == ["estop"]


def test_nobody_overrules_the_simulator() -> None:
    rollout = Rollout(Rules(), rate=5.0)
    rollout.prepared()
    rollout.enabled(1.0)
    assert "scorer:=person" in apply("score_1", rollout, 2.0) and rollout.phase is Phase.RUNNING
    assert "score_1" not in allowed(rollout)
    assert not apply("invalid", rollout, 2.0) and rollout.phase is Phase.INVALID


def test_a_key_that_is_held_and_a_second_operator_press_once() -> None:
    doubles = Doubles()
    assert not doubles.is_double("invalid", 0.5) and not doubles.is_double("invalid", 1.0), "it was refused"
    doubles.taken("invalid", 1.0)
    assert [doubles.is_double("invalid", now) for now in (1.5, 2.4, 3.3)] == [True, True, True]
    assert not doubles.is_double("score_1", 3.4) and not doubles.is_double("invalid", 4.4)
