import numpy as np
import pytest

from clam_core.data.generate import run_episode
from clam_core.envs import make_env
from clam_core.envs.metaworld import STATE_NAMES, MetaWorld
from clam_core.errors import ClamError
from clam_core.operators import KINDS, RECIPES, keep_episode, make_operator
from clam_core.operators.metaworld import OBJECT_OFFSET


@pytest.fixture(scope="module")
def env():
    return make_env("metaworld", "assembly")


def test_expert_solves_assembly(env):
    operator = make_operator("metaworld", "assembly", "expert")
    assert sum(run_episode(env, operator, seed).success for seed in range(3)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_actions_depend_on_seed_and_observations_only(kind):
    states = np.random.default_rng(0).normal(0.0, 0.3, (12, 39))

    def actions(operator, seed):
        operator.reset(seed)
        return np.stack([operator.act({"state": state}) for state in states])

    operator, other = (make_operator("metaworld", "assembly", kind) for _ in range(2))
    first = actions(operator, 7)
    actions(operator, 8)
    np.testing.assert_array_equal(actions(operator, 7), first)
    np.testing.assert_array_equal(actions(other, 7), first)
    assert np.abs(first).max() <= 1.0
    if kind != "expert":
        assert not np.array_equal(actions(operator, 8), first)


def test_random_actions_do_not_depend_on_what_is_seen_and_are_held():
    operator = make_operator("metaworld", "assembly", "random")
    runs = []
    for state in (np.zeros(39), np.full(39, 0.6)):
        operator.reset(3)
        runs.append(np.stack([operator.act({"state": state}) for _ in range(50)]))
    np.testing.assert_array_equal(*runs)
    assert np.ptp(runs[0].reshape(10, 5, 4), axis=1).max() == 0.0
    assert len(np.unique(runs[0][:, 0])) == 10 and np.abs(runs[0]).max() > 0.5


def test_play_departs_from_the_expert_and_holds_random_segments():
    state = {"state": np.zeros(39)}
    operator = make_operator("metaworld", "assembly", "play")
    held = 0
    for seed in range(10):
        operator.reset(seed)
        actions = np.stack([operator.act(state) for _ in range(100)])
        segments = actions.reshape(20, 5, 4)
        held += sum(np.ptp(segment, axis=0).max() == 0.0 for segment in segments)
    low, *_, high = RECIPES["play"].segment_probabilities
    assert low < held / 200 < high


def test_kinds_keep_what_belongs_to_them():
    kept = {kind: (keep_episode(kind, True), keep_episode(kind, False)) for kind in KINDS}
    failures = (False, True)
    assert kept == {"expert": (True, False), "mixed": (True, True), "play": failures, "random": failures}


def test_the_gripper_is_held_not_jittered():
    operator = make_operator("metaworld", "assembly", "mixed")
    closing = np.full(39, 0.6)  # the hand is at the wrench: the expert closes the gripper
    operator.reset(1)
    gripper = np.array([operator.act({"state": closing}) for _ in range(200)])[:, 3]
    segments = gripper.reshape(40, 5)
    assert np.ptp(segments, axis=1).max() == 0.0


def test_play_carries_things_to_wrong_places(env):
    episodes = [run_episode(env, make_operator("metaworld", "assembly", "play"), seed) for seed in range(20)]
    height = [episode.observations["state"][:, STATE_NAMES.index("object0_z")].max() for episode in episodes]
    assert np.mean(np.array(height) > 0.06) > 0.2
    assert np.mean([episode.success for episode in episodes]) < 0.2


def test_play_fails_where_a_displaced_goal_does_not_hinder_it():
    task = MetaWorld("drawer-close")
    operator = make_operator("metaworld", "drawer-close", "play")
    assert operator.recipe.object_offset == OBJECT_OFFSET
    assert make_operator("metaworld", "drawer-close", "expert").recipe.object_offset == 0.0
    episodes = [run_episode(task, operator, seed) for seed in range(16)]
    task.close()
    failures = [e.observations["state"][:, STATE_NAMES.index("object0_y")] for e in episodes if not e.success]
    assert len(failures) >= 3
    assert max(np.ptp(drawer) for drawer in failures) > 0.01  # some touch the drawer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("metaworld", "assembly", "novice"), "unknown kind 'novice'"),
        (("gym", "Pendulum-v1", "expert"), "no scripted expert"),
        (("workshop", "x", "play"), "no scripted operator"),
        (("metaworld", "asembly", "play"), "did you mean 'assembly'"),
    ],
)
def test_what_there_is_no_operator_for(arguments, message):
    with pytest.raises(ClamError, match=message):
        make_operator(*arguments)


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ClamError, match="39"):
        make_operator("metaworld", "assembly", "expert").act({"state": np.zeros(3)})


@pytest.mark.parametrize(("env", "task", "limit"), [("gym", "Pendulum-v1", 2.0), ("dmcontrol", "pendulum-swingup", 1)])
def test_smooth_random_stays_within_the_limits_and_is_smooth(env, task, limit):
    operator = make_operator(env, task, "mixed")
    operator.reset(1)
    actions = np.stack([operator.act({"state": np.zeros(3)}) for _ in range(200)])
    assert np.abs(actions).max() <= limit
    assert actions.std() > 0
    assert np.abs(np.diff(actions, axis=0)).mean() < actions.std()
