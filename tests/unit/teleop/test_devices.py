from __future__ import annotations

import math

import numpy as np
import pytest

from clam_core.errors import ClamError
from clam_core.teleop.buttons import Buttons
from clam_core.teleop.devices import make_device
from clam_core.teleop.frames import about
from clam_core.teleop.gripper import Gripper
from clam_core.teleop.messages import HandPose, InputMessage
from clam_core.teleop.scripted import ScriptedHand
from clam_core.teleop.settings import TeleopSettings

SETTINGS = TeleopSettings(scale=2.0, yaw=math.pi / 2, stick_speed=0.1, stick_turn_speed=0.5)


def sticks(stamp: float, twist: tuple[float, ...] | None) -> InputMessage:
    return InputMessage("gamepad", round(1000 * stamp), stamp, 0.5, 0.25, frozenset({"home"}), twist)


def test_a_headset_is_aligned_and_leaves_its_scale_to_who_follows() -> None:
    half = 0.2
    pose = HandPose((0.0, 0.0, -1.0), (0.0, math.sin(half), 0.0, math.cos(half)))
    device = make_device("headset", SETTINGS)
    sample = device.sample(InputMessage("headset", 1, 2.5, 1.0, 0.5, frozenset(), pose))
    assert device.scale == 2.0 and make_device("gamepad", SETTINGS).scale == 1.0
    assert sample.hand is not None
    assert sample.hand.position == pytest.approx((0, 1, 0))
    assert sample.hand.rotation == pytest.approx(about((0, 0, 1), 2 * half))
    assert (sample.stamp, sample.squeeze, sample.trigger) == (2.5, 1.0, 0.5)


def test_a_stick_moves_a_hand_by_the_pages_time() -> None:
    device = make_device("gamepad", SETTINGS)
    for step in range(101):
        sample = device.sample(sticks(1.0 + 0.01 * step, (1.0, 0.0, -0.5, 0.0, 0.0, 1.0)))
    assert sample.hand is not None
    assert sample.hand.position == pytest.approx((0.0, 0.1, -0.05)), "ahead is the arm's left: yaw is a quarter turn"
    assert sample.hand.rotation == pytest.approx(about((0, 0, 1), 0.5))
    assert sample.buttons == {"home"}


def test_a_stick_does_not_make_up_for_a_pause_or_an_absence() -> None:
    device = make_device("keyboard", SETTINGS)
    device.sample(sticks(1.0, (1.0, 0, 0, 0, 0, 0)))
    late = device.sample(sticks(9.0, (1.0, 0, 0, 0, 0, 0)))
    assert late.hand is not None and late.hand.position[1] <= 0.011
    assert device.sample(sticks(9.1, None)).hand is None
    again = device.sample(sticks(19.1, (1.0, 0, 0, 0, 0, 0)))
    assert again.hand is not None and again.hand.position == pytest.approx(late.hand.position)


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(ClamError, match="did you mean 'headset'"):
        make_device("headsets", SETTINGS)


@pytest.mark.parametrize("changes", [{"scale": 0.0}, {"timeout": 60.0}, {"lead": math.inf}, {"yaw": math.nan}])
def test_settings_that_switch_something_off_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ClamError, match="give a number from"):
        TeleopSettings(**changes)


def test_a_button_asks_once_and_what_cannot_be_taken_back_must_be_held() -> None:
    buttons = Buttons()
    assert buttons.update(frozenset({"record"}), 1.0) == ["record"]
    assert buttons.update(frozenset({"record"}), 1.1) == []
    assert buttons.update(frozenset(), 1.2) == []
    assert buttons.update(frozenset({"record", "discard"}), 1.3) == ["record"]
    assert buttons.update(frozenset({"discard"}), 1.8) == []
    assert buttons.update(frozenset({"discard"}), 1.95) == ["discard"]
    assert buttons.update(frozenset({"discard"}), 9.0) == []
    buttons.update(frozenset(), 9.1)
    assert buttons.update(frozenset({"discard"}), 9.2) == []


def test_buttons_that_are_down_when_a_page_begins_ask_for_nothing() -> None:
    buttons = Buttons()
    buttons.ignore(frozenset({"record"}))
    assert buttons.update(frozenset({"record"}), 5.0) == []
    buttons.update(frozenset(), 5.1)
    assert buttons.update(frozenset({"record"}), 5.2) == ["record"]


def test_the_gripper_follows_the_trigger_no_faster_than_it_may() -> None:
    gripper = Gripper(closed=0.03, opened=0.07, speed=0.1)
    assert gripper.step(0.07, 1.0, 0.02) == pytest.approx(0.068)
    assert gripper.step(0.031, 1.0, 0.02) == pytest.approx(0.03)
    assert gripper.step(0.05, 0.5, 0.02) == pytest.approx(0.05)


def test_taking_hold_of_the_arm_does_not_change_the_grip() -> None:
    gripper = Gripper(closed=0.03, opened=0.07, speed=10.0)
    gripper.engage(0.0)
    assert gripper.step(0.035, 0.05, 0.02) == 0.035
    assert gripper.step(0.035, 0.2, 0.02) == pytest.approx(0.062)
    assert gripper.step(0.062, 0.0, 0.02) == pytest.approx(0.07), "it has moved: now it leads"


def test_a_script_is_the_same_for_the_same_seed_and_lets_go_now_and_then() -> None:
    first, second, other = (ScriptedHand(SETTINGS, seed) for seed in (1, 1, 2))
    ticks = [5.0 + 0.02 * step for step in range(2000)]
    messages = [first.message(now) for now in ticks]
    assert messages == [second.message(now) for now in ticks]
    assert [item.motion for item in messages] != [other.message(now).motion for now in ticks]
    squeezes = np.array([item.squeeze for item in messages])
    assert squeezes[0] == 0.0 and 0.8 < squeezes.mean() < 0.99
    assert {item.trigger for item in messages} == {0.0, 1.0}
    assert max(abs(value) for item in messages for value in item.motion) <= 1.0  # type: ignore[union-attr]
