"""The policy runner counts steps by stamps and never answers twice differently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.deploy import TemporalEnsembler
from clam_policy.policy_runner import PolicyRunner, Refused, Sample

PERIOD = 100_000_000  # [ns] 10 Hz


class Counting:
    """Predicts (n + k/10) at its n-th observation since reset."""

    chunk = 4

    def __init__(self, m: float | None = None, infer_every: int = 1) -> None:
        self.ensembler = TemporalEnsembler(self.chunk, m)
        self.infer_every = infer_every
        self.calls = self.observed = 0

    def reset(self) -> None:
        self.calls = self.observed = 0
        self.ensembler.reset()

    def observe(self, observation: Any) -> None:
        self.observed += 1

    def predict_chunk(self, observation: Any) -> Any:
        self.calls += 1
        return self.calls + np.arange(4)[:, None] / 10


def make(gap: float | None = None, m: float | None = None, infer_every: int = 1) -> PolicyRunner:
    return PolicyRunner(Counting(m, infer_every), size=2, actions=1, rate=10.0, gap=gap)


def sample(tick: float, episode: int | None = None, step: int | None = None) -> Sample:
    return Sample(round(tick * PERIOD), np.zeros(2), episode, step)


def test_the_same_stamp_gets_the_same_answer() -> None:
    runner = make()
    assert runner.answer(sample(1)) is runner.answer(sample(1))
    assert runner.policy.calls == 1


def test_a_late_answer_is_the_action_of_the_step_it_comes_in() -> None:
    runner = make(gap=10.0)
    assert runner.answer(sample(1)).command_at(round(1.5 * PERIOD)).action == 1.0
    late = runner.answer(sample(2)).command_at(round(4.5 * PERIOD))
    assert late.action == pytest.approx(2.2)
    assert late.stamp == 4 * PERIOD, "that of the step it is for"
    with pytest.raises(Refused, match="4 steps late"):
        runner.answer(sample(3)).command_at(7 * PERIOD)
    assert runner.answer(sample(7)).command.action == 4.0, "and it goes on"


def test_a_clock_behind_the_observation_s_takes_its_own_step() -> None:
    assert make(gap=10.0).answer(sample(5)).command_at(4 * PERIOD).action == 1.0


def test_the_plan_is_the_ensemble_of_every_step_ahead() -> None:
    runner = make(gap=10.0, m=0.0)
    runner.answer(sample(1))
    plan = runner.answer(sample(3)).plan[:, 0]
    assert plan == pytest.approx([(1.2 + 2.0) / 2, (1.3 + 2.1) / 2, 2.2, 2.3])
    assert len(make(m=0.0).answer(sample(1)).plan) == 1, "lockstep takes only the observation's step"


def test_a_receding_horizon_follows_a_chunk_and_remembers_what_it_sees_meanwhile() -> None:
    runner = make(gap=10.0, infer_every=3)
    answers = [runner.answer(sample(tick)) for tick in (1, 2, 3, 4, 5)]
    assert [answer.chunk is not None for answer in answers] == [True, False, False, True, False]
    assert [answer.command.action[0] for answer in answers] == pytest.approx([1.0, 1.1, 1.2, 2.0, 2.1])
    assert answers[1].plan[:, 0] == pytest.approx([1.1, 1.2, 1.3]), "to the end of the chunk, should none come"
    assert runner.policy.observed == 3
    late = runner.answer(sample(9))
    assert late.command.action == 3.0, "a chunk that is due while observations are skipped comes with the next one"
    runner.reset()
    assert runner.answer(sample(10)).command.action == 1.0 and runner.policy.observed == 0


def test_in_lockstep_a_receding_horizon_takes_one_step_at_a_time() -> None:
    runner = make(infer_every=4)
    actions = [runner.answer(sample(tick, episode=0, step=tick)).plan for tick in range(6)]
    assert [len(plan) for plan in actions] == [1] * 6
    assert [plan[0, 0] for plan in actions] == pytest.approx([1.0, 1.1, 1.2, 1.3, 2.0, 2.1])


def test_images_reach_the_policy_beside_the_state() -> None:
    runner, seen = make(), []
    predict = runner.policy.predict_chunk
    runner.policy.predict_chunk = lambda observation: seen.append(observation) or predict(observation)
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    runner.answer(Sample(PERIOD, np.zeros(2), images={"top": image}))
    assert set(seen[0]) == {"state", "top"} and seen[0]["top"] is image


def test_jitter_of_stamps_does_not_change_the_step() -> None:
    runner, exact = make(m=0.5), make(m=0.5)
    for tick, jitter in enumerate([0.0, 0.3, -0.4, 0.2]):
        jittered = runner.answer(sample(tick + 1 + jitter)).command.action
        np.testing.assert_array_equal(jittered, exact.answer(sample(tick + 1)).command.action)


def test_a_skipped_observation_shifts_the_ensemble_by_its_step() -> None:
    runner = make(m=0.0)
    runner.answer(sample(1))
    assert runner.answer(sample(3)).command.action == pytest.approx((1.2 + 2.0) / 2)


def test_a_gap_begins_an_episode_only_where_time_is_real() -> None:
    for gap, calls in ((1.0, 1), (None, 2)):
        runner = make(gap)
        runner.answer(sample(1))
        runner.answer(sample(20))
        assert runner.policy.calls == calls


def test_a_clock_that_jumps_far_back_begins_an_episode_and_a_little_is_refused() -> None:
    runner = make(gap=1.0)
    runner.answer(sample(100))
    with pytest.raises(Refused, match="older"):
        runner.answer(sample(99))
    runner.answer(sample(1))
    assert runner.policy.calls == 1


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(Refused, match="shape"):
        make().answer(Sample(1, np.zeros(3)))


def test_a_chunk_of_another_shape_is_refused_and_forgotten() -> None:
    runner = make()
    runner.policy.chunk = 5
    with pytest.raises(Refused, match="shape"):
        runner.answer(sample(1))
    assert runner.policy.calls == 0
