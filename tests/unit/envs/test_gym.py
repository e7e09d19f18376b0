import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.errors import ClamError


def test_pendulum_runs_its_fixed_length_without_success():
    env = make_env("gym", "Pendulum-v1")
    assert env.spec.max_steps == 200
    assert (env.spec.action.low, env.spec.action.high) == ((-2.0,), (2.0,))
    env.reset(0)
    steps = [env.step(np.zeros(1)) for _ in range(200)]
    assert [s.done for s in steps] == [False] * 199 + [True]
    assert not any(s.success for s in steps)
    assert all(s.reward < 0 for s in steps)


def test_same_seed_is_the_same_episode():
    env = make_env("gym", "Pendulum-v1")

    def play(seed):
        return [env.reset(seed)["state"], *(env.step(np.ones(1)).observation["state"] for _ in range(5))]

    first = play(1)
    assert not np.array_equal(play(2)[0], first[0])
    np.testing.assert_array_equal(play(1), first)


def test_an_action_beyond_the_limits_is_clipped():
    env = make_env("gym", "Pendulum-v1")
    env.reset(0)
    clipped = env.step(np.array([99.0]))
    env.reset(0)
    assert env.step(np.array([2.0])).reward == clipped.reward


def test_discrete_actions_are_refused():
    with pytest.raises(ClamError, match="only a Box"):
        make_env("gym", "CartPole-v1")
