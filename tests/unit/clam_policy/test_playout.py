"""Between answers the plan goes on at the policy's rate, by stamps, to its end. The clock is a number."""

from __future__ import annotations

import numpy as np
import pytest

from clam_policy.playout import Playout
from clam_policy.policy_runner import Answer, Refused

MS = 1_000_000  # [ns]
PERIOD = 200 * MS
LOOK = 25 * MS


def answer(stamp: int, steps: int = 5) -> Answer:
    """Step k of the observation at `stamp` [ms] is `stamp` + k."""
    plan = stamp + np.arange(steps, dtype=float)[:, None]
    return Answer(stamp * MS, plan, plan, PERIOD)


def play(playout: Playout, begin: int, end: int, answers: dict[int, Answer]) -> list[tuple[int, float]]:
    """Commands from `begin` to `end` [ms] as (time [ms], action): `answers` come when their key says."""
    commands = []
    for now in range(begin * MS, end * MS, MS):
        command = playout.start(answers[now // MS], now) if now // MS in answers else None
        if command is None and now % LOOK == 0:
            command = playout.take(now)
        if command is not None:
            commands.append((now // MS, float(command.action[0])))
    return commands


def test_a_policy_in_time_is_never_forestalled() -> None:
    late = np.random.default_rng(0).integers(30, 70, 20)
    answers = {200 * k + int(late[k]): answer(200 * k) for k in range(20)}
    assert play(Playout(PERIOD), 0, 4000, answers) == [(now, 200.0 * k) for k, now in enumerate(answers)]


def test_a_slow_policy_commands_in_every_period_and_never_the_past() -> None:
    answers = {400 * k + 450: answer(400 * k) for k in range(12)}  # an inference takes more than two periods
    commands = play(Playout(PERIOD), 0, 4900, answers)
    times = np.array([time for time, _ in commands])
    assert np.diff(times).max() <= 275, "no period without a command, but for the patience after an answer"
    for now, action in commands:
        stamp, step = divmod(round(action), 200)
        assert stamp * 200 + step * 200 <= now < stamp * 200 + step * 200 + 200, "the step that the moment lies in"


def test_the_plan_is_played_to_its_end_and_then_said_to_be_used_up_once() -> None:
    playout = Playout(PERIOD)
    commands = play(playout, 0, 990, {40: answer(0)})
    assert [action for _, action in commands] == [0, 1, 2, 3, 4]
    with pytest.raises(Refused, match="plan of 5 steps is used up"):
        play(playout, 990, 1500, {})
    assert play(playout, 1500, 3000, {}) == []
    assert play(playout, 3000, 3500, {3040: answer(3000)})[0] == (3040, 3000.0), "and on with the next answer"


def test_an_answer_behind_its_own_plan_is_refused_and_ends_the_one_before() -> None:
    playout = Playout(PERIOD)
    playout.start(answer(0), 40 * MS)
    with pytest.raises(Refused, match="6 steps late"):
        playout.start(answer(200), 1400 * MS)
    assert playout.take(1450 * MS) is None


def test_stopped_means_no_more_commands() -> None:
    playout = Playout(PERIOD)
    playout.start(answer(0), 40 * MS)
    playout.stop()
    assert playout.take(400 * MS) is None


def test_a_held_up_timer_does_not_catch_up_with_a_burst() -> None:
    playout = Playout(PERIOD)
    playout.start(answer(0), 0)
    first = playout.take(700 * MS)
    assert first is not None and first.action == 3.0
    assert playout.take(710 * MS) is None


def test_stamps_of_played_out_commands_are_those_of_their_steps() -> None:
    playout = Playout(PERIOD)
    playout.start(answer(1000), 1040 * MS)
    command = playout.take(1300 * MS)
    assert command is not None and command.stamp == 1200 * MS
