"""Bags with cameras: a robot with 50 Hz states, 30 Hz frames and 10 Hz commands, imported at 5 Hz."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from clam_core.data.bag_images import camera_name, camera_topics
from clam_core.data.bag_topics import Topics
from clam_core.data.importing import ImportOptions
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

START, SECOND = 10**12, 10**9
TOP, WRIST = "/camera/top/image_raw", "/camera/wrist/image_raw/compressed"
OPTIONS = ImportOptions(rate=5.0, image_size=8)


def stamps(rate, seconds=2.0, offset=0.0):
    return [START + round((offset + i / rate) * SECOND) for i in range(round(seconds * rate) + 1)]


def frame(number, height=32, width=40):
    """A picture whose brightness tells its number."""
    image = np.full((height, width, 3), (4 * number) % 256, dtype=np.uint8)
    image[:, : width // 2, 0] = 255  # the left half is red: channels in the wrong order would show
    return image


def jpeg(image):
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.fixture
def robot(make_bag, tiny):
    """A sound bag; state a counts the messages, so what was chosen shows."""

    def make(**description):
        bag = make_bag(tiny.episode(0), simulated=False, success=True, kind="expert", **description)
        bag.states = [(stamp, ("a", "b", "c"), [i, 0.0, 1.0]) for i, stamp in enumerate(stamps(50))]
        bag.commands = [(stamp, ("u", "v"), [i / 100, 0.5]) for i, stamp in enumerate(stamps(10, offset=0.01))]
        bag.images = {
            TOP: [(stamp, "rgb8", frame(i)) for i, stamp in enumerate(stamps(30, offset=0.005))],
            WRIST: [(stamp, "jpeg", jpeg(frame(i))) for i, stamp in enumerate(stamps(30, offset=0.012))],
        }
        return bag

    return make


def import_one(bag, tmp_path, options=OPTIONS, **more):
    report = import_rosbag(bag.write(tmp_path / "bag"), tmp_path / "out", options, **more)
    return report, EpisodeStore.open(tmp_path / "out", actions=options.actions)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_streams_of_other_rates_meet_at_the_policy_s(tmp_path, robot, storage):
    bag = robot()
    bag.storage = storage
    report, store = import_one(bag, tmp_path)
    assert report.kept == ("bag",) and store.info.spec.rate == 5.0
    assert [(c.name, c.height, c.width) for c in store.info.spec.observation.cameras] == [
        ("top", 8, 8), ("wrist", 8, 8)
    ]  # fmt: skip
    episode = store.episode(0)
    assert len(episode) == 9  # from 12 ms, when the last camera starts, to 2 s, when the state stops
    np.testing.assert_allclose(episode.stamps, np.arange(10) / 5, atol=1e-9)
    ticks = 0.012 + np.arange(10) / 5
    np.testing.assert_array_equal(episode.observations["state"][:, 0], np.round(ticks * 50))
    np.testing.assert_allclose(episode.actions[:, 0], (np.round((ticks[:-1] - 0.01) * 10) + 1) / 100, atol=1e-6)
    for name, offset, tolerance in (("top", 0.005, 0), ("wrist", 0.012, 3)):
        numbers = np.round((ticks - offset) * 30).astype(int)
        expected = np.stack([cv2.resize(frame(n), (8, 8), interpolation=cv2.INTER_AREA) for n in numbers])
        difference = np.abs(episode.observations[name].astype(int) - expected)
        assert difference[:, :, [0, 1, 6, 7]].max() <= tolerance  # JPEG blurs the colour edge in the middle
    timing = episode.metadata["timing"]
    assert timing[TOP]["rate"] == pytest.approx(30, rel=1e-3)
    assert timing[TOP]["dropped"] == 0 and 0 < timing[TOP]["skew"]["max"] <= 1 / 60 + 1e-6
    assert timing["/observation/state"]["rate"] == pytest.approx(50, rel=1e-3)


def test_images_keep_their_size_without_one_asked_for(tmp_path, robot):
    _, store = import_one(robot(), tmp_path, ImportOptions(rate=5.0, cameras=("top",)))
    assert [(c.name, c.height, c.width) for c in store.info.spec.observation.cameras] == [("top", 32, 40)]
    ticks = 0.005 + np.arange(store.num_rows) / 5
    numbers = np.round((ticks - 0.005) * 30).astype(int)
    np.testing.assert_array_equal(store.episode(0).observations["top"], np.stack([frame(n) for n in numbers]))


@pytest.mark.parametrize(
    ("encoding", "convert"),
    [
        ("bgr8", lambda image: image[..., ::-1]),
        ("rgba8", lambda image: np.concatenate([image, image[..., :1]], axis=-1)),
        ("bgra8", lambda image: np.concatenate([image[..., ::-1], image[..., :1]], axis=-1)),
    ],
)
def test_encodings_become_rgb(tmp_path, robot, encoding, convert):
    bag = robot()
    bag.images = {TOP: [(stamp, encoding, convert(image)) for stamp, _, image in bag.images[TOP]]}
    _, store = import_one(bag, tmp_path, ImportOptions(rate=5.0))
    np.testing.assert_array_equal(store.episode(0).observations["top"][0], frame(0))


def test_gray_becomes_rgb(tmp_path, robot):
    bag = robot()
    bag.images = {TOP: [(stamp, "mono8", image[..., 1:2]) for stamp, _, image in bag.images[TOP]]}
    _, store = import_one(bag, tmp_path, ImportOptions(rate=5.0))
    image = store.episode(0).observations["top"][3]
    assert (image == image[:1, :1, :1]).all() and image[0, 0, 0] == 4 * 18


def test_a_slow_camera_repeats_its_frames_and_that_is_said(tmp_path, robot):
    bag = robot()
    bag.images = {TOP: [row for i, row in enumerate(bag.images[TOP]) if i % 12 == 0]}  # 2.5 Hz
    report, store = import_one(bag, tmp_path, replace(OPTIONS, rate=5.0), tolerance=0.21)
    assert any("steps show the message of '/camera/top" in note for _, note in report.notes)
    assert store.episode(0).metadata["timing"][TOP]["repeated"] >= 4


def drop_frames(bag):
    del bag.images[TOP][20:35]


def drop_one_frame(bag):
    del bag.images[TOP][21]


def zero_stamp(bag):
    bag.images[TOP][7] = (0, *bag.images[TOP][7][1:], bag.images[TOP][7][0])


def backward_stamp(bag):
    bag.images[TOP][7] = (bag.images[TOP][5][0], *bag.images[TOP][7][1:], bag.images[TOP][7][0])


def jumping_clock(bag):
    rows = bag.images[TOP]
    bag.images[TOP] = [(s + (SECOND // 2) * (i >= 30), *rest, s) for i, (s, *rest) in enumerate(rows)]


def no_camera(bag):
    del bag.images[TOP]


def broken_jpeg(bag):
    stamp, encoding, _ = bag.images[WRIST][0]
    bag.images[WRIST][0] = (stamp, encoding, b"\xff\xd8\xff\xe0 not a picture")


def depth(bag):
    bag.images[TOP] = [(s, "16UC1", np.zeros((4, 4, 2), np.uint8)) for s, *_ in bag.images[TOP]]


def state_gap(bag):
    del bag.states[40:70]


def late_state(bag):
    bag.states = [(s + 3 * SECOND, *rest) for s, *rest in bag.states]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (drop_frames, r"no message of '/camera/top/image_raw' within 0.100 s of step 4 \(nearest 0.1"),
        (zero_stamp, "message 7 of '/camera/top/image_raw' has stamp 0"),
        (backward_stamp, "stamps of '/camera/top/image_raw' go back after message 6"),
        (jumping_clock, "clock of '/camera/top/image_raw' jumps by 0.50 s near message 30"),
        (no_camera, "no images of camera 'top'; the bag has "),
        (broken_jpeg, "frame at 1000.012000000 s of '/camera/wrist.*cannot be decoded"),
        (depth, "encoding '16UC1' is not one of rgb8"),
        (state_gap, "no message of '/observation/state' within 0.100 s of step"),
        (late_state, "its streams share 0.000 s, less than a period at 5 Hz"),
    ],
)
def test_a_bad_bag_is_rejected_with_its_reason(tmp_path, robot, spoil, why):
    for name in ("good_1", "good_2"):
        robot().write(tmp_path / "bags" / name)
    bad = robot()
    spoil(bad)
    bad.write(tmp_path / "bags" / "bad")
    report = import_rosbag(tmp_path / "bags", tmp_path / "out", OPTIONS)
    assert report.kept == ("good_1", "good_2")
    ((name, reason),) = report.rejected
    assert name == "bad" and "\n" not in reason
    assert re.search(why, reason), reason


def test_a_recorder_that_is_held_up_is_no_clock_jump(tmp_path, robot):
    bag = robot()
    held = START + 7 * SECOND // 5
    bag.states = [(s, *rest, max(s, held) if s >= START + SECOND else s) for s, *rest in bag.states]
    report, _ = import_one(bag, tmp_path)
    assert report.kept == ("bag",)


def test_commands_share_the_time_and_the_tolerance(tmp_path, robot):
    bag = robot()
    bag.images = {}
    bag.commands = [row for row in bag.commands if row[0] >= START + SECOND]  # teleoperation begins late
    _, store = import_one(bag, tmp_path)
    assert len(store.episode(0)) == 4  # from 1.01 s to 2 s, at 5 Hz
    slow = robot()
    slow.commands = slow.commands[::4]  # 2.5 Hz
    with pytest.raises(ClamError, match=r"no message of '/command' from 0.100 s before step 1 to its end"):
        import_rosbag(slow.write(tmp_path / "slow"), tmp_path / "rejected", OPTIONS)
    import_rosbag(tmp_path / "slow", tmp_path / "kept", OPTIONS, tolerance=0.25)
    with pytest.raises(ClamError, match=r"no message of .* within 0.001 s"):
        import_rosbag(tmp_path / "slow", tmp_path / "rejected", OPTIONS, tolerance=0.001)


def test_a_simulator_s_steps_are_not_resampled(tmp_path, make_bag, tiny):
    with pytest.raises(ClamError, match=r"a simulator's steps come at 20.00 Hz, not 5; leave --rate out"):
        import_one(make_bag(tiny.episode(0)), tmp_path, ImportOptions(rate=5.0))


def test_bags_that_hold_no_state_or_no_names_are_told(tmp_path, robot):
    bag = robot()
    bag.states = []
    with pytest.raises(ClamError, match=r"bag \(it has /camera/top/.*; see --state-topic\)"):
        import_one(bag, tmp_path)
    bag = robot()
    bag.states = [(stamp, (), []) for stamp, *_ in bag.states]
    with pytest.raises(ClamError, match="names nothing"):
        import_rosbag(bag.write(tmp_path / "nameless"), tmp_path / "out", OPTIONS)


def test_one_dropped_frame_is_a_remark(tmp_path, robot):
    bag = robot()
    drop_one_frame(bag)
    report, _ = import_one(bag, tmp_path)
    assert ("bag", "1 messages of '/camera/top/image_raw' dropped, longest gap 0.067 s") in report.notes


def test_cameras_of_a_simulator_meet_by_their_stamp(tmp_path, make_bag, tiny):
    bag = make_bag(tiny.episode(0))
    bag.images = {TOP: [(stamp, "rgb8", frame(i)) for i, (stamp, *_) in enumerate(bag.states)]}
    _, store = import_one(bag, tmp_path, ImportOptions(image_size=8))
    images = store.episode(0).observations["top"]
    assert images[:, 0, 7, 1].tolist() == [4 * i for i in range(11)]


def test_an_unknown_camera_is_named(tmp_path, robot):
    with pytest.raises(ClamError, match="no bag has a camera 'wirst': did you mean 'wrist'"):
        import_rosbag(robot().write(tmp_path / "bag"), tmp_path / "out", ImportOptions(rate=5.0, cameras=("wirst",)))
    assert not (tmp_path / "out").exists()


def test_a_camera_with_a_name_of_its_own(tmp_path, robot):
    bag = robot()
    bag.images = {"/cam17/stream": bag.images[TOP]}
    topics = Topics(cameras={"top": "/cam17/stream"})
    _, store = import_one(bag, tmp_path, replace(OPTIONS, cameras=("top",)), topics=topics)
    assert [c.name for c in store.info.spec.observation.cameras] == ["top"]


def test_which_topics_are_cameras():
    image, compressed = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
    topics = {
        "/camera/top/image_raw": image,
        "/camera/top/image_raw/compressed": compressed,
        "/wrist/color/image_rect/compressed": compressed,
        "/camera/top/depth/image_raw": image,
        "/camera/image_raw": image,
        "/joint_states": "sensor_msgs/msg/JointState",
    }
    assert camera_topics(topics) == {
        "camera": "/camera/image_raw", "top": "/camera/top/image_raw", "wrist": "/wrist/color/image_rect/compressed"
    }  # fmt: skip
    two = {"/camera/color/image_raw": image, "/camera/image_raw": image, "/left/image": image, "/camera/left": image}
    assert camera_topics(two) == {
        "camera_color": "/camera/color/image_raw", "camera": "/camera/image_raw",
        "left": "/left/image", "camera_left": "/camera/left",
    }  # fmt: skip
    flat = {"/image_raw": image, "/camera/image_raw": image, "/a/b/image": image, "/a_b/image": image}
    assert sorted(camera_topics(flat).values()) == sorted(flat)
    same = {"/camera/top/compressed": compressed, "/camera/top/image_raw": image}
    assert camera_topics(same) == {"top": "/camera/top/image_raw"}
    assert camera_name("/robot1/camera/front/color/image_raw") == "robot1_front"
