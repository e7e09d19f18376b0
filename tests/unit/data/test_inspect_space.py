"""Coverage of workspace and action space, and the advice that follows from it."""

import json

import numpy as np
import pytest

from clam_core.cli import main
from clam_core.data.inspect import describe
from clam_core.data.inspect_advice import advice
from clam_core.data.inspect_space import BOX, end_effector, space
from clam_core.data.store import DatasetInfo, Episode, EpisodeStore, StoreWriter
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec
from clam_description import ARM_JOINTS, HOME, end_effector_pose, joint_limits

JOINTS = (*ARM_JOINTS, "gripper")


def robot_spec():
    states = (*JOINTS, "left_finger", "right_finger")
    units = ("rad",) * 6 + ("m",) * 3
    limits = (-9.0,) * 7, (9.0,) * 7  # as wide as the data, when bags are imported
    action = ActionSpec(JOINTS, units[:7], *limits)
    return EnvironmentSpec("unknown", "reach", ObservationSpec(states, units), action, 10.0, 1000)


def robot_play(path, joints, kind="play", gripper=None):
    """A dataset whose episodes follow `joints` (one (T+1, 6) each) and whose actions are the next joints."""
    with StoreWriter(path, DatasetInfo(robot_spec(), kind, {}), actions=True) as writer:
        for arm in joints:
            gap = np.full(len(arm), 0.05) if gripper is None else gripper[: len(arm)]
            state = np.column_stack([arm, gap, gap / 2, -gap / 2]).astype(np.float32)
            steps = len(arm) - 1
            actions = state[1:, :7].copy()
            writer.append(Episode({"state": state}, actions, np.zeros(steps, np.float32), np.zeros(steps, bool)))
    return path


def wandering(seed, steps, width):
    """Joint positions that wander over `width` of each joint's range around home."""
    rng, limits = np.random.default_rng(seed), joint_limits()
    spans = np.array([limits[name].upper - limits[name].lower for name in ARM_JOINTS])
    phases = rng.uniform(0, 2 * np.pi, 6)
    waves = np.sin(np.arange(steps + 1)[:, None] * np.array([0.11, 0.17, 0.23, 0.29, 0.37, 0.41]) + phases)
    return np.array(HOME) + waves * spans * width / 2


def test_the_end_effector_is_where_the_description_says(tmp_path):
    arm = wandering(0, 20, 0.3)
    store = EpisodeStore.open(robot_play(tmp_path / "d", [arm]))
    points = end_effector(store)
    np.testing.assert_allclose(points[7], end_effector_pose(arm[7])[:3, 3], atol=1e-6)


def test_play_that_goes_everywhere_covers_more_than_play_that_stays(tmp_path):
    wide = space(EpisodeStore.open(robot_play(tmp_path / "wide", [wandering(s, 2000, 0.9) for s in range(3)])))
    narrow = space(EpisodeStore.open(robot_play(tmp_path / "narrow", [wandering(s, 2000, 0.1) for s in range(3)])))
    assert 300 < wide["workspace"]["reachable"] < 518  # voxels of the whole box
    assert narrow["workspace"]["share"] < 0.15 < 0.5 < wide["workspace"]["share"] <= 1.0
    for name in ARM_JOINTS:
        assert narrow["actions"][name]["share"] < wide["actions"][name]["share"]
    assert narrow["pairs"]["share"] < wide["pairs"]["share"]
    assert len(wide["workspace"]["regions"]) == 8
    json.dumps(wide)


def test_joints_are_measured_by_the_workspace_not_by_limits_as_wide_as_the_data(tmp_path):
    facts = space(EpisodeStore.open(robot_play(tmp_path / "d", [wandering(0, 500, 0.1)])))
    waist = facts["actions"]["waist"]
    assert waist["high"] < joint_limits()["waist"].upper and waist["low"] > joint_limits()["waist"].lower
    assert waist["share"] < 0.4


def test_a_state_that_names_the_hand_needs_no_robot(make_dataset, tmp_path, tiny):
    spec = EnvironmentSpec(
        "test", "t", ObservationSpec(("hand_x", "hand_y", "hand_z"), ("m",) * 3),
        ActionSpec(("dx", "dy"), ("1", "1"), (-1.0, -1.0), (1.0, 1.0)), 10.0, 100,
    )  # fmt: skip
    points = np.array([[0.05, 0.05, 0.05], [0.05, 0.05, 0.05], [0.25, 0.05, 0.05], [0.25, 0.05, 0.051]], np.float32)
    actions = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], np.float32)
    with StoreWriter(tmp_path / "d", DatasetInfo(spec, "mixed", {}), actions=True) as writer:
        writer.append(Episode({"state": points}, actions, np.zeros(3, np.float32), np.zeros(3, bool)))
    facts = space(EpisodeStore.open(tmp_path / "d"))
    assert facts["workspace"]["visited"] == 2
    assert facts["workspace"]["share"] is None  # nobody knows what it could reach
    assert facts["rest"] == pytest.approx(1 / 3)  # the last step is 1 mm in 0.1 s
    assert facts["actions"]["dx"]["share"] == pytest.approx(3 / 20)
    assert "advice" not in describe(tmp_path / "d")


def test_an_action_that_only_goes_one_way_is_told_the_other(tmp_path):
    arm = wandering(0, 1000, 0.5)
    arm[:, 0] = np.abs(arm[:, 0])  # the waist never turns to the right
    lines = describe(robot_play(tmp_path / "d", [arm]))["advice"]
    assert any(line.startswith("move waist also below") for line in lines), lines
    assert any("right" in line for line in lines if line.startswith("go more to")), lines


def test_grasps_are_counted_and_asked_for(tmp_path):
    arm = [wandering(s, 600, 0.8) for s in range(2)]
    gap = np.where(np.arange(601) // 100 % 2, 0.04, 0.07)  # open, closed, open, closed, open, closed, open
    facts = describe(robot_play(tmp_path / "d", arm, gripper=gap))
    assert facts["space"]["grasps"] == 6
    still = describe(robot_play(tmp_path / "still", arm))
    assert "close and open the gripper more often: it closed 0 times in 2.0 min" in still["advice"]


def test_the_places_of_an_expert_that_play_does_not_visit_are_named(tmp_path):
    play = robot_play(tmp_path / "play", [wandering(0, 800, 0.1)])
    expert = robot_play(tmp_path / "expert", [np.tile([1.2, 0.3, 0.2, 0.0, 0.3, 0.0], (50, 1))], kind="expert")
    facts = describe(play, expert, {str(expert): "bags/expert"})
    place = facts["against"]["workspace"]
    assert place["share"] == 0.0
    where = end_effector_pose([1.2, 0.3, 0.2, 0.0, 0.3, 0.0])[:3, 3]
    np.testing.assert_allclose(place["missing_centre"], where, atol=0.0251)
    assert facts["advice"][0].startswith("go where expert data of bags/expert go: 100% of their steps")
    assert describe(play, play)["against"]["workspace"]["share"] > 0.9


def test_sound_play_is_told_so_and_no_episodes_nothing():
    sound = {"minutes": 1.0, "workspace": {"regions": {"far left, low": 0.8}}, "rest": 0.1, "grasps": 9}
    assert advice(sound) == ["nothing stands out: more of the same"]
    assert advice({}) == []
    assert advice({**sound, "rest": 0.5})[0] == "keep moving: the arm rests in 50% of the steps"


def test_the_box_is_the_arm_drivers_default():
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    import inspect

    from clam_arm import arm_driver
    from clam_core.safety.limits import WORKSPACE_LOWER, WORKSPACE_UPPER

    source = inspect.getsource(arm_driver)
    assert '"workspace_lower", list(WORKSPACE_LOWER)' in source and tuple(BOX[0]) == WORKSPACE_LOWER
    assert '"workspace_upper", list(WORKSPACE_UPPER)' in source and tuple(BOX[1]) == WORKSPACE_UPPER


def test_bags_are_inspected_without_being_imported_first(tmp_path, capsys, tiny, make_bag):
    for index in range(2):
        make_bag(tiny.episode(index), kind="play").write(tmp_path / f"bags/episode_{index}")
    (tmp_path / "bags/episode_9").mkdir()
    (tmp_path / "bags/episode_9/episode_9.mcap").write_bytes(b"this is no bag")
    page = tmp_path / "page.html"
    assert main(["inspect", str(tmp_path / "bags"), "--html", str(page)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{tmp_path / 'bags'}: play data")
    assert "coverage of" in text and "do more of" in text and "note: rejected episode_9" in text
    assert str(tmp_path / "bags") in page.read_text() and "Do more of" in page.read_text()
    assert main(["inspect", str(tmp_path / "bags"), "--against", str(tmp_path / "bags"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["path"] == facts["against"]["path"] == str(tmp_path / "bags")
    assert facts["episodes"] == 2


def test_a_robots_bags_are_resampled_to_be_inspected(tmp_path, capsys, tiny, make_bag):
    bag = make_bag(tiny.episode(0, steps=60), simulated=False, rate=50.0, kind="play", success=False)
    bag.commands = bag.commands[::2]
    bag.write(tmp_path / "bag")
    assert main(["inspect", str(tmp_path / "bag"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rate"] == 10.0 and facts["has_actions"] and facts["remarks"] == ["resampled to 10 Hz"]


def test_bags_without_commands_are_inspected_without_actions(tmp_path, capsys, tiny, make_bag):
    bag = make_bag(tiny.episode(0))
    bag.commands = []
    bag.write(tmp_path / "bag")
    assert main(["inspect", str(tmp_path / "bag"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert not facts["has_actions"] and "without actions" in facts["remarks"][0]
