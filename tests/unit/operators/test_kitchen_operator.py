import subprocess
import sys

import numpy as np
import pytest

from clam_core.data.generate import generate, run_episode
from clam_core.data.store import EpisodeStore
from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION, STATE_NAMES
from clam_core.envs.kitchen_tasks import READY, task_names
from clam_core.errors import ClamError
from clam_core.operators import KINDS, make_operator
from clam_core.operators.kitchen_kinematics import joints_for
from clam_core.operators.kitchen_motions import block_yaw
from clam_description import end_effector_pose


@pytest.mark.parametrize("task", task_names())
def test_the_expert_solves_its_task(task):
    env, operator = make_env("kitchen", task), make_operator("kitchen", task, "expert")
    for seed in range(3):
        assert run_episode(env, operator, seed).success, seed
        assert env.score == 1.0


def test_a_pressed_button_stays_pressed_to_the_end():
    """An expert that came and went would have two actions for one observation."""
    env, operator = make_env("kitchen", "push-button"), make_operator("kitchen", "push-button", "expert")
    for seed in range(3):
        operator.reset(seed)
        observation, rewards = env.reset(seed), []
        for _ in range(100):
            step = env.step(operator.act(observation))
            observation = step.observation
            rewards.append(step.reward)
        assert rewards[40:] == [1.0] * 60, seed


@pytest.mark.parametrize(
    ("x", "y", "z", "yaw"), [(0.29, -0.2, 0.1, 0.3), (0.4, -0.04, 0.155, np.pi / 2), (0.2, 0.25, 0.165, -1.2)]
)
def test_inverse_kinematics_is_the_urdfs_inverse(x, y, z, yaw):
    pose = end_effector_pose(joints_for(x, y, z, yaw).tolist())
    np.testing.assert_allclose(pose[:3, 3], [x, y, z], atol=1e-9)
    np.testing.assert_allclose(pose[:3, 0], [0, 0, -1], atol=1e-9)
    assert abs(pose[:3, 1] @ [-np.sin(yaw), np.cos(yaw), 0]) == pytest.approx(1.0)  # fingers open along it


def test_a_place_out_of_reach_is_approached_within_the_limits():
    for place in ((0.9, 0.2, 0.1), (0.0, 0.0, 2.0), (-0.3, 0.0, -1.0), (0.0, 0.0, 0.0)):
        joints = joints_for(*place)
        assert np.isfinite(joints).all()
        assert (joints >= ACTION.low[:6]).all() and (joints <= ACTION.high[:6]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_actions_depend_on_seed_and_observations_only_and_keep_the_limits(kind):
    state = np.zeros(len(STATE_NAMES))
    state[:6] = READY
    state[[STATE_NAMES.index(f"end_effector_{axis}") for axis in "xyz"]] = 0.22, 0.0, 0.25
    states = state + np.random.default_rng(0).normal(0.0, 0.02, (30, len(state)))

    def actions(operator, seed):
        operator.reset(seed)
        return np.stack([operator.act({"state": state}) for state in states])

    operator, other = (make_operator("kitchen", "push-button", kind) for _ in range(2))
    first = actions(operator, 7)
    assert not np.array_equal(actions(operator, 8), first)
    np.testing.assert_array_equal(actions(operator, 7), first)
    np.testing.assert_array_equal(actions(other, 7), first)
    assert (first >= ACTION.low).all() and (first <= ACTION.high).all()


def test_generated_play_touches_things_and_never_succeeds(tmp_path):
    generate("kitchen", "push-button", "play", 8, 0, tmp_path / "play", workers=1)
    store = EpisodeStore.open(tmp_path / "play")
    assert store.num_episodes == 8
    assert not store.episode_success.any()
    states = [store.episode(i).observations["state"] for i in range(8)]
    for thing in ("block_y", "pot_y"):
        column = STATE_NAMES.index(thing)
        assert sum(np.ptp(state[:, column]) > 0.01 for state in states) >= 2, thing


def test_the_nearest_side_of_the_block_is_grasped():
    for yaw in (0.3, 0.3 + np.pi / 2, 0.3 - np.pi):
        state = {"block_qw": np.cos(yaw / 2), "block_qx": 0.0, "block_qy": 0.0, "block_qz": np.sin(yaw / 2)}
        assert block_yaw(state) == pytest.approx(0.3)


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ClamError, match=str(len(STATE_NAMES))):
        make_operator("kitchen", "reach-block", "expert").act({"state": np.zeros(3)})


def test_a_misspelt_task_is_answered_with_the_nearest_valid_one():
    with pytest.raises(ClamError, match="did you mean 'reach-block'"):
        make_operator("kitchen", "reach-blok", "expert")


def test_the_operator_needs_no_simulator():
    code = "import sys, clam_core.operators.kitchen; print('mujoco' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
