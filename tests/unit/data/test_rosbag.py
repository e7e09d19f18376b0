import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from clam_core.cli import main
from clam_core.data.importing import ImportOptions
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError


def import_one(bag, tmp_path, **options):
    """Import a single bag and return the store."""
    report = import_rosbag(bag.write(tmp_path / "bag"), tmp_path / "out", ImportOptions(**options))
    return report, EpisodeStore.open(tmp_path / "out", actions=options.get("actions", True))


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_lockstep_episode_comes_back_number_for_number(tmp_path, tiny, make_bag, storage):
    episode = tiny.episode(3, success=True)
    bag = make_bag(episode, kind="expert", env="robot", task="wave")
    bag.storage = storage
    report, store = import_one(bag, tmp_path)
    assert report.kept == ("bag",)
    assert report.rejected == ()
    found = store.episode(0)
    np.testing.assert_array_equal(found.observations["state"], episode.observations["state"])
    np.testing.assert_array_equal(found.actions, episode.actions)
    np.testing.assert_array_equal(found.rewards, episode.rewards)
    np.testing.assert_array_equal(found.successes, episode.successes)
    assert found.seed == 3
    spec = store.info.spec
    assert (spec.env, spec.task, store.info.kind) == ("robot", "wave", "expert")
    assert (spec.observation.names, spec.action.names) == (("a", "b", "c"), ("u", "v"))
    assert spec.rate == pytest.approx(20.0)
    assert len(found.metadata["sha256"]) == 64


def test_repeated_messages_of_lockstep_are_one_step(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0))
    bag.states.insert(4, (*bag.states[4], bag.states[4][0] + 10))
    bag.commands.insert(4, (*bag.commands[4], bag.commands[4][0] + 10))
    _, store = import_one(bag, tmp_path)
    np.testing.assert_array_equal(store.episode(0).actions, tiny.episode(0).actions)


def test_values_are_taken_by_name_not_by_position(tmp_path, tiny, make_bag):
    sound = make_bag(tiny.episode(0))
    sound.write(tmp_path / "bags" / "episode_0000")
    shuffled = make_bag(tiny.episode(1))
    shuffled.states = [(s, (names[1], names[0], *names[2:]), (v[1], v[0], *v[2:])) for s, names, v in shuffled.states]
    shuffled.commands = [(s, names[::-1], np.asarray(v)[::-1]) for s, names, v in shuffled.commands]
    shuffled.write(tmp_path / "bags" / "episode_0001")
    import_rosbag(tmp_path / "bags", tmp_path / "out")
    found = EpisodeStore.open(tmp_path / "out").episode(1)
    np.testing.assert_array_equal(found.observations["state"], tiny.episode(1).observations["state"])
    np.testing.assert_array_equal(found.actions, tiny.episode(1).actions)


def test_no_actions_makes_an_unlabeled_dataset_even_of_labeled_bags(tmp_path, tiny, make_bag):
    make_bag(tiny.episode(0)).write(tmp_path / "bag")
    import_rosbag(tmp_path / "bag", tmp_path / "out", ImportOptions(actions=False))
    assert not (tmp_path / "out" / "data" / "action").exists()


def test_bags_without_commands_import_unlabeled(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0))
    bag.commands = []
    report = import_rosbag(bag.write(tmp_path / "bag"), tmp_path / "out", ImportOptions(actions=False))
    assert report.transitions == 10


def test_a_robot_without_in_band_fields_is_aligned_to_the_nearest_observation(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0), simulated=False, success=True, seed=5)
    bag.commands = [(stamp + 20_000_000, *rest) for stamp, *rest in bag.commands]  # 20 of 25 ms tolerance
    _, store = import_one(bag, tmp_path)
    np.testing.assert_array_equal(store.episode(0).actions, tiny.episode(0).actions)
    assert store.episode_success.tolist() == [True]
    assert store.episode_seeds.tolist() == [5]


def test_commands_without_a_stamp_go_by_arrival(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0), simulated=False)
    bag.commands = [(0, names, values, stamp + 5) for stamp, names, values in bag.commands]
    _, store = import_one(bag, tmp_path)
    np.testing.assert_array_equal(store.episode(0).actions, tiny.episode(0).actions)


def test_a_robot_demonstration_of_unknown_success_is_kept_and_said_to_be(tmp_path, tiny, make_bag):
    report, store = import_one(make_bag(tiny.episode(0), simulated=False, kind="expert"), tmp_path)
    assert report.kept == ("bag",)
    assert any("success unknown" in note for _, note in report.notes)
    assert store.episode_success.tolist() == [False]


def test_a_bag_mended_by_its_recorder_is_reported_as_recovered(tmp_path, tiny, make_bag):
    report, _ = import_one(make_bag(tiny.episode(0), complete=False), tmp_path)
    assert report.recovered == ("bag",)


def spoil_stamps(bag):
    # Stamps that go back while the recorder's clock goes on.
    stamp, *rest = bag.states[5]
    bag.states[5] = (bag.states[3][0] + 1, *rest, stamp)


def spoil_step(bag):
    del bag.states[5]


def spoil_start(bag):
    del bag.states[0]


def spoil_nan(bag):
    bag.states[5][2][1] = float("nan")


def spoil_names(bag):
    stamp, names, values = bag.states[5]
    bag.states[5] = (stamp, ("a", "b", "z", *names[3:]), values)


def spoil_command_names(bag):
    bag.commands = [(stamp, ("u", "w"), values) for stamp, _, values in bag.commands]


def spoil_commands(bag):
    bag.commands = []


def spoil_command(bag):
    del bag.commands[4]


def spoil_limit(bag):
    bag.commands[4] = (*bag.commands[4][:2], [0.0, 7.5])


def spoil_action_nan(bag):
    bag.commands[4] = (*bag.commands[4][:2], [0.0, float("nan")])


def spoil_status(bag):
    bag.statuses = []


def spoil_one_status(bag):
    del bag.statuses[6]


def spoil_end(bag):
    bag.states, bag.commands, bag.statuses = bag.states[:7], bag.commands[:6], bag.statuses[:7]


def spoil_index(bag):
    bag.states[6][2][3] = 1


def spoil_state(bag):
    bag.states = []


def spoil_conflict(bag):
    stamp, names, _ = bag.commands[4]
    bag.commands.append((stamp, names, [0.5, 0.5]))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_stamps, "stamps go back"),
        (spoil_step, "step 5 is missing"),
        (spoil_start, "the beginning is missing"),
        (spoil_nan, "observation 5 has nan in 'b'"),
        (spoil_names, "change at message 5: without c; with z"),
        (spoil_command_names, "without v; with w"),
        (spoil_commands, "no messages on topic '/command'; the bag has /episode/status, /observation/state"),
        (spoil_command, "no command for observation 4"),
        (spoil_limit, "action 'v' is 7.5 at step 4, limits -1 to 1"),
        (spoil_action_nan, "action 'v' is nan at step 4"),
        (spoil_status, "no messages on topic '/episode/status'"),
        (spoil_one_status, "no episode/status for step 6"),
        (spoil_end, "not finished: it stops at step 6"),
        (spoil_index, "2 episodes in one bag"),
        (spoil_state, "no messages on topic '/observation/state'; the bag has /command, /episode/status"),
        (spoil_conflict, "two different messages of command"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_bag_is_rejected_with_its_reason_and_the_good_one_kept(tmp_path, tiny, make_bag, monkeypatch, spoil, why):
    known = tiny.spec()
    monkeypatch.setattr("clam_core.data.rosbag.ENVS", {"robot": ""})
    monkeypatch.setattr("clam_core.data.rosbag.make_env", lambda env, task: _Described(known))
    bags = tmp_path / "bags"
    make_bag(tiny.episode(0), env="robot", task="wave").write(bags / "good")
    bad = make_bag(tiny.episode(1), env="robot", task="wave")
    spoil(bad)
    bad.write(bags / "bad")
    report = import_rosbag(bags, tmp_path / "out")
    assert report.kept == ("good",)
    assert [bag for bag, _ in report.rejected] == ["bad"]
    assert why in report.rejected[0][1]
    assert "\n" not in report.rejected[0][1]
    store = EpisodeStore.open(tmp_path / "out")
    assert store.num_episodes == 1
    assert store.info.provenance["rejected"] == [{"episode": "bad", "why": report.rejected[0][1]}]


class _Described:
    """Stands for an environment that only has a spec."""

    def __init__(self, spec):
        self.spec = spec

    def close(self):
        pass


@pytest.mark.parametrize(
    ("gap", "why"),
    [(1, "a robot's recording wants --rate"), (None, "observations come at 10.00 Hz, expected 20.00 Hz")],
)
def test_a_robot_recording_with_dropped_frames_is_rejected(tmp_path, tiny, make_bag, gap, why):
    bags = tmp_path / "bags"
    for i in range(2):
        make_bag(tiny.episode(i), simulated=False).write(bags / f"good{i}")
    bad = make_bag(tiny.episode(2), simulated=False, rate=20.0 if gap else 10.0)
    if gap:
        del bad.states[5]
    bad.write(bags / "bad")
    report = import_rosbag(bags, tmp_path / "out", ImportOptions(actions=False))
    assert report.kept == ("good0", "good1")
    assert why in report.rejected[0][1]


def test_a_recorder_that_dropped_messages_is_not_believed_without_in_band_steps(tmp_path, tiny, make_bag):
    make_bag(tiny.episode(0), simulated=False, dropped=2).write(tmp_path / "bag")
    with pytest.raises(ClamError, match="recorder dropped 2 messages"):
        import_rosbag(tmp_path / "bag", tmp_path / "out")


def test_what_a_full_disk_lost_at_the_end_is_a_remark(tmp_path, tiny, make_bag):
    ended = {
        "complete": False,
        "ended": "cannot write to 'b' (No space left on device)",
        "dropped": 0,
        "lost_at_end": 9,
    }
    make_bag(tiny.episode(0), simulated=False, **ended).write(tmp_path / "bag")
    report = import_rosbag(tmp_path / "bag", tmp_path / "out")
    assert report.kept == ("bag",)
    assert any("(No space left on device); 9 messages at its end are lost" in note for _, note in report.notes)


@pytest.mark.parametrize(("kind", "success"), [("play", True), ("expert", False)])
def test_an_episode_that_does_not_belong_to_its_kind_is_rejected(tmp_path, tiny, make_bag, kind, success):
    bags = tmp_path / "bags"
    make_bag(tiny.episode(0, success=not success), kind=kind).write(bags / "good")
    make_bag(tiny.episode(1, success=success), kind=kind).write(bags / "bad")
    report = import_rosbag(bags, tmp_path / "out")
    assert report.kept == ("good",)
    assert f"does not belong into {kind} data" in report.rejected[0][1]
    assert EpisodeStore.open(tmp_path / "out").episode_success.tolist() == [not success]


def test_corrupt_bags_are_rejected(tmp_path, tiny, make_bag):
    bags = tmp_path / "bags"
    make_bag(tiny.episode(0)).write(bags / "good")
    for name, storage, suffix in (("a", StoragePlugin.MCAP, "mcap"), ("b", StoragePlugin.SQLITE3, "db3")):
        bag = make_bag(tiny.episode(1))
        bag.storage = storage
        file = bag.write(bags / name) / f"{name}.{suffix}"
        file.write_bytes(file.read_bytes()[:60])
    (bags / "c").mkdir()
    (bags / "c" / "c.mcap").write_bytes(b"this is no bag")
    report = import_rosbag(bags, tmp_path / "out")
    assert report.kept == ("good",)
    assert [bag for bag, _ in report.rejected] == ["a", "b", "c"]


def test_no_sound_bag_is_an_error_and_leaves_nothing(tmp_path, tiny, make_bag):
    bag = make_bag(tiny.episode(0))
    spoil_step(bag)
    bag.write(tmp_path / "bags" / "episode_0000")
    with pytest.raises(ClamError, match="episode_0000: step 5 is missing"):
        import_rosbag(tmp_path / "bags", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["bags"]


def test_bags_of_several_kinds_or_tasks_are_not_mixed(tmp_path, tiny, make_bag):
    for i, kind in enumerate(("play", "mixed")):
        make_bag(tiny.episode(i), kind=kind).write(tmp_path / "bags" / kind)
    with pytest.raises(ClamError, match="more than one kind"):
        import_rosbag(tmp_path / "bags", tmp_path / "out")


def test_missing_source_and_unknown_environment(tmp_path, tiny, make_bag):
    with pytest.raises(ClamError, match="no folder at"):
        import_rosbag(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClamError, match="no rosbag2 folder in"):
        import_rosbag(tmp_path / "empty", tmp_path / "out")
    make_bag(tiny.episode(0)).write(tmp_path / "bag")
    with pytest.raises(ClamError, match="did you mean 'metaworld'"):
        import_rosbag(tmp_path / "bag", tmp_path / "out", ImportOptions(env="metawrld", task="assembly"))
    with pytest.raises(ClamError, match="without a task"):
        import_rosbag(tmp_path / "bag", tmp_path / "out", ImportOptions(env="metaworld"))
    with pytest.raises(ClamError, match="names in '/observation/state' are not those expected"):
        import_rosbag(tmp_path / "bag", tmp_path / "out", ImportOptions(env="gym", task="Pendulum-v1"))


def test_a_killed_recorder_whose_episode_is_whole_is_kept(tmp_path, tiny, make_bag):
    bags = tmp_path / "bags"
    make_bag(tiny.episode(0)).write(bags / "whole", finish=False, flush_every=1)
    make_bag(tiny.episode(1)).write(bags / "cut", finish=False, flush_every=10)
    before = (bags / "whole" / "whole.mcap").read_bytes()
    report = import_rosbag(bags, tmp_path / "out")
    assert report.kept == report.recovered == ("whole",)
    assert report.rejected[0][0] == "cut"
    found = EpisodeStore.open(tmp_path / "out").episode(0)
    np.testing.assert_array_equal(found.actions, tiny.episode(0).actions)
    assert (bags / "whole" / "whole.mcap").read_bytes() == before  # importing changes no recording


def test_an_episode_recorded_twice_is_imported_once_and_said_to_be(tmp_path, tiny, make_bag, capsys):
    for number, seed in enumerate((3, 4, 3)):
        make_bag(tiny.episode(seed), kind="play").write(tmp_path / "bags" / f"episode_{number:04d}")
    assert main(["import", "rosbag", str(tmp_path / "bags"), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().out
    assert "rejected episode_0002: duplicate of episode_0000: same env, task, kind, seed 3 and states" in said
    store = EpisodeStore.open(tmp_path / "out")
    assert store.episode_seeds.tolist() == [3, 4]
    assert [one["episode"] for one in store.info.provenance["rejected"]] == ["episode_0002"]


def test_an_episode_that_was_cut_short_does_not_stand_in_the_way_of_its_repetition(tmp_path, tiny, make_bag):
    cut = make_bag(tiny.episode(3), kind="play", complete=False)
    cut.states, cut.commands, cut.statuses = cut.states[:5], cut.commands[:5], cut.statuses[:5]
    cut.write(tmp_path / "bags" / "episode_0000")
    make_bag(tiny.episode(3), kind="play").write(tmp_path / "bags" / "episode_0001")
    report = import_rosbag(tmp_path / "bags", tmp_path / "out")
    assert report.kept == ("episode_0001",) and "not finished" in report.rejected[0][1]


def test_a_persons_episodes_have_no_seed_and_are_all_kept(tmp_path, tiny, make_bag):
    for number in range(2):
        make_bag(tiny.episode(3), simulated=False, seed=None).write(tmp_path / "bags" / f"episode_{number:04d}")
    report = import_rosbag(tmp_path / "bags", tmp_path / "out")
    assert len(report.kept) == 2 and not report.rejected
