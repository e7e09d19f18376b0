import numpy as np
import pytest

from clam_core.data.generate import generate
from clam_core.envs import make_env
from clam_core.envs.dmcontrol import split_task, task_names
from clam_core.errors import ClamError


@pytest.fixture(scope="module")
def cheetah():
    environment = make_env("dmcontrol", "cheetah-run")
    yield environment
    environment.close()


def play(env, seed, steps=10):
    """States and rewards of an episode whose actions depend on its seed."""
    rng = np.random.default_rng(seed)
    rows = [np.append(env.reset(seed)["state"], 0.0)]
    for _ in range(steps):
        step = env.step(rng.uniform(-1, 1, len(env.spec.action.names)))
        rows.append(np.append(step.observation["state"], step.reward))
    return np.stack(rows)


def test_same_seed_is_the_same_episode_whatever_ran_before(cheetah):
    first = play(cheetah, 3)
    play(cheetah, 4, steps=30)
    np.random.seed(5)
    np.testing.assert_array_equal(play(cheetah, 3), first)
    np.testing.assert_array_equal(play(make_env("dmcontrol", "cheetah/run"), 3), first)
    assert not np.array_equal(play(cheetah, 4)[0], first[0])


def test_the_spec_describes_the_flattened_observation(cheetah):
    spec, state = cheetah.spec, cheetah.reset(0)["state"]
    assert (spec.env, spec.task, spec.max_steps, spec.rate) == ("dmcontrol", "cheetah-run", 1000, pytest.approx(100.0))
    assert (spec.observation.names[0], spec.observation.names[-1]) == ("position[0]", "velocity[8]")
    assert len(spec.observation.names) == len(state) == 17
    inner = dict(cheetah._env.task.get_observation(cheetah._env.physics))
    np.testing.assert_array_equal(state, np.concatenate([inner["position"], inner["velocity"]]))
    assert spec.action.names == ("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
    assert (set(spec.action.low), set(spec.action.high)) == ({-1.0}, {1.0})


def test_a_scalar_entry_has_its_bare_name():
    env = make_env("dmcontrol", "pendulum-swingup")
    assert env.spec.observation.names == ("orientation[0]", "orientation[1]", "velocity[0]")
    names = make_env("dmcontrol", "walker-walk").spec.observation.names
    assert "height" in names and "height[0]" not in names


def test_an_action_repeated_is_that_many_steps_of_the_suite():
    once, twice = make_env("dmcontrol", "hopper-hop"), make_env("dmcontrol", "hopper-hop", action_repeat=2)
    assert (twice.spec.max_steps, twice.spec.rate) == (500, once.spec.rate / 2)
    once.reset(1), twice.reset(1)
    action = np.array([0.5, -0.5, 0.2, 0.1])
    for _ in range(20):
        single, double = [once.step(action) for _ in range(2)], twice.step(action)
        np.testing.assert_array_equal(single[-1].observation["state"], double.observation["state"])
        assert double.reward == pytest.approx(single[0].reward + single[1].reward)


def test_an_episode_ends_after_its_steps_without_success():
    env = make_env("dmcontrol", "cartpole-swingup")
    env.reset(0)
    steps = [env.step(np.zeros(1)) for _ in range(1000)]
    assert [s.done for s in steps] == [False] * 999 + [True]
    assert not any(s.success for s in steps)
    assert not env.terminated
    with pytest.raises(ClamError, match="is over"):
        env.step(np.zeros(1))


def test_an_overflow_is_one_line_that_names_task_and_seed_and_a_reset_mends_it():
    env = make_env("dmcontrol", "lqr-lqr_2_1")
    first = env.reset(3)["state"]
    env.step(np.zeros(1))
    env._env.physics.data.qvel[:] = 1e12  # where random actions of up to 10 billion lead sooner or later
    with pytest.raises(ClamError, match="dmcontrol lqr-lqr_2_1 became unstable at step 1 of seed 3") as error:
        env.step(np.zeros(1))
    assert "\n" not in str(error.value)
    with pytest.raises(ClamError, match="is over"):
        env.step(np.zeros(1))
    np.testing.assert_array_equal(env.reset(3)["state"], first)


def test_a_camera_shows_the_same_picture_for_the_same_seed():
    env = make_env("dmcontrol", "hopper-hop", image_size=48, camera="back")
    try:
        image = env.reset(0)["back"]
    except ClamError as error:
        pytest.skip(str(error))
    assert (image.shape, image.dtype) == ((48, 48, 3), np.uint8)
    assert image.std() > 5
    assert not np.array_equal(env.reset(1)["back"], image)
    np.testing.assert_array_equal(env.reset(0)["back"], image)
    env.close()


def test_names_that_do_not_exist_are_answered_with_the_nearest():
    assert len(task_names()) == 51
    assert split_task("ball_in_cup/catch") == ("ball_in_cup", "catch")
    with pytest.raises(ClamError, match="did you mean 'hopper-hop'"):
        make_env("dmcontrol", "hoper-hop")
    with pytest.raises(ClamError, match="did you mean 'back'"):
        make_env("dmcontrol", "hopper-hop", camera="bak")


def test_play_data_of_any_task_can_be_generated(tmp_path):
    report = generate("dmcontrol", "cheetah-run", "play", 2, 0, tmp_path / "play", workers=1, max_steps=20)
    assert (report.kept, report.transitions) == (2, 40)
    with pytest.raises(ClamError, match="dmcontrol 'cheetah-run' has no scripted expert"):
        generate("dmcontrol", "cheetah-run", "expert", 2, 0, tmp_path / "expert", workers=1)
