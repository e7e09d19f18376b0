"""Numbered episodes, and ticks without commands."""

from __future__ import annotations

import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_sim.simulation import PendingCommand, Simulation


def test_frames_count_episodes_and_steps_and_add_up_rewards() -> None:
    simulation = Simulation(make_env("gym", "Pendulum-v1", max_steps=3))
    assert not simulation.running
    first = simulation.reset(5)
    assert (first.episode, first.step, first.seed, first.reward, first.done) == (0, 0, 5, 0.0, False)
    frames = [simulation.step(np.zeros(1)) for _ in range(3)]
    assert [frame.step for frame in frames] == [1, 2, 3]
    assert [frame.done for frame in frames] == [False, False, True]
    assert frames[-1].episode_return == pytest.approx(sum(frame.reward for frame in frames))
    assert not simulation.running
    assert simulation.reset(5).episode == 1
    np.testing.assert_array_equal(simulation.frame.state, first.state)
    np.testing.assert_array_equal(first.observation_values()[-2:], (0, 0))


@pytest.mark.parametrize(("on_missing", "second"), [("hold", 0.7), ("zero", 0.0)])
def test_a_tick_without_command(on_missing: str, second: float) -> None:
    pending = PendingCommand(make_env("gym", "Pendulum-v1").spec, on_missing)
    assert pending.take() == (0.0, False)
    pending.put(np.array([0.2]))
    pending.put(np.array([0.7]))
    assert pending.take() == (0.7, True)
    assert pending.take() == (second, False)
    pending.reset(np.ones(3))
    assert pending.take() == (0.0, False)


def test_before_the_first_command_an_arm_that_takes_positions_stays_where_it_is() -> None:
    simulation = Simulation(make_env("kitchen", "reach-block"))
    spec = simulation.environment.spec
    pending = PendingCommand(spec, "hold")
    begin = simulation.reset(3).state[:7]
    for _ in range(2):
        pending.reset(simulation.reset(3).state)  # whatever was commanded in the episode before
        for _ in range(3):
            end = simulation.step(spec.action.clip(pending.take()[0])).state[:7]
        np.testing.assert_allclose(end, begin, atol=0.01)
        pending.put(np.array(spec.action.high))


def test_zero_is_refused_where_it_is_a_place() -> None:
    with pytest.raises(ClamError, match="on_missing_command 'zero' would move waist, "):
        PendingCommand(make_env("kitchen", "reach-block").spec, "zero")
