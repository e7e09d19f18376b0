from functools import partial

import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.envs.vector import AsGymnasium, make_vector_env

make = partial(make_env, "gym", "Hopper-v5", max_steps=4)


def test_observations_and_actions_are_in_the_spaces():
    env = AsGymnasium(make())
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert env.action_space.shape == (3,)
    flags = [env.step(np.zeros(3))[2:4] for _ in range(4)]
    assert flags == [(False, False)] * 3 + [(False, True)]


def test_an_episode_that_the_environment_ended_is_said_to_be_terminated():
    env = AsGymnasium(make_env("gym", "InvertedPendulum-v5", max_steps=200))
    env.reset(seed=0)
    flags = [env.step(np.array([3.0]))[2:4] for _ in range(200)]
    assert flags[0] == (False, False) and flags[-2:] == [(True, False), (True, True)]
    env.reset(seed=0)
    assert env.step(np.array([3.0]))[2] is False


def test_an_episode_without_a_seed_is_refused():
    with pytest.raises(ValueError, match="belongs to a seed"):
        AsGymnasium(make()).reset()


def test_processes_wait_for_a_reset_after_the_last_step():
    envs = make_vector_env(make, 2)
    first, _ = envs.reset(seed=[0, 1])
    for _ in range(4):
        _, _, _, truncated, _ = envs.step(np.zeros((2, 3)))
    assert truncated.all()
    again, _ = envs.reset(seed=[1, 0])
    np.testing.assert_array_equal(again["state"][::-1], first["state"])
    envs.close()
