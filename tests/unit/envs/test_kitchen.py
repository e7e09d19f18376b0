import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from clam_core.envs import make_env, make_env_of
from clam_core.envs.kitchen_geometry import BLOCK_HALF, HINGE, TIP, place
from clam_core.envs.kitchen_scene import FIELD_OF_VIEW
from clam_core.envs.kitchen_spec import ACTION, CAMERAS, STATE_NAMES, STATE_UNITS, VELOCITY
from clam_core.envs.kitchen_tasks import (
    HOVER_SPEED,
    READY,
    RULES,
    Situation,
    sample_layout,
    task_name,
    task_names,
)
from clam_core.errors import ClamError
from clam_description import ARM_JOINTS, END_EFFECTOR_LINK, joint_limits, link_poses, read_joints, urdf

UP = np.array([0.0, 0.0, 1.0])
LEFT = np.array([0.0, 1.0, 0.0])
LONG = "put-block-in-pot-and-slide-right"
ASIDE = np.array([1.4, -0.9, 0.5, 0.0, 1.0, 0.0, 0.05])  # the arm turned away from the kitchen


@pytest.fixture(scope="module")
def env():
    environment = make_env("kitchen", "close-microwave")
    yield environment
    environment.close()


def named(state):
    return dict(zip(STATE_NAMES, state, strict=True))


def episode(env, seed, steps=12):
    """States, rewards and successes of an episode whose actions depend on its seed."""
    rng = np.random.default_rng(seed)
    rows = [np.append(env.reset(seed)["state"], [0.0, 0.0])]
    for _ in range(steps):
        step = env.step(rng.uniform(ACTION.low, ACTION.high))
        rows.append(np.append(step.observation["state"], [step.reward, step.success]))
    return np.stack(rows)


def test_spec_is_appendix_f_with_the_limits_of_the_urdf(env):
    spec, limits = env.spec, joint_limits()
    assert (spec.env, spec.task, spec.rate, spec.max_steps) == ("kitchen", "close-microwave", 5.0, 100)
    assert spec.action.names == (*ARM_JOINTS, "gripper")
    assert spec.action.units == ("rad",) * 6 + ("m",)
    assert spec.action.low[:6] == tuple(limits[name].lower for name in ARM_JOINTS)
    assert spec.action.high[:6] == tuple(limits[name].upper for name in ARM_JOINTS)
    assert (spec.action.low[6], spec.action.high[6]) == pytest.approx((0.030, 0.074))
    assert len(STATE_NAMES) == len(STATE_UNITS) == len(set(STATE_NAMES)) == len(env.reset(0)["state"])


def test_the_four_tasks_of_the_paper():
    assert task_names() == ("reach-block", "push-button", "close-microwave", LONG)
    assert task_name(LONG.replace("-", "_")) == LONG
    with pytest.raises(ClamError, match="did you mean 'push-button'"):
        make_env("kitchen", "push-buton")


def test_same_seed_is_the_same_episode_whatever_ran_before(env):
    first = episode(env, 3)
    episode(env, 4, steps=30)
    np.random.seed(0)
    np.testing.assert_array_equal(episode(env, 3), first)
    np.testing.assert_array_equal(episode(make_env("kitchen", "close-microwave"), 3), first)


def test_other_seeds_are_other_layouts():
    layouts = [sample_layout("close-microwave", np.random.default_rng(seed)) for seed in range(10)]
    for values in ([x.block for x in layouts], [x.pot for x in layouts], [x.door for x in layouts]):
        assert len(set(values)) == 10
    assert sample_layout("push-button", np.random.default_rng(0)).door == 0.0


def test_things_stand_still_where_they_are_put(env):
    for seed in range(5):
        state = env.reset(seed)["state"]
        held = np.append(state[:6], state[6])
        before = named(state)
        for _ in range(5):
            after = named(env.step(held).observation["state"])
        for name in STATE_NAMES:
            if not name.endswith("velocity"):
                assert after[name] == pytest.approx(before[name], abs=1e-3), name


def test_end_effector_is_where_the_urdf_says_and_the_arm_goes_where_it_is_told(env):
    env.reset(0)
    target = np.array([0.4, -0.2, 0.1, 0.3, 1.2, -0.5, 0.06])
    for _ in range(8):
        state = env.step(target).observation["state"]
    np.testing.assert_allclose(state[:7], target, atol=0.01)
    poses = link_poses(read_joints(urdf("wx250s")), dict(zip(ARM_JOINTS, state[:6].tolist(), strict=True)))
    seen = [named(state)[f"end_effector_{axis}"] for axis in "xyz"]
    np.testing.assert_allclose(seen, poses[END_EFFECTOR_LINK][:3, 3], atol=1e-6)


def test_geometry_read_from_the_urdf_is_that_of_the_model(env):
    env.reset(0)
    data = env._simulator.data
    np.testing.assert_allclose(data.joint("microwave_door").xanchor, place("microwave") + HINGE)
    finger, end_effector = env._simulator._fingers[0], data.body(END_EFFECTOR_LINK)
    approach = end_effector.xmat.reshape(3, 3)[:, 0]
    assert approach @ (env._simulator._tip(finger) - end_effector.xpos) == pytest.approx(TIP)


def test_no_action_drives_the_arm_beyond_its_limits(env):
    rng = np.random.default_rng(0)
    for seed in range(2):
        env.reset(seed)
        for _ in range(50):
            state = env.step(rng.choice([-100.0, 100.0], 7)).observation["state"]
            assert np.isfinite(state).all()
            slack = np.array([0.01] * 6 + [0.002])
            assert (state[:7] > ACTION.low - slack).all() and (state[:7] < ACTION.high + slack).all()


def test_a_far_goal_is_approached_no_faster_than_the_joints_may_turn(env):
    start = env.reset(0)["state"]
    far = np.append(start[:6], start[6])
    far[0] += 2.5
    turned = env.step(far).observation["state"][0] - start[0]
    assert 0.5 * VELOCITY[0] / 5 < turned < 1.01 * VELOCITY[0] / 5


@pytest.mark.parametrize("action", [np.zeros(6), np.full(7, np.nan)])
def test_a_bad_action_is_refused(env, action):
    env.reset(0)
    with pytest.raises(ClamError):
        env.step(action)


def test_done_after_the_step_budget_and_never_before():
    env = make_env("kitchen", "reach-block", max_steps=3)
    env.reset(0)
    assert [env.step(ASIDE).done for _ in range(3)] == [False, False, True]
    with pytest.raises(ClamError, match="is over"):
        env.step(ASIDE)


START = Situation(
    end_effector=np.array([0.2, 0.0, 0.25]),
    speed=0.0,
    block=np.array([0.29, -0.1, 0.098]),
    touches_block=False,
    pot=np.array([0.40, -0.04, 0.091]),
    button_travel=0.0,
    button_distance=0.3,
    door=0.8,
)
OVER_BLOCK = START.block + 0.07 * UP + 0.01 * LEFT
SLID_POT = START.pot - 0.06 * LEFT


@pytest.mark.parametrize(
    ("task", "changes", "score"),
    [
        ("reach-block", {}, 0.0),
        ("reach-block", {"end_effector": OVER_BLOCK}, 1.0),
        ("reach-block", {"end_effector": OVER_BLOCK, "speed": 2 * HOVER_SPEED}, 0.0),
        ("reach-block", {"end_effector": OVER_BLOCK + 0.04 * LEFT}, 0.0),
        ("reach-block", {"end_effector": OVER_BLOCK + 0.1 * UP}, 0.0),
        ("reach-block", {"end_effector": OVER_BLOCK, "touches_block": True}, 0.5),
        ("push-button", {}, 0.0),
        ("push-button", {"button_distance": 0.03}, 0.5),
        ("push-button", {"button_distance": 0.0, "button_travel": 0.005}, 1.0),
        ("close-microwave", {}, 0.0),
        ("close-microwave", {"door": 0.9}, 0.0),
        ("close-microwave", {"door": 0.5}, 0.5),
        ("close-microwave", {"door": 0.01}, 1.0),
        (LONG, {}, 0.0),
        (LONG, {"pot": SLID_POT}, 0.0),
        (LONG, {"block": START.block + 0.06 * UP}, 0.5),
        (LONG, {"block": START.pot + 0.02 * UP}, 0.0),
        (LONG, {"block": SLID_POT + 0.02 * UP, "pot": SLID_POT}, 1.0),
        (LONG, {"block": START.pot + 0.02 * UP, "pot": START.pot + 0.06 * LEFT}, 0.0),
    ],
)
def test_success_and_partial_success(task, changes, score):
    assert RULES[task](replace(START, **changes), START) == score


def test_the_score_of_an_episode_is_its_best_and_a_reset_forgets_it():
    env = make_env("kitchen", "push-button")
    scores = iter([0.0, 0.5, 0.0, 1.0, 0.5])
    env._rule = lambda now, start: next(scores)
    env.reset(0)
    seen = []
    for _ in range(5):
        step = env.step(ASIDE)
        seen.append((step.reward, step.success, env.score))
    assert seen == [
        (0.0, False, 0.0),
        (0.5, False, 0.5),
        (0.0, False, 0.5),
        (1.0, True, 1.0),
        (0.5, False, 1.0),
    ]
    env.reset(0)
    assert env.score == 0.0


def test_a_start_scores_nothing():
    for task in task_names():
        env = make_env("kitchen", task)
        for seed in range(5):
            state = env.reset(seed)["state"]
            assert env.step(np.append(state[:6], state[6])).reward == 0.0


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_block_is_seen_where_the_description_says(env, camera):
    env.reset(1)
    for _ in range(8):
        state = named(env.step(ASIDE).observation["state"])
    try:
        image = env.render(480, 640, camera).astype(int)
    except ClamError as error:
        pytest.skip(str(error))
    assert image.shape == (480, 640, 3)
    assert image.std() > 20
    frame = link_poses(read_joints(urdf("workcell")), {})[f"{camera}_optical_frame"]
    top = np.array([state["block_x"], state["block_y"], state["block_z"] + BLOCK_HALF, 1.0])
    x, y, z, _ = np.linalg.inv(frame) @ top  # z forward, x right, y down
    focal = 240 / np.tan(np.radians(FIELD_OF_VIEW[camera]) / 2)
    column, row = 320 + focal * x / z, 240 + focal * y / z
    red, green, blue = image[round(row), round(column)]
    assert green > 1.5 * red and green > 1.5 * blue
    greens = (image[..., 1] > 1.5 * image[..., 0]) & (image[..., 1] > 1.5 * image[..., 2])
    rows, columns = np.nonzero(greens)
    assert abs(columns.mean() - column) < 15 and abs(rows.mean() - row) < 25


def test_camera_images_belong_to_the_observation():
    env = make_env("kitchen", "reach-block", image_size=64, camera="over_shoulder")
    try:
        image = env.reset(0)["over_shoulder"]
    except ClamError as error:
        pytest.skip(str(error))
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(env.reset(0)["over_shoulder"], image)
    assert env.spec.observation.cameras[0].name == "over_shoulder"
    env.close()


def test_both_cameras_belong_to_the_observation_and_a_policy_of_both_gets_both():
    env = make_env("kitchen", "reach-block", image_size=32, camera="over_shoulder, external")
    again = make_env_of(env.spec)
    assert [camera.name for camera in again.spec.observation.cameras] == ["over_shoulder", "external"]
    try:
        one, other = env.reset(0), again.reset(0)
    except ClamError as error:
        pytest.skip(str(error))
    assert not np.array_equal(one["external"], one["over_shoulder"])
    for camera in CAMERAS:
        assert one[camera].shape == (32, 32, 3)
        np.testing.assert_array_equal(one[camera], other[camera])
    env.close()
    again.close()


@pytest.mark.parametrize("names", ["external,external", "external,", ""])
def test_cameras_must_have_different_names(names):
    with pytest.raises(ClamError, match="must be different names with commas between them"):
        make_env("kitchen", "reach-block", image_size=32, camera=names)


def test_unknown_camera_lists_the_valid_ones(env):
    with pytest.raises(ClamError, match="external, over_shoulder"):
        env.render(camera="wrist")
    with pytest.raises(ClamError, match="external, over_shoulder"):
        make_env("kitchen", "reach-block", camera="wrist", image_size=64)


def test_the_ready_pose_looks_down():
    poses = link_poses(read_joints(urdf("wx250s")), dict(zip(ARM_JOINTS, READY, strict=True)))
    np.testing.assert_allclose(poses[END_EFFECTOR_LINK][:3, 0], [0, 0, -1], atol=0.01)


def test_neither_the_registry_nor_the_specification_imports_mujoco():
    code = "import sys, clam_core.envs, clam_core.envs.kitchen_spec; print('mujoco' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
