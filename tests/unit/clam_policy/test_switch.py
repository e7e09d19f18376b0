"""A policy begins when it may, and never after it was told to stop."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_policy.switch import Switch


class Gate:
    """Lets through when told to; `failure` waits until it is asked for an answer."""

    def __init__(self) -> None:
        self.reason, self.closed = "camera: nothing", False

    def open(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def passes(self) -> bool:
        return not self.reason

    async def failure(self) -> str:
        await Pause()
        return self.reason


class Pause:
    """Gives the executor its turn, once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Robot:
    """A switch, and how often it began."""

    def __init__(self, *, on: bool = True, guarded: bool = True) -> None:
        self.gate, self.begun, self.force = Gate(), 0, False
        self.switch = Switch(self.gate if guarded else None, lambda: self.force, self.begin, on=on)

    def begin(self) -> None:
        assert not self.switch.on, "everything is forgotten before the first command"
        self.begun += 1

    def ask(self, on: bool) -> str:
        return finish(self.switch.request(on))


def finish(request: Coroutine[Any, Any, str]) -> str:
    """Its answer."""
    while True:
        try:
            request.send(None)
        except StopIteration as end:
            return str(end.value)


def test_at_activation_it_waits_until_the_gate_lets_it() -> None:
    robot = Robot()
    robot.switch.activate()
    robot.switch.look()
    assert robot.switch.waits and not robot.switch.on and robot.gate.closed
    robot.gate.reason = ""
    robot.switch.look()
    assert robot.switch.on and not robot.switch.waits and not robot.gate.closed and robot.begun == 1
    robot.gate.reason = "late"
    robot.switch.look()
    assert robot.switch.on, "what runs is not stopped by a check"


def test_off_stays_off() -> None:
    robot = Robot()
    robot.switch.activate()
    assert robot.ask(False) == ""
    robot.gate.reason = ""
    robot.switch.look()
    assert not robot.switch.on and not robot.switch.waits and robot.gate.closed


def test_a_request_is_refused_with_the_reason_and_is_not_remembered() -> None:
    robot = Robot(on=False)
    robot.switch.activate()
    assert robot.ask(True) == "camera: nothing"
    robot.gate.reason = ""
    robot.switch.look()
    assert not robot.switch.on, "an arm must not begin to move long after it was asked to"
    assert robot.ask(True) == "" and robot.switch.on and robot.begun == 1
    assert robot.ask(True) == "" and robot.begun == 1


def test_a_refused_request_leaves_what_waits_waiting() -> None:
    robot = Robot()
    robot.switch.activate()
    assert robot.ask(True) and robot.switch.waits


def test_force_goes_on_whatever_the_gate_says() -> None:
    robot = Robot(on=False)
    robot.switch.activate()
    robot.force = True
    assert robot.ask(True) == "" and robot.switch.on
    waiting = Robot()
    waiting.switch.activate()
    waiting.force = True
    waiting.switch.look()
    assert waiting.switch.on


def test_without_a_gate_nothing_waits() -> None:
    robot = Robot(guarded=False)
    robot.switch.activate()
    assert robot.switch.on and robot.begun == 1


def test_off_while_the_checks_are_made_wins() -> None:
    robot = Robot(on=False)
    robot.switch.activate()
    robot.gate.reason = ""
    request = robot.switch.request(True)
    request.send(None)
    assert robot.ask(False) == ""
    assert "switched off" in finish(request) and not robot.switch.on


def test_who_asks_twice_is_answered_twice() -> None:
    robot = Robot(on=False)
    robot.switch.activate()
    robot.gate.reason = ""
    first, second = robot.switch.request(True), robot.switch.request(True)
    first.send(None)
    second.send(None)
    assert finish(first) == finish(second) == "" and robot.switch.on and robot.begun == 1


def test_the_nodes_end_while_the_checks_are_made_wins_too() -> None:
    robot = Robot(on=False)
    robot.switch.activate()
    robot.gate.reason = ""
    request = robot.switch.request(True)
    request.send(None)
    robot.switch.deactivate()
    assert finish(request) and not robot.switch.on


def test_what_was_on_is_checked_again_after_a_deactivation() -> None:
    robot = Robot()
    robot.gate.reason = ""
    robot.switch.activate()
    robot.switch.look()
    assert robot.switch.on
    robot.switch.deactivate()
    assert not robot.switch.on
    robot.gate.reason = "moved"
    robot.switch.activate()
    assert robot.switch.waits and not robot.switch.on


def test_before_activation_a_request_waits_for_it() -> None:
    robot = Robot(on=False)
    assert robot.ask(True) == "" and not robot.switch.on
    robot.gate.reason = ""
    robot.switch.activate()
    robot.switch.look()
    assert robot.switch.on
