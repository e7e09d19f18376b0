"""Numbered episodes, and ticks without commands."""

from __future__ import annotations

import numpy as np
import pytest

from clam_core.envs import make_env
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
    pending = PendingCommand(1, on_missing)
    assert pending.take() == (0.0, False)
    pending.put(np.array([0.2]))
    pending.put(np.array([0.7]))
    assert pending.take() == (0.7, True)
    assert pending.take() == (second, False)
    pending.reset()
    assert pending.take() == (0.0, False)
