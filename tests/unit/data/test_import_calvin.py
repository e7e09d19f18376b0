import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from clam_core.data.importers import open_source
from clam_core.data.importers.numpy_object import load_object
from clam_core.data.importing import EpisodeError, ImportOptions, check_episode, import_all
from clam_core.envs.calvin_spec import STATE_NAMES
from clam_core.errors import ClamError


def frame(number):
    """One time step as CALVIN stores it; every number tells which frame it is of."""
    rng = np.random.default_rng(number)
    relative = rng.uniform(-1, 1, 7).astype(np.float32)
    relative[6] = np.sign(relative[6])
    return {
        "actions": rng.normal(size=7).astype(np.float32),
        "rel_actions": relative,
        "robot_obs": (number + np.arange(15) / 100).astype(np.float32),
        "scene_obs": (number + np.arange(24) / 100).astype(np.float32),
        "rgb_static": np.full((200, 200, 3), number % 256, dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 255, (84, 84, 3), dtype=np.uint8),
        "depth_gripper": np.zeros((84, 84), dtype=np.float32),
    }


class Split:
    """A split of two recordings, frames 10–24 and 30–45, with three annotated segments; tests spoil it."""

    def __init__(self, path: Path, digits=7):
        self.path, self.digits = path, digits
        (path / "lang_annotations").mkdir(parents=True)
        for number in (*range(10, 25), *range(30, 46)):
            self.write(number, frame(number))
        np.save(path / "ep_start_end_ids.npy", np.array([[10, 24], [30, 45]]))
        self.annotate(
            {
                "language": {
                    "ann": ["shut it", "slide it", "push the drawer"],
                    "task": ["close_drawer", "move_slider_left", "close_drawer"],
                    "emb": np.zeros((3, 1, 384), dtype=np.float32),
                },
                "info": {"indx": [(10, 20), (12, 24), (np.int64(30), np.int64(40))], "episodes": []},
            }
        )

    def file(self, number):
        return self.path / f"episode_{number:0{self.digits}d}.npz"

    def write(self, number, arrays):
        np.savez_compressed(self.file(number), **arrays)

    def annotate(self, content):
        np.save(self.path / "lang_annotations" / "auto_lang_ann.npy", content)

    def open(self, **options):
        return open_source("calvin", self.path, ImportOptions(**options))


@pytest.fixture
def split(tmp_path):
    return Split(tmp_path / "task_D_D" / "training")


def test_play_becomes_episodes_of_consecutive_frames(split):
    source = split.open(cameras=())
    assert source.names() == ["frames 10-24", "frames 30-45"]
    assert (source.info.kind, source.info.spec.task, source.info.spec.rate) == ("play", "play", 30.0)
    assert source.info.spec.observation.names == STATE_NAMES
    episode, _ = source.read("frames 30-45")
    check_episode(episode, source.info.spec, actions=True)
    assert len(episode) == 15
    np.testing.assert_array_equal(episode.observations["state"][:, 0], np.arange(30, 46))
    np.testing.assert_array_equal(episode.observations["state"][3], [*frame(33)["robot_obs"], *frame(33)["scene_obs"]])
    np.testing.assert_array_equal(episode.actions[3], frame(33)["rel_actions"])
    assert not episode.success


def test_annotated_segments_become_the_episodes_of_a_task(split):
    source = split.open(task="close-drawer", cameras=())
    assert source.names() == ["frames 10-19 close_drawer", "frames 30-39 close_drawer"]
    assert (source.info.kind, source.info.spec.task) == ("expert", "close-drawer")
    episode, _ = source.read("frames 30-39 close_drawer")
    assert len(episode) == 9
    assert episode.successes.tolist() == [False] * 8 + [True]
    assert episode.metadata == {"frames": [30, 39], "task": "close_drawer", "words": "push the drawer"}


@pytest.mark.parametrize(
    ("task", "count"), [("slider-left", 1), ("move_slider_left", 1), ("close_drawer", 2), ("all", 3)]
)
def test_a_task_is_found_by_each_of_its_names(split, task, count):
    assert len(split.open(task=task, cameras=()).names()) == count


def test_a_task_that_nobody_annotated_names_those_that_are(split):
    with pytest.raises(ClamError, match="did you mean 'close_drawer'"):
        split.open(task="close-drawr")


def test_images_are_resized_by_averaging(split):
    source = split.open(image_size=50)
    assert [(c.name, c.height, c.width) for c in source.info.spec.observation.cameras] == [
        ("static", 50, 50),
        ("gripper", 50, 50),
    ]
    arrays = frame(10)
    arrays["rgb_static"][:, ::2] = 0
    arrays["rgb_static"][:, 1::2] = 200
    split.write(10, arrays)
    episode, _ = source.read("frames 10-24")
    check_episode(episode, source.info.spec, actions=True)
    assert (episode.observations["static"][0] == 100).all()
    assert (episode.observations["static"][4] == 14).all()


def test_cameras_can_be_chosen_and_keep_their_size(split):
    source = split.open(cameras=("gripper",))
    episode, _ = source.read("frames 10-24")
    np.testing.assert_array_equal(episode.observations["gripper"][2], frame(12)["rgb_gripper"])
    assert "static" not in episode.observations


def test_digits_of_the_frame_numbers_are_found_out(tmp_path):
    split = Split(tmp_path / "validation", digits=6)
    assert len(split.open(cameras=()).read("frames 10-24")[0]) == 14


def test_a_long_recording_is_cut_without_losing_a_step(split):
    np.save(split.path / "ep_start_end_ids.npy", np.array([[1000, 1450]]))
    split.write(1000, frame(1000))
    names = split.open(cameras=()).names()
    assert names == ["frames 1000-1200", "frames 1200-1400", "frames 1400-1450"]


def spoil(split, number, **arrays):
    split.write(number, frame(number) | arrays)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda s: s.file(33).unlink(), "episode_0000033.npz is missing"),
        (lambda s: s.file(33).write_bytes(s.file(33).read_bytes()[:500]), "episode_0000033.npz is damaged"),
        (lambda s: s.file(33).write_bytes(b""), "episode_0000033.npz is damaged"),
        (lambda s: spoil(s, 33, robot_obs=np.full(15, np.nan, dtype=np.float32)), "'state' has nan at row 3"),
        (lambda s: spoil(s, 33, rel_actions=np.zeros(8, dtype=np.float32)), "'rel_actions' of shape"),
        (lambda s: spoil(s, 33, scene_obs=np.zeros(24, dtype=np.int64)), "'scene_obs' .*int64"),
        (lambda s: spoil(s, 33, rel_actions=np.full(7, 1.5, dtype=np.float32)), "action 'dx' is 1.5 at step 3"),
        (lambda s: spoil(s, 33, rgb_static=np.zeros((200, 200), dtype=np.uint8)), "camera 'static': image of shape"),
        (lambda s: spoil(s, 33, rgb_static=np.zeros((200, 200, 3))), "camera 'static': .*float64"),
        (lambda s: s.write(33, {"robot_obs": np.zeros(15)}), "has no scene_obs, rel_actions, rgb_static"),
        (lambda s: spoil(s, 33, robot_obs=np.array([None] * 15)), "episode_0000033.npz is damaged"),
    ],
)
def test_a_bad_frame_costs_its_episode_and_no_other(split, damage, why, tmp_path):
    damage(split)
    report = import_all(split.open(image_size=8), tmp_path / "out", actions=True)
    assert report.kept == ("frames 10-24",)
    ((name, reason),) = report.rejected
    assert name == "frames 30-45"
    assert re.search(why, reason)
    assert "\n" not in reason


def test_nothing_readable_is_one_clear_line(split):
    for file in split.path.glob("episode_*.npz"):
        file.write_bytes(b"PK")
    with pytest.raises(ClamError, match=r"can be read .*damaged"):
        split.open()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (np.array([10, 24]), "expected pairs"),
        (np.array([[24, 10]]), "ends before it begins"),
        (np.array([[0.5, 1.5]]), "expected pairs"),
        (np.array([{}], dtype=object), "damaged"),
    ],
)
def test_a_bad_index_is_refused(split, content, why):
    np.save(split.path / "ep_start_end_ids.npy", content)
    with pytest.raises(ClamError, match=why):
        split.open()


def test_the_parent_folder_names_the_split_to_give(split):
    with pytest.raises(ClamError, match=r"give one split of it: .*training"):
        open_source("calvin", split.path.parent, ImportOptions())
    with pytest.raises(ClamError, match=r"no episode_\*.npz"):
        open_source("calvin", split.path / "lang_annotations", ImportOptions())
    with pytest.raises(ClamError, match="no folder"):
        open_source("calvin", split.path / "nowhere", ImportOptions())


def test_missing_index_files_are_named(split):
    (split.path / "ep_start_end_ids.npy").unlink()
    (split.path / "lang_annotations" / "auto_lang_ann.npy").unlink()
    with pytest.raises(ClamError, match=r"ep_start_end_ids.npy"):
        split.open()
    with pytest.raises(ClamError, match=r"auto_lang_ann.npy"):
        split.open(task="close-drawer")


class Malicious:
    """Runs a command when a pickle with it is loaded as pickles usually are."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_annotations_cannot_run_anything(split, tmp_path):
    trace = tmp_path / "trace"
    split.annotate({"language": {"ann": Malicious(trace), "task": []}, "info": {"indx": []}})
    with pytest.raises(ClamError, match=r"would call posix.system") as error:
        split.open(task="close-drawer")
    assert "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize("name", [b"cbuiltins\neval\n", b"cnumpy\nload\n", b"cnumpy.core.multiarray\nfromfile\n"])
def test_no_name_is_let_through_that_could_do_harm(tmp_path, name):
    file = tmp_path / "a.npy"
    np.save(file, np.array({}, dtype=object))
    header = file.read_bytes()[:128]
    assert pickle.loads(file.read_bytes()[128:]) == np.array({}, dtype=object)
    file.write_bytes(header + b"\x80\x03" + name + b"X\x01\x00\x00\x001\x85R.")
    with pytest.raises(ClamError, match="would call"):
        load_object(file)


def test_an_object_survives_as_numpy_1_and_2_write_it(tmp_path):
    file = tmp_path / "a.npy"
    thing = {"a": np.arange(6.0).reshape(2, 3), "b": [("x", 1), {2}], "c": np.float32(0.5), "d": np.array(["u", "v"])}
    np.save(file, thing)
    written = file.read_bytes()
    old, new = b"numpy.core.multiarray", b"numpy._core.multiarray"
    for one, other in ((old, new), (new, old)):
        if one in written:  # as the other NumPy names it; protocol 3, because its names have no lengths
            frames = pickle.dumps(np.array(thing, dtype=object), protocol=3).replace(one, other)
            (tmp_path / "b.npy").write_bytes(written[:128] + frames)
    for path in (file, tmp_path / "b.npy"):
        loaded = load_object(path)
        np.testing.assert_array_equal(loaded["a"], thing["a"])
        assert (loaded["b"], loaded["c"], loaded["d"].tolist()) == (thing["b"], 0.5, ["u", "v"])


def test_truncated_annotations_are_refused(split):
    file = split.path / "lang_annotations" / "auto_lang_ann.npy"
    whole = file.read_bytes()
    for length in (0, 50, 130, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ClamError, match="damaged"):
            split.open(task="close-drawer")


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"language": {"task": ["a"], "ann": ["b"]}, "info": {}},
        {"language": {"task": ["a"], "ann": ["b"]}, "info": {"indx": [(1, 2), (3, 4)]}},
        {"language": {"task": ["a"], "ann": ["b"]}, "info": {"indx": [(1, 2, 3)]}},
    ],
)
def test_annotations_of_another_shape_are_refused(split, content):
    split.annotate(content)
    with pytest.raises(ClamError, match=r"auto_lang_ann.npy"):
        split.open(task="close-drawer")


def test_an_empty_segment_is_rejected_with_its_reason(split):
    split.annotate(
        {"language": {"task": ["close_drawer"] * 2, "ann": ["a", "b"]}, "info": {"indx": [(10, 20), (12, 12)]}}
    )
    source = split.open(task="close-drawer", cameras=())
    with pytest.raises(EpisodeError, match="no frame"):
        source.read(source.names()[1])


def test_another_environment_is_refused(split):
    with pytest.raises(ClamError, match="leave --env out"):
        split.open(env="metaworld")
