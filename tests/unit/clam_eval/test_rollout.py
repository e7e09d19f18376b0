"""The machine of one attempt, with a clock that is a number."""

from __future__ import annotations

import pytest

from clam_eval.rollout import Phase, Rollout, Rules

PERSON, SIMULATOR = Rules(by_person=True), Rules()


def running(rules: Rules, **changes: object) -> Rollout:
    rollout = Rollout(rules, rate=5.0)
    rollout.prepared()
    if rules.by_person:
        assert rollout.scene_is_reset()
    rollout.enabled(10.0)
    assert rollout.phase is Phase.RUNNING
    return rollout


def play(rollout: Rollout, begin: float, seconds: float, score: float | None = None) -> float:
    """Commands, scores and looks at 5 Hz; the time at which it was over, or at the end."""
    for step in range(round(seconds * 5) + 1):
        now = begin + step / 5
        rollout.command(now)
        if score is not None:
            rollout.simulator_says(score)
        rollout.look(now)
        if rollout.phase is not Phase.RUNNING:
            return now
    return begin + seconds


def test_a_simulators_rollout_takes_100_steps_and_its_score_is_the_simulators() -> None:
    rollout = running(SIMULATOR)
    assert play(rollout, 12.0, 60.0, 0.5) == pytest.approx(32.0), "100 steps at 5 Hz, from the first command on"
    assert rollout.phase is Phase.SCORED and rollout.score == 0.5 and rollout.ended == "budget"
    assert rollout.steps == 100 and rollout.remaining == 0 and rollout.commands == 101


def test_a_simulators_success_ends_it_early_unless_it_shall_not() -> None:
    rollout = running(SIMULATOR)
    assert play(rollout, 12.0, 60.0, 1.0) == 12.0
    assert rollout.score == 1.0 and rollout.ended == "success"
    rollout = running(Rules(stop_at_success=False))
    assert play(rollout, 12.0, 60.0, 1.0) == pytest.approx(32.0)
    assert rollout.score == 1.0 and rollout.ended == "budget"


def test_scores_of_before_and_after_the_rollout_do_not_count() -> None:
    rollout = Rollout(SIMULATOR, rate=5.0)
    rollout.simulator_says(1.0)
    rollout.prepared()
    rollout.simulator_says(1.0)
    rollout.enabled(10.0)
    rollout.look(10.1)
    assert rollout.phase is Phase.RUNNING
    play(rollout, 10.0, 60.0, 0.0)
    rollout.simulator_says(1.0)
    assert rollout.score == 0.0


def test_a_simulator_that_gives_no_score_makes_it_invalid() -> None:
    rollout = running(SIMULATOR)
    play(rollout, 12.0, 60.0)
    assert rollout.phase is Phase.INVALID and "published no score" in rollout.reason


def test_a_slow_policy_gets_no_more_time_and_a_silent_one_is_invalid() -> None:
    rollout = running(SIMULATOR)
    for now in (11.0, 12.0, 13.0):
        rollout.command(now)
        rollout.simulator_says(0.0)
        rollout.look(now)
    assert rollout.steps == 10 and rollout.commands == 3
    rollout.look(14.9)
    assert rollout.phase is Phase.RUNNING
    rollout.look(15.1)
    assert rollout.phase is Phase.INVALID and rollout.reason.startswith("the policy sent no command for 2 s: ")
    rollout = running(SIMULATOR)
    rollout.look(19.9)
    assert rollout.phase is Phase.RUNNING
    rollout.look(20.1)
    assert rollout.phase is Phase.INVALID and "no command within 10 s" in rollout.reason


def test_a_policy_that_dies_just_before_the_end_is_not_scored_and_one_that_hiccups_is() -> None:
    for rules, phase in ((SIMULATOR, Phase.SCORED), (PERSON, Phase.SCORING)):
        rollout = running(rules)
        play(rollout, 12.0, 18.6, 0.5)
        rollout.look(32.1)
        assert rollout.phase is Phase.RUNNING and rollout.steps == 100, "its last commands are missing"
        rollout.simulator_says(1.0)
        rollout.look(32.2)
        assert rollout.phase is Phase.RUNNING, "what comes after the budget does not count"
        rollout.command(32.3)
        rollout.look(32.31)
        assert rollout.phase is phase and rollout.ended == "budget" and rollout.simulator_score == 0.5
        rollout = running(rules)
        play(rollout, 12.0, 18.6, 0.5)
        rollout.look(32.1)
        rollout.look(32.7)
        assert rollout.phase is Phase.INVALID and rollout.reason.startswith("the policy sent no command for 2 s")


def test_a_fault_in_the_last_step_spoils_it_too() -> None:
    rollout = running(SIMULATOR)
    play(rollout, 12.0, 19.8, 0.5)
    rollout.command(32.0)
    rollout.look(32.0, "camera external has been silent for 2 s")
    assert rollout.phase is Phase.INVALID and rollout.score is None


def test_a_fault_makes_it_invalid_and_is_never_scored() -> None:
    for rules in (PERSON, SIMULATOR):
        rollout = running(rules)
        play(rollout, 11.0, 2.0, 0.5)
        rollout.look(13.1, "arm: fault")
        assert rollout.phase is Phase.INVALID and rollout.reason == "arm: fault" and rollout.score is None
        assert not rollout.person_says(1.0, 14.0) and rollout.score is None


def test_commands_before_the_answer_that_it_is_enabled_are_steps_too() -> None:
    rollout = Rollout(SIMULATOR, rate=5.0)
    rollout.command(1.0)
    rollout.prepared()
    rollout.command(10.0)
    rollout.command(14.0)
    rollout.enabled(14.1)
    rollout.look(14.2)
    assert rollout.steps == 21 and rollout.commands == 2, "the policy has moved the arm since 10.0"


def test_only_a_person_bars_and_only_before_the_arm_moves() -> None:
    rollout = Rollout(SIMULATOR, rate=5.0)
    rollout.bar()
    assert rollout.phase is Phase.PREPARING and not rollout.is_clear()
    rollout = Rollout(PERSON, rate=5.0)
    rollout.bar()
    rollout.prepared()
    assert rollout.phase is Phase.BARRED and rollout.is_clear() and not rollout.is_clear()
    rollout.prepared()
    rollout.bar()
    assert rollout.phase is Phase.SCENE


def test_a_person_resets_the_scene_and_scores_after_the_budget() -> None:
    rollout = Rollout(PERSON, rate=5.0)
    assert not rollout.scene_is_reset(), "the arm is not ready yet"
    rollout.prepared()
    assert rollout.phase is Phase.SCENE and not rollout.person_says(1.0, 5.0)
    assert rollout.scene_is_reset() and not rollout.scene_is_reset()
    rollout.enabled(10.0)
    play(rollout, 10.0, 60.0, 1.0)
    assert rollout.phase is Phase.SCORING and rollout.ended == "budget", "a simulator's success does not decide"
    assert rollout.person_says(0.5, 40.0) and rollout.phase is Phase.SCORED and rollout.score == 0.5
    assert not rollout.person_says(1.0, 41.0) and rollout.score == 0.5
    assert rollout.simulator_score == 1.0


def test_a_persons_score_ends_a_rollout_that_runs() -> None:
    rollout = running(PERSON)
    assert not rollout.person_says(1.0, 10.0), "the policy has done nothing yet"
    play(rollout, 10.0, 4.0)
    assert rollout.person_says(1.0, 14.0)
    assert rollout.phase is Phase.SCORED and rollout.ended == "operator" and rollout.steps == 20


def test_what_a_person_stops_is_scored_by_him_because_it_may_be_the_policys_failure() -> None:
    rollout = running(PERSON)
    play(rollout, 10.0, 4.0)
    assert rollout.abort(14.0, "e-stop")
    assert rollout.phase is Phase.SCORING and rollout.ended == "e-stop" and rollout.steps == 20
    rollout.look(99.0, "arm: e-stop")
    assert rollout.phase is Phase.SCORING
    assert not rollout.abort(15.0)
    assert rollout.person_says(0.0, 16.0) and rollout.score == 0.0
    rollout = running(PERSON)
    assert rollout.abort(11.0)
    rollout.invalidate("invalid, says the operator")
    assert rollout.phase is Phase.INVALID and rollout.score is None


def test_what_is_stopped_before_it_runs_or_without_a_person_who_scores_is_repeated() -> None:
    rollout = Rollout(PERSON, rate=5.0)
    assert rollout.abort(1.0) and rollout.phase is Phase.INVALID
    rollout = running(SIMULATOR)
    assert rollout.abort(11.0, "e-stop") and rollout.phase is Phase.INVALID and rollout.reason == "e-stop"
    assert not rollout.abort(12.0)
    rollout.prepared()
    rollout.enabled(13.0)
    assert rollout.phase is Phase.INVALID
