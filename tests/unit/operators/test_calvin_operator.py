import numpy as np
import pytest

from clam_core.data.generate import generate, run_episode
from clam_core.data.store import EpisodeStore
from clam_core.envs import make_env
from clam_core.envs.calvin_package import installed
from clam_core.envs.calvin_spec import POSITION_STEP, SCENE_NAMES, STATE_NAMES
from clam_core.envs.calvin_tasks import sample_layout, task_names
from clam_core.errors import ClamError
from clam_core.operators import KINDS, make_operator
from clam_core.operators.calvin import steer
from clam_core.operators.calvin_motions import DRAWER_FRONT_Y, DRAWER_X, EXPERTS, FINGER, Waypoint
from clam_core.operators.calvin_play import SHORT_OF, play_motion

needs_calvin = pytest.mark.skipif(not installed(), reason="calvin_env is not installed (docs/calvin.md says how)")


class Table:
    """Not CALVIN: a hand that goes exactly where it is told, and a drawer that it pushes in by its handle."""

    def __init__(self, seed, task="close-drawer"):
        layout = sample_layout(task, np.random.default_rng(seed))
        self.state = dict(zip(STATE_NAMES, np.concatenate([layout.robot, layout.scene]).tolist(), strict=True))
        self.state |= {"tcp_x": 0.03, "tcp_y": -0.23, "tcp_z": 0.57, "tcp_roll": 3.0, "tcp_yaw": 1.5}

    @property
    def observation(self):
        return {"state": np.array(list(self.state.values()))}

    def step(self, action):
        for axis, move in zip("xyz", action[:3], strict=True):
            self.state[f"tcp_{axis}"] += POSITION_STEP * move
        x, y, z = (self.state[f"tcp_{axis}"] for axis in "xyz")
        if abs(x - DRAWER_X) < 0.1 and 0.33 < z < 0.39:
            self.state["drawer"] = max(0.0, min(self.state["drawer"], DRAWER_FRONT_Y - FINGER - y))


def test_the_expert_closes_a_drawer_that_it_sees():
    for seed in range(3):
        table, operator = Table(seed), make_operator("calvin", "close-drawer", "expert")
        operator.reset(seed)
        for _ in range(120):
            table.step(operator.act(table.observation))
        assert table.state["drawer"] < 0.03


def test_an_expert_that_is_done_stays_where_it_is():
    table = Table(0, task="open-drawer")  # closed already
    operator = make_operator("calvin", "close-drawer", "expert")
    operator.reset(0)
    start = table.observation["state"][:3]
    for _ in range(50):
        table.step(operator.act(table.observation))
    np.testing.assert_allclose(table.observation["state"][:3], start, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_actions_depend_on_seed_and_observations_only_and_keep_the_limits(kind):
    def actions(operator, seed):
        operator.reset(seed)
        table, taken = Table(1), []
        for _ in range(60):
            taken.append(operator.act(table.observation))
            table.step(taken[-1])
        return np.stack(taken)

    operator, other = (make_operator("calvin", "close-drawer", kind) for _ in range(2))
    first = actions(operator, 7)
    second = actions(operator, 8)
    np.testing.assert_array_equal(actions(operator, 7), first)
    np.testing.assert_array_equal(actions(other, 7), first)
    assert not np.array_equal(second, first)
    assert np.abs(first).max() <= 1.0
    assert set(first[:, 6]) <= {-1.0, 1.0}


def test_steering_turns_the_short_way_round():
    state = dict.fromkeys(STATE_NAMES, 0.0) | {"tcp_roll": -np.pi + 0.02, "tcp_yaw": np.pi / 2}
    action = steer(state, Waypoint(0.0, 0.0, 0.0, tilt=-0.02), pace=1.0)
    assert -0.5 < action[3] < 0.0  # 0.04 rad back over ±π, not once around
    np.testing.assert_allclose(action[[0, 1, 2, 4, 5]], 0.0, atol=1e-12)


def test_steering_keeps_the_direction_at_any_pace():
    state = dict.fromkeys(STATE_NAMES, 0.0)
    slow, fast = (steer(state, Waypoint(0.4, -0.2, 0.1), pace)[:3] for pace in (0.5, 1.0))
    assert np.abs(slow).max() == pytest.approx(0.5)
    np.testing.assert_allclose(2 * slow, fast)
    np.testing.assert_allclose(fast, [1.0, -0.5, 0.25])


def test_a_blocked_hand_is_not_pulled_further_and_further():
    table, operator = Table(0), make_operator("calvin", "slider-left", "expert")
    operator.reset(0)
    asked = sum(operator.act(table.observation)[:3] for _ in range(20))  # the hand never follows
    assert np.abs(POSITION_STEP * asked).max() < 0.061


@pytest.mark.parametrize(("task", "door"), [("close-drawer", "drawer"), ("slider-left", "slider")])
def test_play_moves_the_tasks_own_door_only_a_little(task, door):
    rng = np.random.default_rng(0)
    start = Table(0, task=task).state
    pushes = []
    for _ in range(300):
        waypoints = play_motion(task, start, start, 0.15, rng)
        if len(waypoints) == 5 and {"drawer": waypoints[1].z == 0.37, "slider": waypoints[1].z == 0.55}[door]:
            axis = "y" if door == "drawer" else "x"
            pushes.append(abs(getattr(waypoints[2], axis) - getattr(waypoints[1], axis)))
    assert len(pushes) > 10
    assert max(pushes) < SHORT_OF + 0.09  # reaching the handle takes up to 0.08


def test_who_has_no_expert_has_play():
    without = sorted(set(task_names()) - set(EXPERTS))
    assert "rotate-red-block-left" in without
    with pytest.raises(ClamError, match="with an expert: close-drawer"):
        make_operator("calvin", without[0], "expert")
    operator = make_operator("calvin", without[0], "play")
    assert operator.act(Table(0).observation).shape == (7,)


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ClamError, match="39"):
        make_operator("calvin", "close-drawer", "expert").act({"state": np.zeros(3)})


@needs_calvin
def test_generated_play_has_no_success_and_does_not_depend_on_workers(tmp_path):
    def arrays(workers):
        path = tmp_path / str(workers)
        report = generate("calvin", "slider-left", "play", 16, 18, path, workers=workers, max_steps=60)
        assert (report.kept, report.successes) == (16, 0)
        return [EpisodeStore.open(path).episode(i) for i in range(16)]

    for one, two in zip(arrays(1), arrays(2), strict=True):
        np.testing.assert_array_equal(one.observations["state"], two.observations["state"])
        np.testing.assert_array_equal(one.actions, two.actions)
        assert not one.success


@needs_calvin
@pytest.mark.parametrize("task", EXPERTS)
def test_experts_solve_their_task(task):
    env = make_env("calvin", task, max_steps=80)
    operator = make_operator("calvin", task, "expert")
    try:
        assert [run_episode(env, operator, seed).success for seed in range(2)] == [True, True]
    finally:
        env.close()


@needs_calvin
def test_play_rarely_succeeds_touches_things_and_uses_every_action():
    env = make_env("calvin", "close-drawer")
    operator = make_operator("calvin", "close-drawer", "play")
    try:
        episodes = [run_episode(env, operator, seed) for seed in range(10)]
    finally:
        env.close()
    assert sum(episode.success for episode in episodes) <= 3  # about one in ten; `generate` drops them
    assert np.concatenate([episode.actions for episode in episodes]).std(axis=0).min() > 0.3
    scenes = np.stack([episode.observations["state"][:, 15:] for episode in episodes])
    moved = np.ptp(scenes, axis=1) > 0.01
    touched = {name for name, any_episode in zip(SCENE_NAMES, moved.any(axis=0), strict=True) if any_episode}
    assert {"drawer", "slider"} <= touched
    assert touched & {"led", "lightbulb"}
    assert any("block" in name for name in touched)
