from __future__ import annotations

import json
from typing import Any

import pytest

from clam_core.teleop.messages import MAX_BYTES, HandPose, MessageRefused, parse_input

POSE = {"position": [0.1, 1.2, -0.3], "orientation": [0.0, 0.6, 0.0, 0.8]}


def message(**changes: Any) -> dict[str, Any]:
    data = {
        "type": "input",
        "device": "headset",
        "sequence": 3,
        "stamp": 1500.0,
        "squeeze": 1,
        "trigger": 0.25,
        "buttons": ["record"],
        "pose": POSE,
    }
    return {key: value for key, value in {**data, **changes}.items() if value != "gone"}


def test_a_sound_message_is_taken_as_it_is() -> None:
    parsed = parse_input(json.dumps(message()))
    assert (parsed.device, parsed.sequence, parsed.stamp) == ("headset", 3, 1.5)
    assert (parsed.squeeze, parsed.trigger, parsed.buttons) == (1.0, 0.25, frozenset({"record"}))
    assert parsed.motion == HandPose((0.1, 1.2, -0.3), (0.0, 0.6, 0.0, 0.8))


def test_a_controller_that_is_not_there_is_none_and_sticks_have_six_numbers() -> None:
    assert parse_input(json.dumps(message(pose=None))).motion is None
    sticks = message(device="gamepad", pose="gone", twist=[0, 0.5, -1, 0, 0, 1])
    assert parse_input(json.dumps(sticks)).motion == (0.0, 0.5, -1.0, 0.0, 0.0, 1.0)


def test_a_quaternion_that_is_a_little_off_is_made_a_unit() -> None:
    pose = {**POSE, "orientation": [0.0, 0.6, 0.0, 0.81]}
    parsed = parse_input(json.dumps(message(pose=pose)))
    assert isinstance(parsed.motion, HandPose)
    assert sum(number**2 for number in parsed.motion.orientation) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "output"},
        {"device": "mouse"},
        {"device": ["headset"]},
        {"device": "gamepad"},  # with a pose
        {"twist": [0] * 6},
        {"extra": 1},
        {"sequence": "gone"},
        {"sequence": -1},
        {"sequence": 1.0},
        {"sequence": True},
        {"stamp": float("nan")},
        {"stamp": "1"},
        {"stamp": -1},
        {"squeeze": 1.01},
        {"squeeze": None},
        {"squeeze": True},
        {"trigger": -0.1},
        {"trigger": float("inf")},
        {"buttons": "record"},
        {"buttons": ["recrod"]},
        {"buttons": [["record"]]},
        {"buttons": None},
        {"pose": []},
        {"pose": {"position": [0, 0, 0]}},
        {"pose": {**POSE, "position": [0, 0]}},
        {"pose": {**POSE, "position": [0, 0, 1e9]}},
        {"pose": {**POSE, "position": [0, 0, float("nan")]}},
        {"pose": {**POSE, "orientation": [0, 0, 0, 0]}},
        {"pose": {**POSE, "orientation": [0, 0, 0, 0.5]}},
        {"pose": {**POSE, "more": 1}},
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageRefused):
        parse_input(json.dumps(message(**changes)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", '"input"', "[" * 1000, json.dumps(message()) + " " * MAX_BYTES, "9" * 2000],
)
def test_what_is_no_message_at_all_is_refused(text: str) -> None:
    with pytest.raises(MessageRefused):
        parse_input(text)


def test_refusals_are_one_short_line() -> None:
    with pytest.raises(MessageRefused) as refused:
        parse_input(json.dumps(message(buttons=["x" * 1000])))
    assert len(str(refused.value)) < 200 and "\n" not in str(refused.value)
