import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from clam_core.envs import calvin, calvin_package, make_env
from clam_core.envs.calvin_spec import (
    ACTION,
    BLOCKS,
    ROBOT_NAMES,
    SCENE_NAMES,
    STATE_NAMES,
    STATE_UNITS,
    binarize_gripper,
)
from clam_core.envs.calvin_tasks import REST_JOINTS, oracle_name, sample_layout, task_name, task_names
from clam_core.errors import ClamError

needs_calvin = pytest.mark.skipif(
    not calvin_package.installed(), reason="calvin_env is not installed (docs/calvin.md says how)"
)


class FakeSimulator:
    """Not CALVIN: it records what it is told, and says that a task is done from its third action on."""

    def __init__(self):
        self.actions, self.layout, self.asked = [], None, set()

    def reset(self, layout):
        self.actions, self.layout = [], layout
        return np.concatenate([layout.robot, layout.scene])

    def step(self, action):
        self.actions.append(action)
        return np.full(39, float(len(self.actions)))

    def achieved(self, oracle_task):
        self.asked.add(oracle_task)
        return len(self.actions) >= 3

    def render(self, camera, height, width):
        return np.full((height, width, 3), {"static": 1, "gripper": 2}[camera], dtype=np.uint8)

    def close(self):
        pass


@pytest.fixture
def fake(monkeypatch):
    simulator = FakeSimulator()
    monkeypatch.setattr(calvin, "CalvinSimulator", lambda: simulator)
    return simulator


def test_the_39_entries_have_names_and_units():
    assert (len(ROBOT_NAMES), len(SCENE_NAMES)) == (15, 24)
    assert len(STATE_NAMES) == len(STATE_UNITS) == len(set(STATE_NAMES)) == 39
    units = dict(zip(STATE_NAMES, STATE_UNITS, strict=True))
    assert (units["tcp_z"], units["tcp_yaw"], units["joint6"], units["drawer"], units["led"]) == (
        *("m", "rad", "rad", "m", "1"),
    )
    assert STATE_NAMES.index("slider") == 15
    assert STATE_NAMES[-1] == "pink_block_yaw"


def test_spec_is_table_15(fake):
    spec = make_env("calvin", "close_drawer").spec
    assert (spec.env, spec.task, spec.max_steps, spec.rate) == ("calvin", "close-drawer", 200, 30.0)
    assert (len(spec.observation.names), len(spec.action.names)) == (39, 7)


@pytest.mark.parametrize(
    ("given", "name", "oracle"),
    [
        ("close-drawer", "close-drawer", "close_drawer"),
        ("close_drawer", "close-drawer", "close_drawer"),
        ("slider-left", "slider-left", "move_slider_left"),
        ("move_slider_left", "slider-left", "move_slider_left"),
        ("slide-left", "slider-left", "move_slider_left"),
        ("turn_on_led", "turn-on-led", "turn_on_led"),
        ("push_red_block_left", "push-red-block-left", "push_red_block_left"),
    ],
)
def test_every_spelling_of_a_task_is_one_task(given, name, oracle):
    assert (task_name(given), oracle_name(given)) == (name, oracle)


@pytest.mark.parametrize(
    ("task", "message"), [("close-drawr", "did you mean 'close-drawer'"), ("place_in_slider", "start")]
)
def test_a_task_that_cannot_be_started_is_refused(task, message):
    with pytest.raises(ClamError, match=message):
        make_env("calvin", task)


@pytest.mark.parametrize("task", task_names())
def test_a_layout_starts_its_task(task):
    starts = {
        "close-drawer": ("drawer", 0.22),
        "open-drawer": ("drawer", 0.0),
        "slider-left": ("slider", 0.0),
        "slider-right": ("slider", 0.28),
        "turn-on-led": ("led", 0.0),
        "turn-off-led": ("led", 1.0),
        "turn-on-lightbulb": ("switch", 0.0),
        "turn-off-lightbulb": ("switch", 0.088),
    }
    for seed in range(20):
        layout = sample_layout(task, np.random.default_rng(seed))
        scene = dict(zip(SCENE_NAMES, layout.scene, strict=True))
        assert layout.robot.shape == (15,)
        if task in starts:
            entry, value = starts[task]
            assert scene[entry] == value
        else:
            block = "_".join(task.split("-")[1:3])
            assert scene[f"{block}_y"] < 0  # on the table, not in the cabinet
        assert (scene["switch"] > 0) == (scene["lightbulb"] == 1.0)
        places = np.array([[scene[f"{block}_{axis}"] for axis in "xy"] for block in BLOCKS])
        gaps = [np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert min(gaps) > 0.1


def test_layouts_differ_by_seed_and_by_nothing_else():
    def layout(seed):
        drawn = sample_layout("close-drawer", np.random.default_rng(seed))
        return np.concatenate([drawn.robot, drawn.scene])

    np.testing.assert_array_equal(layout(3), layout(3))
    drawn = np.stack([layout(seed) for seed in range(30)])
    assert len(np.unique(drawn, axis=0)) == 30
    assert 0 < np.abs(drawn[:, 7:14] - REST_JOINTS).max() <= 0.05
    assert {0.0, 0.28} == set(drawn[:, STATE_NAMES.index("slider")])


def test_actions_are_clipped_and_the_gripper_is_binarized(fake):
    env = make_env("calvin", "close-drawer")
    env.reset(0)
    env.step(np.array([3.0, -3.0, 0.5, 0.0, 0.0, 0.0, 0.0]))
    env.step(np.array([0, 0, 0, 0, 0, 0, -0.01], dtype=np.float32))
    first, second = fake.actions
    np.testing.assert_array_equal(first, [1, -1, 0.5, 0, 0, 0, 1])
    assert second[-1] == -1.0
    assert second.dtype == np.float64


def test_binarizing_copies():
    action = np.full((2, 7), 0.3)
    assert binarize_gripper(action)[:, -1].tolist() == [1.0, 1.0]
    assert action[0, -1] == 0.3


def test_success_is_what_the_oracle_says_of_this_task(fake):
    env = make_env("calvin", "slider-left", max_steps=4)
    env.reset(0)
    steps = [env.step(np.zeros(7)) for _ in range(4)]
    assert [step.success for step in steps] == [False, False, True, True]
    assert [step.reward for step in steps] == [0.0, 0.0, 1.0, 1.0]
    assert [step.done for step in steps] == [False, False, False, True]
    assert fake.asked == {"move_slider_left"}
    with pytest.raises(ClamError, match="is over"):
        env.step(np.zeros(7))


@pytest.mark.parametrize("action", [np.zeros(4), np.array([0, 0, 0, 0, 0, np.nan, 1.0])])
def test_a_bad_action_is_refused(fake, action):
    env = make_env("calvin", "close-drawer")
    env.reset(0)
    with pytest.raises(ClamError):
        env.step(action)


def test_images_come_with_the_camera_asked_for(fake):
    env = make_env("calvin", "close-drawer", image_size=64, camera="gripper")
    observation = env.reset(0)
    assert observation["gripper"].shape == (64, 64, 3)
    assert (observation["gripper"] == 2).all()
    with pytest.raises(ClamError, match="valid: static, gripper"):
        make_env("calvin", "close-drawer", image_size=64, camera="front")


def test_a_missing_simulator_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(calvin_package, "installed", lambda: False)
    with pytest.raises(ClamError, match=r"git clone .*calvin_env.* pip install --no-deps -e") as error:
        make_env("calvin", "close-drawer")
    assert "\n" not in str(error.value)


def test_a_missing_dependency_is_named(monkeypatch):
    monkeypatch.setattr(calvin_package, "installed", lambda: True)
    with pytest.raises(ClamError, match=r"no_such_module.*pip install"):
        calvin_package.load("no_such_module")


def test_what_the_simulator_prints_does_not_reach_standard_output():
    code = """
import os
from clam_core.envs.calvin_package import silence
with silence():
    print("python"); os.write(1, b"native\\n")
print("result")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "result\n"


@pytest.fixture
def real():
    environment = make_env("calvin", "close-drawer")
    yield environment
    environment.close()


def play(env, seed, steps=60):
    """States of an episode whose actions depend on its seed."""
    rng = np.random.default_rng(seed)
    states = [env.reset(seed)["state"]]
    states += [env.step(rng.uniform(ACTION.low, ACTION.high)).observation["state"] for _ in range(steps)]
    return np.stack(states)


@needs_calvin
def test_same_seed_is_the_same_episode_whatever_ran_before(real):
    first = play(real, 3)
    play(real, 4, steps=100)
    real.reset(5)
    np.testing.assert_array_equal(play(real, 3), first)
    real.close()
    again = make_env("calvin", "close-drawer")
    np.testing.assert_array_equal(play(again, 3), first)
    again.close()


@needs_calvin
def test_the_start_is_the_layout(real):
    layout = sample_layout("close-drawer", np.random.default_rng(7))
    state = real.reset(7)["state"]
    np.testing.assert_allclose(state[7:14], layout.robot[7:14], atol=2e-3)
    np.testing.assert_allclose(state[15:21], layout.scene[:6], atol=2e-3)
    assert state[STATE_NAMES.index("gripper_action")] == 1.0
    np.testing.assert_allclose(state[[21, 22, 27, 28, 33, 34]], layout.scene[[6, 7, 12, 13, 18, 19]], atol=5e-3)


@needs_calvin
def test_actions_move_what_their_names_say(real):
    for entry, name in enumerate(("tcp_x", "tcp_y", "tcp_z", "tcp_roll", "tcp_pitch", "tcp_yaw")):
        before = dict(zip(STATE_NAMES, real.reset(1)["state"], strict=True))
        action = np.eye(7)[entry] + np.eye(7)[6]
        for _ in range(3):
            state = real.step(action).observation["state"]
        after = dict(zip(STATE_NAMES, state, strict=True))
        wrapped = (after[name] - before[name] + np.pi) % (2 * np.pi) - np.pi
        assert wrapped > 0.02
    real.step(-np.eye(7)[6])
    state = real.step(-np.eye(7)[6]).observation["state"]
    assert state[STATE_NAMES.index("gripper_action")] == -1.0
    assert state[STATE_NAMES.index("gripper_width")] < 0.07


@needs_calvin
def test_success_is_the_published_threshold(real):
    for drawer, expected in ((0.11, False), (0.09, True)):
        real.reset(0)
        inner = real._simulator._env
        door = next(door for door in inner.scene.doors if door.name == "base__drawer")
        door.reset(drawer)
        assert real.step(np.eye(7)[6]).success is expected


@needs_calvin
def test_a_second_one_in_this_process_is_refused_and_closing_twice_is_no_error(real):
    with pytest.raises(ClamError, match="already runs"):
        make_env("calvin", "slider-left")
    real.close()
    real.close()
    make_env("calvin", "slider-left").close()


@needs_calvin
def test_images_show_the_scene(real):
    real.reset(0)
    static, gripper = real.render(84, 84), real.render(84, 84, "gripper")
    assert static.shape == gripper.shape == (84, 84, 3)
    assert static.dtype == np.uint8
    assert static.std() > 20 and gripper.std() > 20
    np.testing.assert_array_equal(real.render(84, 84), static)
    real.spec = replace(real.spec, task="open-drawer")
    real.reset(0)
    changed = np.abs(real.render(84, 84).astype(int) - static).max(axis=2) > 30
    assert changed[42:].sum() > 50 > 5 > changed[:42].sum()  # the drawer is in the picture's lower half


@needs_calvin
def test_a_program_with_an_environment_prints_its_own_output_only():
    code = """
from clam_core.envs import make_env
env = make_env("calvin", "close-drawer")
env.reset(0)
env.reset(1)
print("{}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "{}\n"
    assert len(done.stderr.splitlines()) <= 1, done.stderr  # Bullet's build time, once
