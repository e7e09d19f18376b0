"""Requests for torque that overlap, fail, or meet an arm that was away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clam_arm.torque_switch import TorqueSwitch
from clam_core.errors import ClamError

LONG = 60.0  # [s] longer than any test takes


class Switched:
    """A rig whose motors wait for `go` before they answer; `torque` is what they were told last."""

    def __init__(self, rig: Any) -> None:
        self.rig, self.torque, self.running, self.most = rig, True, 0, 0
        self.go, self.begun = threading.Event(), threading.Event()
        self.error: Exception | None = None
        rig.backend.torque = self._torque
        self.requests = TorqueSwitch(rig.controller, self._sleep, lambda: float(rig.now))

    def _torque(self, on: bool) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.begun.set()
        assert self.go.wait(LONG)
        self.torque = on
        self.running -= 1
        if self.error is not None:
            raise self.error

    async def _sleep(self, _: float) -> None:
        self.rig.tick()
        await asyncio.sleep(0.001)

    async def ask(self, on: bool) -> asyncio.Task[str]:
        """The request, which the motors have not answered yet."""
        task = asyncio.ensure_future(self.requests.switch(on))
        while not self.begun.is_set():
            await asyncio.sleep(0.001)
        return task


@pytest.fixture
def switched(make_rig: Callable[..., Any]) -> Switched:
    return Switched(make_rig())


@pytest.mark.parametrize("asked", [(True, False), (False, True), (True, True, False), (True, False, True)])
def test_the_last_request_decides_however_they_overlap(switched: Switched, asked: tuple[bool, ...]) -> None:
    async def work() -> list[str]:
        tasks = [await switched.ask(asked[0])]
        for on in asked[1:]:
            tasks.append(asyncio.ensure_future(switched.requests.switch(on)))
            await asyncio.sleep(0.02)
        assert switched.rig.state == "disabled", "nothing is sent meanwhile"
        switched.go.set()
        return list(await asyncio.gather(*tasks))

    answers = asyncio.run(work())
    assert answers == ["a later request decides"] * (len(asked) - 1) + [""]
    assert switched.torque is asked[-1] and switched.most == 1, "one after the other"
    switched.rig.tick(2)
    assert switched.rig.state == ("hold" if asked[-1] else "disabled")


@pytest.mark.parametrize(
    ("error", "says"), [(ClamError("no answer"), "no answer"), (OSError("bus\ngone"), "OSError: bus gone")]
)
def test_whatever_a_backend_raises_is_a_failure_and_the_arm_stays_disabled(
    switched: Switched, error: Exception, says: str
) -> None:
    switched.error = error
    switched.go.set()
    assert asyncio.run(switched.requests.switch(True)) == says
    assert switched.rig.state == "disabled"


def test_stopping_waits_for_the_motors_and_enables_nothing(switched: Switched) -> None:
    async def work() -> str:
        task = await switched.ask(True)
        timer = threading.Timer(0.2, switched.go.set)
        timer.start()
        switched.requests.stop()
        assert switched.running == 0, "the backend may be closed now"
        return await task

    assert asyncio.run(work()) == "a later request decides"
    assert switched.rig.state == "disabled"


def test_an_arm_that_was_away_is_read_anew_before_torque(switched: Switched) -> None:
    rig, read = switched.rig, switched.rig.backend.read
    away = True

    def anew() -> None:
        nonlocal away
        away = False

    def read_or_complain(now: float) -> Any:
        if away:
            raise ClamError("xs_sdk was away")
        return read(now)

    rig.backend.read, rig.backend.read_anew = read_or_complain, anew
    rig.tick(60)
    assert rig.state == "fault"
    rig.backend.events.clear()
    switched.go.set()
    assert asyncio.run(switched.requests.switch(True)) == ""
    assert rig.backend.events[0] == "send" and rig.state == "hold"


def test_torque_stays_off_at_an_arm_that_nobody_can_measure(switched: Switched) -> None:
    switched.rig.backend.dead = True
    switched.rig.tick(60)
    switched.rig.backend.events.clear()
    assert "could jump to its last goal" in asyncio.run(switched.requests.switch(True))
    assert not switched.begun.is_set() and switched.rig.backend.events == ["anew"]
    switched.rig.backend.dead = False
    switched.rig.tick(5)
    assert switched.rig.state == "disabled"
