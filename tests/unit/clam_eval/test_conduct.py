"""The course of an attempt at a robot that is honest about being none: it writes down what it is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from clam_core.errors import ClamError
from clam_eval.conduct import conduct
from clam_eval.plan import Trial
from clam_eval.rollout import Phase, Rollout, Rules

TRIAL = Trial(3, 1, 1001, 1)


class FakeRobot:
    """Its clock goes on when somebody sleeps; `policy` is called then, while the policy is enabled."""

    def __init__(self, rollout: Rollout, policy: Callable[[float], None] = lambda now: None) -> None:
        self.rollout, self.policy = rollout, policy
        self.time = 100.0
        self.told: list[str] = []
        self.enabled = False
        self.broken: dict[str, int] = {}  # what fails, and how often
        self.refusals: list[str] = []
        self.waits: list[str] = []
        self.faulty = ""
        self.stopped = False  # its e-stop was pressed
        self.was_stopped = False
        self.loading: Callable[[], Any] = lambda: None  # what happens while a bundle is loaded
        self.disturbances = 0  # commands while it shall be still
        self.events: list[tuple[float, Callable[[], Any]]] = []  # at a time, what an operator does

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        assert self.time < 20_000.0, f"it hangs: {self.rollout}"
        if self.enabled:
            self.policy(self.time)
        while self.events and self.events[0][0] <= self.time:
            self.events.pop(0)[1]()

    def not_ready(self) -> str:
        return self.waits.pop(0) if self.waits else ""

    def fault(self) -> str:
        return self.faulty

    def estopped(self) -> bool:
        return self.stopped

    def barred(self) -> bool:
        self.was_stopped |= self.stopped
        return self.was_stopped

    def release(self) -> None:
        self.was_stopped = False

    def disturbed(self) -> bool:
        heard, self.disturbances = self.disturbances > 0, 0
        return heard

    async def stop(self) -> str:
        self.told.append("e-stop")
        self.enabled = False
        return ""

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if self.broken.get(what, 0):
            self.broken[what] -= 1
            raise ClamError(f"{what} failed")

    async def disable(self) -> None:
        self._tell("disable")
        self.enabled = False

    async def load(self, contender: int) -> None:
        self._tell(f"load {contender}")
        self.loading()

    async def to_ready(self) -> None:
        assert not self.enabled
        if self.barred():
            raise ClamError("barred")
        self._tell("ready")
        self.time += 3.0

    async def reset_scene(self, trial: Trial) -> None:
        self._tell(f"reset {trial.seed}")

    async def enable(self) -> str:
        self._tell("enable")
        self.enabled = not self.refusals
        return "" if self.enabled else self.refusals.pop(0)

    def running(self) -> None:
        self.told.append("running")


def go(robot: FakeRobot, patience: float = 60.0) -> tuple[Any, list[str]]:
    said: list[str] = []
    return asyncio.run(conduct(robot, robot.rollout, TRIAL, patience=patience, say=said.append)), said


@pytest.fixture
def simulated() -> FakeRobot:
    rollout = Rollout(Rules(), rate=5.0)

    def policy(now: float) -> None:
        rollout.command(now)
        rollout.simulator_says(0.5)

    return FakeRobot(rollout, policy)


@pytest.fixture
def attended() -> FakeRobot:
    rollout = Rollout(Rules(by_person=True), rate=5.0)
    return FakeRobot(rollout, rollout.command)


def test_everything_happens_in_its_order_and_the_policy_is_off_before_and_after(simulated: FakeRobot) -> None:
    spent, _ = go(simulated)
    assert simulated.told == ["disable", "load 1", "ready", "reset 1001", "enable", "running", "disable"]
    assert simulated.rollout.phase is Phase.SCORED and simulated.rollout.score == 0.5
    assert spent.rollout == pytest.approx(20.0, abs=0.1) and spent.overhead == pytest.approx(3.0, abs=0.1)
    assert spent.operator == 0.0


def test_a_refusal_to_enable_is_waited_out_and_said(simulated: FakeRobot) -> None:
    simulated.refusals = ["camera external is missing"] * 3
    _, said = go(simulated)
    assert simulated.rollout.phase is Phase.SCORED and simulated.told.count("enable") == 4
    assert "not ready: camera external is missing" in said and said[-1] == ""


def test_a_policy_that_is_never_ready_makes_the_attempt_invalid(simulated: FakeRobot) -> None:
    simulated.refusals = ["wrong camera"] * 1000
    go(simulated)
    assert simulated.rollout.phase is Phase.INVALID
    assert simulated.rollout.reason == "the policy was not ready within 60 s: wrong camera"
    assert simulated.told[-1] == "disable"


def test_a_robot_that_is_not_ready_is_waited_for_and_not_for_ever(simulated: FakeRobot) -> None:
    simulated.waits = ["arm: e-stop"] * 50
    _, said = go(simulated)
    assert simulated.rollout.phase is Phase.SCORED and said[:2] == ["arm: e-stop", "arm: e-stop"]
    endless = FakeRobot(Rollout(Rules(), rate=5.0))
    endless.waits = ["arm: e-stop"] * 10_000
    go(endless)
    assert endless.rollout.reason == "not ready within 60 s: arm: e-stop"


@pytest.mark.parametrize("what", ["load 1", "ready", "reset 1001", "enable"])
def test_whatever_fails_before_the_policy_runs_makes_it_invalid_and_the_policy_is_off(
    simulated: FakeRobot, what: str
) -> None:
    simulated.broken = {what: 1}
    go(simulated)
    assert simulated.rollout.phase is Phase.INVALID and simulated.rollout.reason == f"{what} failed"
    assert simulated.told[-1] == "disable" and "running" not in simulated.told and not simulated.enabled


def test_a_policy_node_that_does_not_answer_is_waited_for_and_nothing_moves_meanwhile(
    simulated: FakeRobot, attended: FakeRobot
) -> None:
    simulated.broken = {"disable": 3}
    _, said = go(simulated)
    assert simulated.rollout.phase is Phase.SCORED and simulated.told[:5] == ["disable"] * 4 + ["load 1"]
    assert said == ["disable failed"] * 3 + ["", "", ""], "and that it is over"
    endless = FakeRobot(Rollout(Rules(), rate=5.0))
    endless.broken = {"disable": 10_000}
    go(endless)
    assert endless.rollout.phase is Phase.INVALID and endless.rollout.reason == "disable failed"
    assert {*endless.told} == {"disable"} and endless.time < 170.0
    attended.broken = {"disable": 10_000}
    attended.events = [(5000.0, lambda: attended.rollout.abort(attended.time))]
    go(attended, math.inf)
    assert attended.rollout.phase is Phase.INVALID and attended.time >= 5000.0, "a person may take his time"
    assert {*attended.told} == {"disable", "e-stop"}


def test_a_fault_while_it_runs_makes_it_invalid_and_the_policy_is_off(simulated: FakeRobot) -> None:
    simulated.events = [(110.0, lambda: setattr(simulated, "faulty", "camera external is silent"))]
    go(simulated)
    assert simulated.rollout.phase is Phase.INVALID and simulated.rollout.reason == "camera external is silent"
    assert not simulated.enabled


def test_a_policy_that_cannot_be_switched_off_is_said_and_does_not_undo_the_score(simulated: FakeRobot) -> None:
    simulated.events = [(110.0, lambda: simulated.broken.update(disable=1))]
    _, said = go(simulated)
    assert simulated.rollout.phase is Phase.SCORED and said[-1] == "disable failed"


def test_a_person_is_waited_for_without_end_and_that_time_is_his_own(attended: FakeRobot) -> None:
    rollout = attended.rollout
    attended.events = [(1000.0, rollout.scene_is_reset), (5000.0, lambda: rollout.person_says(1.0, attended.time))]
    spent, _ = go(attended, math.inf)
    assert rollout.score == 1.0 and rollout.ended == "budget" and rollout.steps == 100
    assert spent.operator > 4800 and spent.overhead < 7 and spent.rollout < 21
    told = ["disable", "load 1", "ready", "reset 1001", "ready", "enable", "running", "disable"]
    assert attended.told == told, "ready once more: who reset the scene may have pushed the arm"


def test_the_policy_is_off_while_a_person_thinks_about_the_score(attended: FakeRobot) -> None:
    rollout = attended.rollout
    seen: list[bool] = []
    attended.events = [(110.0, rollout.scene_is_reset), (200.0, lambda: seen.append(attended.enabled))]
    attended.events += [(201.0, lambda: rollout.person_says(0.0, attended.time))]
    go(attended, math.inf)
    assert seen == [False] and rollout.score == 0.0


def test_an_e_stop_is_scored_by_the_person_and_repeated_where_there_is_none(
    attended: FakeRobot, simulated: FakeRobot
) -> None:
    rollout = attended.rollout
    attended.events = [(110.0, rollout.scene_is_reset), (115.0, lambda: setattr(attended, "stopped", True))]
    attended.events += [(120.0, lambda: rollout.person_says(0.0, attended.time))]
    go(attended, math.inf)
    assert rollout.phase is Phase.SCORED and rollout.ended == "e-stop" and rollout.score == 0.0
    simulated.events = [(110.0, lambda: setattr(simulated, "stopped", True))]
    go(simulated)
    assert simulated.rollout.phase is Phase.INVALID and simulated.rollout.reason == "e-stop"


def test_what_an_operator_stops_on_the_way_does_not_go_on(attended: FakeRobot) -> None:
    attended.waits = ["arm: e-stop"] * 100
    attended.events = [(101.0, lambda: attended.rollout.abort(attended.time))]
    go(attended, math.inf)
    assert attended.rollout.phase is Phase.INVALID and attended.told == ["disable", "disable"]


def test_a_policy_that_was_left_enabled_is_off_before_anything_is_waited_for(simulated: FakeRobot) -> None:
    simulated.enabled, simulated.waits = True, ["arm: e-stop"] * 5
    seen: list[bool] = []
    simulated.events = [(100.2, lambda: seen.append(simulated.enabled))]
    go(simulated)
    assert seen == [False]


def test_the_end_of_an_e_stop_does_not_move_the_arm_before_a_person_says_so(attended: FakeRobot) -> None:
    rollout, attended.stopped = attended.rollout, True
    attended.waits = ["arm: e-stop"] * 20
    attended.events = [(110.0, lambda: setattr(attended, "stopped", False))]
    attended.events += [(500.0, lambda: seen.append((rollout.phase, list(attended.told))))]
    attended.events += [(501.0, lambda: (rollout.is_clear(), attended.release()))]
    attended.events += [(600.0, rollout.scene_is_reset), (700.0, lambda: rollout.person_says(1.0, attended.time))]
    seen: list[Any] = []
    spent, _ = go(attended, math.inf)
    assert seen == [(Phase.BARRED, ["disable"])] and rollout.score == 1.0
    assert spent.operator > 500 and spent.overhead < 8


def test_a_stop_that_ended_before_anybody_looked_does_not_move_the_arm_either(attended: FakeRobot) -> None:
    """During the rollout before, or while a bundle is loaded."""
    rollout, attended.was_stopped = attended.rollout, True
    seen: list[Any] = []

    def look() -> None:
        seen.append((rollout.phase, list(attended.told)))

    def clear() -> None:
        assert rollout.is_clear()
        attended.release()

    attended.loading = lambda: setattr(attended, "was_stopped", True)
    attended.events = [(200.0, look), (201.0, clear), (300.0, look), (301.0, clear), (400.0, rollout.scene_is_reset)]
    attended.events += [(500.0, lambda: rollout.person_says(1.0, attended.time))]
    go(attended, math.inf)
    assert seen == [(Phase.BARRED, ["disable"]), (Phase.BARRED, ["disable", "load 1"])] and rollout.score == 1.0


def test_where_nobody_can_be_asked_a_stop_costs_one_attempt_and_not_all_of_them(simulated: FakeRobot) -> None:
    simulated.loading = lambda: setattr(simulated, "was_stopped", True)
    go(simulated)
    assert simulated.rollout.phase is Phase.INVALID and simulated.rollout.reason == "barred"
    simulated.loading = lambda: None
    simulated.rollout = Rollout(Rules(), rate=5.0)
    simulated.policy = lambda now: (simulated.rollout.command(now), simulated.rollout.simulator_says(0.5))[0]
    go(simulated)
    assert simulated.rollout.phase is Phase.SCORED


def test_a_person_is_waited_for_when_the_arm_cannot_get_ready(attended: FakeRobot) -> None:
    rollout, attended.broken = attended.rollout, {"ready": 2}
    attended.events = [(200.0, rollout.is_clear), (300.0, rollout.is_clear), (400.0, rollout.scene_is_reset)]
    attended.events += [(500.0, lambda: rollout.person_says(1.0, attended.time))]
    spent, said = go(attended, math.inf)
    assert rollout.score == 1.0 and attended.told.count("ready") == 4 and spent.overhead < 7
    assert any(text.startswith("ready failed; bring it back") for text in said)


def test_an_e_stop_before_the_policy_begins_is_not_waited_out(attended: FakeRobot) -> None:
    def reset() -> None:
        attended.stopped = True
        attended.rollout.scene_is_reset()

    attended.events = [(110.0, reset)]
    go(attended, math.inf)
    assert attended.rollout.phase is Phase.INVALID and "enable" not in attended.told


@pytest.mark.parametrize("phase", [Phase.SCENE, Phase.SCORING])
def test_an_arm_that_is_commanded_while_a_person_may_be_at_it_is_stopped(attended: FakeRobot, phase: Phase) -> None:
    rollout = attended.rollout
    attended.events = [(110.0, rollout.scene_is_reset), (200.0, lambda: rollout.person_says(0.0, attended.time))]
    at = 105.0 if phase is Phase.SCENE else 190.0
    attended.events.append((at, lambda: setattr(attended, "disturbances", 1)))
    attended.events.sort(key=lambda event: event[0])
    _, said = go(attended, math.inf)
    assert attended.told.count("e-stop") == 1 and rollout.score == 0.0
    assert any("somebody commands the arm" in text for text in said)


def test_the_arm_is_stopped_when_the_policy_cannot_be_and_a_person_may_go_to_it(attended: FakeRobot) -> None:
    attended.events = [(110.0, attended.rollout.scene_is_reset), (111.0, lambda: attended.broken.update(disable=1))]
    _, said = go(attended, math.inf)
    assert "disable failed; e-stop: the arm holds until estop_reset is called" in said
    assert attended.told[-2:] == ["disable", "e-stop"] and attended.rollout.phase is Phase.INVALID
