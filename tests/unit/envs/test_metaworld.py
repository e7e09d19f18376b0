import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.envs.metaworld import STATE_NAMES, STATE_UNITS, task_name, task_names
from clam_core.errors import ClamError


@pytest.fixture(scope="module")
def env():
    environment = make_env("metaworld", "assembly")
    yield environment
    environment.close()


def play(env, seed, steps=12):
    """States, rewards and successes of an episode whose actions depend on its seed."""
    rng = np.random.default_rng(seed)
    rows = [np.concatenate([env.reset(seed)["state"], [0.0, 0.0]])]
    for _ in range(steps):
        step = env.step(rng.uniform(-1, 1, 4))
        rows.append(np.concatenate([step.observation["state"], [step.reward, step.success]]))
    return np.stack(rows)


def test_same_seed_is_the_same_episode_whatever_ran_before(env):
    first = play(env, 3)
    play(env, 4, steps=40)
    env.reset(5)
    np.testing.assert_array_equal(play(env, 3), first)
    fresh = make_env("metaworld", "assembly-v3")
    np.testing.assert_array_equal(play(fresh, 3), first)


def test_global_random_state_has_no_influence(env):
    np.random.seed(0)
    first = env.reset(3)["state"]
    np.random.seed(1)
    np.testing.assert_array_equal(env.reset(3)["state"], first)


def test_other_seeds_are_other_layouts(env):
    goals = {tuple(env.reset(seed)["state"][-3:]) for seed in range(10)}
    assert len(goals) == 10


def test_spec_is_table_14(env):
    assert env.spec.max_steps == 100
    assert env.spec.rate == pytest.approx(40.0)  # 0.0125 s per simulator step, action repeat 2
    assert (env.spec.env, env.spec.task) == ("metaworld", "assembly")
    assert env.spec.action.names == ("dx", "dy", "dz", "gripper")
    assert (env.spec.action.low, env.spec.action.high) == ((-1.0,) * 4, (1.0,) * 4)


def test_names_describe_the_39_numbers(env):
    assert len(STATE_NAMES) == len(STATE_UNITS) == len(set(STATE_NAMES)) == 39
    first = dict(zip(STATE_NAMES, env.reset(0)["state"], strict=True))
    step = env.step(np.array([1.0, 0.0, 0.0, -1.0]))
    second = dict(zip(STATE_NAMES, step.observation["state"], strict=True))
    assert second["hand_x"] > second["previous/hand_x"]
    assert [second[f"goal_{a}"] for a in "xyz"] == [first[f"goal_{a}"] for a in "xyz"]
    inner = env._env
    np.testing.assert_allclose([second[f"hand_{a}"] for a in "xyz"], inner.get_endeff_pos())
    np.testing.assert_allclose([second[f"goal_{a}"] for a in "xyz"], inner._target_pos)
    np.testing.assert_allclose([second[f"object0_{a}"] for a in "xyz"], inner._get_pos_objects())


def test_rewards_are_summed_and_success_counts_at_any_repeat(env):
    env.reset(0)
    rewards, successes = iter([1.5, 2.0]), iter([1.0, 0.0])
    inner = env._env
    original = inner.step
    inner.step = lambda action: (np.zeros(39), next(rewards), False, False, {"success": next(successes)})
    try:
        step = env.step(np.zeros(4))
    finally:
        inner.step = original
    assert step.reward == 3.5
    assert step.success is True


def test_done_after_the_step_budget_and_never_before():
    env = make_env("metaworld", "assembly", max_steps=3)
    env.reset(0)
    assert [env.step(np.zeros(4)).done for _ in range(3)] == [False, False, True]
    with pytest.raises(ClamError, match="is over"):
        env.step(np.zeros(4))


@pytest.mark.parametrize("action", [np.zeros(3), np.array([0.0, np.nan, 0.0, 0.0])])
def test_a_bad_action_is_refused(env, action):
    env.reset(0)
    with pytest.raises(ClamError):
        env.step(action)


def test_all_fifty_tasks_have_names():
    assert len(task_names()) == 50
    assert task_name("bin-picking-v3") == "bin-picking"
    assert all(name == task_name(name) for name in task_names())


def test_image_is_upright_and_repeatable():
    env = make_env("metaworld", "assembly", image_size=64)
    try:
        image = env.reset(0)["corner4"]
    except ClamError as error:
        pytest.skip(str(error))
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(env.reset(0)["corner4"], image)
    big = env.render(height=480, width=480).astype(int)
    # The hand must appear higher in the picture after it has moved up.
    before = _row_of_hand(big, env)
    for _ in range(15):
        env.step(np.array([0.0, 0.0, 1.0, 0.0]))
    assert _row_of_hand(env.render(height=480, width=480).astype(int), env) < before
    env.close()


def _row_of_hand(image, env):
    """Mean row of the red pixels of the arm's far end: the arm is the only saturated red thing."""
    red = (image[..., 0] > 90) & (image[..., 0] > 2 * image[..., 1]) & (image[..., 0] > 2 * image[..., 2])
    return np.nonzero(red)[0].mean()


def test_unknown_camera_lists_the_valid_ones(env):
    with pytest.raises(ClamError, match="corner2"):
        env.render(camera="cornr2")


def test_no_opengl_names_the_missing_library(monkeypatch):
    from clam_core.envs import rendering

    def fail(name):
        raise ImportError(f"no {name} here")

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering.importlib, "import_module", fail)
    with pytest.raises(ClamError, match="libegl1 or libosmesa6"):
        rendering._gl_context(64, 64)
