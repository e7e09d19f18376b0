"""Hopper and HalfCheetah as Appendix E describes them."""

import numpy as np
import pytest

from clam_core.envs import make_env, make_env_of
from clam_core.errors import ClamError


@pytest.mark.parametrize(("task", "state", "action"), [("Hopper-v5", 11, 3), ("HalfCheetah-v5", 17, 6)])
def test_spaces_are_those_of_the_paper(task, state, action):
    env = make_env("gym", task)
    spec = env.spec
    assert (len(spec.observation.names), len(spec.action.names), spec.max_steps) == (state, action, 1000)
    assert env.reset(0)["state"].shape == (state,)
    assert len(set(spec.observation.names)) == state


@pytest.mark.parametrize("task", ["Hopper-v5", "HalfCheetah-v5", "Walker2d-v5"])
def test_names_and_units_belong_to_the_numbers(task):
    env = make_env("gym", task)
    env.reset(0)
    env.step(np.full(len(env.spec.action.names), 0.3))
    inner = env._env
    state = env.step(np.full(len(env.spec.action.names), -0.2)).observation["state"]
    for name, unit, value in zip(env.spec.observation.names, env.spec.observation.units, state, strict=True):
        stem, is_velocity = name.removesuffix("_velocity"), name.endswith("_velocity")
        candidates = {"torso_x": "rootx", "torso_z": "rootz", "torso_pitch": "rooty"}
        names = [inner.model.joint(i).name for i in range(inner.model.njnt)]
        joint = candidates.get(stem) or (stem if stem in names else f"{stem}_joint")
        there = inner.data.joint(joint).qvel[0] if is_velocity else inner.data.joint(joint).qpos[0]
        assert value == pytest.approx(np.clip(there, -10, 10) if is_velocity and "Cheetah" not in task else there)
        assert unit == ("m" if stem in ("torso_x", "torso_z") else "rad") + ("/s" if is_velocity else "")
    assert [n.removesuffix("_torque") for n in env.spec.action.names] == list(env.spec.observation.names[2:])[
        : len(env.spec.action.names)
    ]


def test_after_the_fall_the_state_stays_and_nothing_is_earned():
    env = make_env("gym", "Hopper-v5", max_steps=200)
    env.reset(0)
    fallen = None
    for _ in range(200):
        step = env.step(np.array([1.0, -1.0, 1.0]))
        if env.terminated and fallen is None:
            fallen = step
        elif fallen is not None:
            assert step.reward == 0.0
            np.testing.assert_array_equal(step.observation["state"], fallen.observation["state"])
    assert fallen is not None and step.done
    env.reset(1)
    assert not env.terminated


def test_a_camera_is_part_of_the_observation_and_of_the_spec():
    env = make_env("gym", "Hopper-v5", image_size=48)
    try:
        image = env.reset(0)["track"]
    except ClamError as error:
        pytest.skip(str(error))
    assert (image.shape, image.dtype) == ((48, 48, 3), np.uint8)
    assert image.std() > 5
    again = make_env_of(env.spec)
    np.testing.assert_array_equal(again.reset(0)["track"], image)
    assert env.render(120, 160).shape == (120, 160, 3)
    for environment in (env, again):
        environment.close()


def test_a_camera_that_is_not_there_is_refused():
    with pytest.raises(ClamError, match="has no camera 'trak', did you mean 'track'"):
        make_env("gym", "Hopper-v5", image_size=48, camera="trak")
    with pytest.raises(ClamError, match="has no cameras"):
        make_env("gym", "Pendulum-v1", image_size=48)
