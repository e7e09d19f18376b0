from functools import partial

import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_core.evaluation import evaluate, rollout_many

SEEDS = range(1_000_000, 1_000_005)
make_hopper = partial(make_env, "gym", "Hopper-v5", max_steps=15)


class Remembering:
    """A policy whose actions depend on the whole episode so far, as those of a chunked policy do."""

    def reset(self):
        self.memory = np.zeros(3)

    def act(self, observation):
        self.memory = 0.9 * self.memory + np.tanh(observation["state"][:3])
        return np.sin(5 * self.memory)


class Broken(Remembering):
    def act(self, observation):
        return np.full(3, np.nan)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_processes_does_not_change_a_bit(workers):
    env = make_hopper()
    expected = evaluate(env, Remembering(), SEEDS)
    finished = []
    found = rollout_many(make_hopper, Remembering, SEEDS, workers=workers, on_episode=lambda: finished.append(1))
    assert len(finished) == len(SEEDS)
    assert [r.seed for r in found] == [r.seed for r in expected] == list(SEEDS)
    for one, other in zip(found, expected, strict=True):
        for name in ("actions", "rewards", "successes"):
            there, here = getattr(other, name), getattr(one, name)
            assert there.dtype == here.dtype
            np.testing.assert_array_equal(here, there)


def test_an_error_in_a_process_is_the_error_of_the_call():
    with pytest.raises(ClamError, match="not finite"):
        rollout_many(make_hopper, Broken, SEEDS, workers=2)
