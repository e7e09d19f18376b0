"""The kitchen on a clock: what a real one would do, whoever drives it."""

import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION, RATE, STATE_NAMES, VELOCITY
from clam_core.envs.kitchen_tasks import READY, RULES, sample_layout
from clam_core.envs.kitchen_world import MAX_LAG, KitchenWorld
from clam_core.errors import ClamError
from clam_core.operators import make_operator
from clam_core.operators.kitchen_kinematics import joints_for
from clam_description import SLEEP

READY_SETPOINT = np.array([*READY, 0.05])


@pytest.fixture
def world():
    return KitchenWorld("reach-block", 0)


def things(world):
    """Positions of everything but the arm."""
    return world.scene()[8:]


def go(world, setpoint, seconds=3.0):
    world.send(setpoint)
    world.advance(seconds)


def test_it_begins_asleep_and_holds(world):
    world.advance(2.0)
    positions, velocities = world.measure()
    np.testing.assert_allclose(positions[:6], SLEEP, atol=0.005)
    assert positions[6] == pytest.approx(-positions[7]) and np.abs(velocities).max() < 0.01
    assert len(world.scene()) == len(world.scene_names) == len(set(world.scene_names))


def test_it_goes_where_it_is_told_no_faster_than_its_motors_turn(world):
    go(world, READY_SETPOINT, 0.1)
    before = world.measure()[0]
    fastest = np.zeros(8)
    for _ in range(150):
        world.advance(0.02)
        after = world.measure()[0]
        fastest, before = np.maximum(fastest, np.abs(after - before) / 0.02), after
    np.testing.assert_allclose(world.observe()[:7], READY_SETPOINT, atol=0.01)
    assert (fastest[:6] < 1.2 * np.array(VELOCITY[:6])).all()


def test_no_setpoint_drives_it_beyond_its_limits(world):
    rng = np.random.default_rng(0)
    slack = np.array([0.02] * 6 + [0.002])
    for _ in range(30):
        go(world, rng.choice([-100.0, 100.0], 7), 0.3)
        state = world.observe()[:7]
        assert (state > ACTION.low - slack).all() and (state < ACTION.high + slack).all()


def test_a_reset_moves_the_things_and_never_the_arm(world):
    go(world, READY_SETPOINT)
    arm, before = world.measure()[0], things(world)
    world.reset("close-microwave", 7)
    np.testing.assert_array_equal(world.measure()[0], arm)
    assert np.abs(things(world) - before).max() > 0.01
    offline = dict(zip(STATE_NAMES, make_env("kitchen", "close-microwave").reset(7)["state"], strict=True))
    here = dict(zip(STATE_NAMES, world.observe(), strict=True))
    for name in ("block_x", "block_y", "block_z", "pot_x", "pot_y", "microwave_door"):
        assert here[name] == pytest.approx(offline[name], abs=1e-9), name
    world.advance(0.5)
    np.testing.assert_allclose(world.measure()[0], arm, atol=0.005)


def test_nothing_is_put_into_the_arm(world):
    block = sample_layout("push-button", np.random.default_rng(5)).block
    go(world, READY_SETPOINT)
    go(world, np.append(joints_for(block.x, block.y, 0.11, 0.0), 0.03))
    before = world.scene()
    with pytest.raises(ClamError, match="the arm is where the block shall be put: move it away first"):
        world.reset("push-button", 5)
    np.testing.assert_array_equal(world.scene(), before)
    assert world._rule is RULES["reach-block"], "the attempt goes on by its own rule"
    go(world, READY_SETPOINT)
    world.reset("push-button", 5)
    assert world._rule is RULES["push-button"]


def test_the_score_is_the_best_since_the_reset_by_the_tasks_rule(world):
    operator = make_operator("kitchen", "reach-block", "expert")
    operator.reset(0)
    go(world, READY_SETPOINT)
    scores = [world.score]
    for _ in range(60):
        go(world, operator.act({"state": world.observe()}), 1 / RATE)
        scores.append(world.score)
    assert scores[0] == 0.0 and scores[-1] == 1.0 and scores == sorted(scores)
    world.reset("reach-block", 1)
    assert world.score == 0.0


def test_without_torque_it_falls_and_with_torque_it_holds_where_it_is(world):
    go(world, READY_SETPOINT)
    world.torque(False)
    go(world, np.array([*SLEEP, 0.04]), 1.0)
    fallen = world.measure()[0]
    assert np.abs(fallen[:6] - READY).max() > 0.3
    assert np.abs(fallen[:6] - SLEEP).max() > 0.3, "setpoints are ignored"
    world.torque(True)
    world.advance(1.0)
    held = world.measure()[0]
    world.advance(1.0)
    np.testing.assert_allclose(world.measure()[0], held, atol=0.01)
    assert np.abs(world.measure()[0][:6] - READY).max() > 0.3, "it does not jump back to its last goal"
    go(world, READY_SETPOINT)
    np.testing.assert_allclose(world.measure()[0][:6], READY, atol=0.01)


def test_it_keeps_pace_with_the_clock_and_counts_what_it_lost():
    world = KitchenWorld("reach-block", 0, speed=2.0)
    for now in (10.0, 10.1, 10.1001, 10.2):
        world.catch_up(now)
    assert world._data.time == pytest.approx(0.4, abs=0.003) and world.lost == 0.0
    world.catch_up(15.0)
    assert world._data.time == pytest.approx(0.4 + 2 * MAX_LAG, abs=0.003)
    assert world.lost == pytest.approx(4.8 - MAX_LAG)
    world.stop_clock()
    world.catch_up(100.0)
    assert world._data.time == pytest.approx(0.4 + 2 * MAX_LAG, abs=0.003)


def test_an_unknown_task_names_the_nearest(world):
    with pytest.raises(ClamError, match="did you mean 'push-button'"):
        world.reset("push-buton", 0)


def test_a_view_draws_a_scene_as_the_simulation_itself_would():
    from clam_core.envs.kitchen_view import KitchenView, focal_length

    env = make_env("kitchen", "close-microwave")
    env.reset(4)
    view = KitchenView()
    try:
        for camera in ("external", "over_shoulder"):
            image = view.render(env._simulator.data.qpos, 120, 160, camera)
            assert image.std() > 20
            np.testing.assert_array_equal(image, env.render(120, 160, camera))
    except ClamError as error:
        pytest.skip(str(error))
    with pytest.raises(ClamError, match="external, over_shoulder"):
        view.render(env._simulator.data.qpos, 120, 160, "wrist")
    assert focal_length("external", 480) == pytest.approx(240 / np.tan(np.radians(21.0)))
    view.close()
    env.close()


@pytest.mark.parametrize("camera", ["external", "over_shoulder"])
def test_a_policy_learns_from_what_the_robots_camera_gives(camera):
    from clam_core.data.images import resize

    env = make_env("kitchen", "close-microwave", image_size=64, camera=camera)
    try:
        image = env.reset(4)[camera].astype(int)
        live = resize(env.render(480, 640, camera), 64, 64).astype(int)
    except ClamError as error:
        pytest.skip(str(error))
    assert np.abs(image - live).max() <= 2
    rough = np.abs(env.render(64, 64, camera) - live)
    assert rough.max() > 20  # drawn at this size it is another picture
    env.close()
