"""LeRobot datasets of versions 2.1 and 3.0, written here as LeRobot lays them out; and one that LeRobot wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clam_core.data.images import encode_png
from clam_core.data.importers import open_source
from clam_core.data.importing import EpisodeError, ImportOptions, import_all
from clam_core.data.store import EpisodeStore
from clam_core.data.videos import VideoWriter, psnr
from clam_core.errors import ClamError

LENGTHS = (5, 4)
FPS = 10
KEY = "observation.images.top"
NUMBER = {"dtype": "float32", "shape": [1], "names": None}
Edit = Callable[[dict[str, Any]], object]


def columns(index: int) -> dict[str, Any]:
    count, before = LENGTHS[index], sum(LENGTHS[:index])
    rng = np.random.default_rng(index)
    return {
        "observation.state": [rng.normal(size=3).astype(np.float32) for _ in range(count)],
        "action": [rng.uniform(-1, 1, 2).astype(np.float32) for _ in range(count)],
        "next.reward": np.arange(count, dtype=np.float32),
        "next.success": np.arange(count) == count - 1,
        "timestamp": (np.arange(count) / FPS).astype(np.float32),
        "frame_index": np.arange(count),
        "episode_index": np.full(count, index),
        "index": np.arange(count) + before,
        "task_index": np.full(count, index),
    }


def pictures(index: int) -> npt.NDArray[np.uint8]:
    """A bright square that moves with time, on a field whose shade tells the episode."""
    images = np.full((LENGTHS[index], 32, 48, 3), 60 * index, dtype=np.uint8)
    for number, image in enumerate(images):
        image[8:24, 8 * number : 8 * number + 8] = (220, 120, 40)
    return images


def features(video: bool) -> dict[str, Any]:
    return {
        "observation.state": {"dtype": "float32", "shape": [3], "names": {"motors": ["x", "y", "grip"]}},
        "action": {"dtype": "float32", "shape": [2], "names": None},
        KEY: {"dtype": "video" if video else "image", "shape": [32, 48, 3], "names": ["height", "width", "channels"]},
        "next.reward": NUMBER,
        "next.success": {**NUMBER, "dtype": "bool"},
        "timestamp": NUMBER,
        **{key: {**NUMBER, "dtype": "int64"} for key in ("frame_index", "episode_index", "index", "task_index")},
    }


def write_info(root: Path, version: str, video: bool, **more: Any) -> None:
    (root / "meta").mkdir(parents=True, exist_ok=True)
    info = {"codebase_version": version, "fps": FPS, "robot_type": "toyarm", "chunks_size": 1000}
    (root / "meta" / "info.json").write_text(json.dumps(info | {"features": features(video)} | more))


def write_21(root: Path, video: bool = False, edit: Edit = lambda rows: None) -> Path:
    """Version 2.1: a file per episode. `edit` changes the columns of episode 1."""
    data, videos = (
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "videos/{video_key}/{episode_index}.mp4",
    )
    write_info(root, "v2.1", video, data_path=data, video_path=videos)
    lines = [{"episode_index": i, "tasks": [f"task {i}"], "length": n} for i, n in enumerate(LENGTHS)]
    (root / "meta" / "episodes.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for index in range(len(LENGTHS)):
        rows = columns(index)
        if video:
            write_video(root / videos.format(video_key=KEY, episode_index=index), pictures(index))
        else:
            rows[KEY] = [{"bytes": encode_png(image), "path": "x.png"} for image in pictures(index)]
        if index == 1:
            edit(rows)
        path = root / data.format(episode_chunk=0, episode_index=index)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(rows), path)
    return root


def write_30(root: Path) -> Path:
    """Version 3.0: both episodes in one Parquet file and one video."""
    data, videos = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", "videos/{video_key}/{file_index}.mp4"
    write_info(root, "v3.0", True, data_path=data, video_path=videos)
    place = {"chunk_index": 0, "file_index": 0}
    rows = [
        {"episode_index": i, "tasks": [f"task {i}"], "length": n, "stats/action/min": [0.0]}
        | {f"data/{key}": value for key, value in place.items()}
        | {f"videos/{KEY}/{key}": value for key, value in place.items()}
        | {f"videos/{KEY}/from_timestamp": sum(LENGTHS[:i]) / FPS}
        for i, n in enumerate(LENGTHS)
    ]
    for path, table in (
        (root / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows)),
        (root / data.format(**place), pa.concat_tables([pa.table(columns(i)) for i in range(2)])),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    write_video(root / videos.format(video_key=KEY, **place), np.concatenate([pictures(0), pictures(1)]))
    return root


def write_video(path: Path, images: npt.NDArray[np.uint8]) -> None:
    writer = VideoWriter(path, *images.shape[1:3], FPS)
    for image in images:
        writer.write(image)
    writer.close()


@pytest.mark.parametrize(
    ("write", "lossless"), [(write_21, True), (lambda root: write_21(root, video=True), False), (write_30, False)]
)
def test_every_version_gives_the_same_episodes(tmp_path: Path, write: Callable[[Path], Path], lossless: bool) -> None:
    report = import_all(
        open_source("lerobot", write(tmp_path / "set"), ImportOptions()), tmp_path / "out", actions=True
    )
    store = EpisodeStore.open(tmp_path / "out")
    spec = store.info.spec
    assert report.kept == ("episode 0", "episode 1") and report.transitions == sum(LENGTHS) - 2
    assert spec.observation.names == ("x", "y", "grip") and spec.action.names == ("action0", "action1")
    assert spec.rate == FPS and spec.env == "toyarm"
    for index in range(2):
        episode, rows = store.episode(index), columns(index)
        np.testing.assert_array_equal(episode.observations["state"], rows["observation.state"])
        np.testing.assert_array_equal(episode.actions, rows["action"][:-1])
        assert episode.rewards.tolist() == list(range(LENGTHS[index] - 1))
        assert episode.successes.tolist() == [False] * (LENGTHS[index] - 2) + [True]  # the dropped row's success
        assert episode.metadata["tasks"] == [f"task {index}"]
        same = psnr(pictures(index), episode.observations["top"])
        assert same == float("inf") if lossless else same > 25  # a frame beside the right one has less than 20


def test_images_are_resized_and_cameras_chosen(tmp_path: Path) -> None:
    root = write_30(tmp_path / "set")
    source = open_source("lerobot", root, ImportOptions(image_size=16))
    assert source.read("episode 1")[0].observations["top"].shape == (LENGTHS[1], 16, 16, 3)
    assert open_source("lerobot", root, ImportOptions(cameras=())).info.spec.observation.cameras == ()
    with pytest.raises(ClamError, match="no camera 'wrist', valid: top"):
        open_source("lerobot", root, ImportOptions(cameras=("wrist",)))


def test_episodes_of_one_task_are_chosen_in_the_datasets_words(tmp_path: Path) -> None:
    root = write_21(tmp_path / "set")
    source = open_source("lerobot", root, ImportOptions(task="task 1"))
    assert source.names() == ["episode 1"] and source.info.spec.task == "task 1"
    with pytest.raises(ClamError, match="no task 'task 7', did you mean"):
        open_source("lerobot", root, ImportOptions(task="task 7"))


def test_a_dataset_without_actions_is_unlabeled_data(tmp_path: Path) -> None:
    root = write_21(tmp_path / "set", edit=lambda rows: rows.pop("action"))
    kept = import_all(open_source("lerobot", root, ImportOptions()), tmp_path / "labeled", actions=True)
    assert [why for _, why in kept.rejected] == ["without actions (import with --no-actions for an unlabeled dataset)"]
    options = ImportOptions(actions=False)
    assert len(import_all(open_source("lerobot", root, options), tmp_path / "free", actions=False).kept) == 2


def set_cell(rows: dict[str, Any], key: str, row: int, value: Any) -> None:
    rows[key] = list(rows[key])
    rows[key][row] = value


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda r: set_cell(r, "observation.state", 2, np.float32([0, np.nan, 0])), "'state' has nan at row 2"),
        (lambda r: set_cell(r, "observation.state", 2, np.float32([0, 1])), "has rows of 2 and of 3 entries"),
        (lambda r: set_cell(r, "action", 1, None), "'action' has 1 empty rows"),
        (lambda r: r.pop("observation.state"), "without 'observation.state'"),
        (lambda r: r.update({"next.reward": ["a"] * LENGTHS[1]}), "'next.reward' has type string, expected numbers"),
        (lambda r: r.update({key: value[:-1] for key, value in r.items()}), "3 rows, expected 4"),
        (lambda r: set_cell(r, "timestamp", 3, 0.9), "frames 2 and 3 are 0.7 s apart, expected 0.1 s"),
        (lambda r: set_cell(r, KEY, 1, {"bytes": b"\x89PNG", "path": ""}), "image 1 of camera 'top'"),
        (lambda r: r.pop(KEY), f"without '{KEY}'"),
    ],
)
def test_a_bad_episode_is_rejected_with_its_reason_and_the_others_are_kept(
    tmp_path: Path, edit: Edit, why: str
) -> None:
    root = write_21(tmp_path / "set", edit=edit)
    report = import_all(open_source("lerobot", root, ImportOptions()), tmp_path / "out", actions=True)
    assert report.kept == ("episode 0",)
    assert report.rejected[0][0] == "episode 1" and why in report.rejected[0][1]


def test_cut_off_files_cost_their_episodes_only(tmp_path: Path) -> None:
    root = write_21(tmp_path / "set", video=True)
    table, video = root / "data/chunk-000/episode_000001.parquet", root / "videos" / KEY / "1.mp4"
    video.write_bytes(video.read_bytes()[:500])
    source = open_source("lerobot", root, ImportOptions())
    with pytest.raises(EpisodeError, match=r"camera 'top': video '1\.mp4' ends at frame 0 of 4"):
        source.read("episode 1")
    video.unlink()
    with pytest.raises(EpisodeError, match=r"no video '1\.mp4'"):
        source.read("episode 1")
    table.write_bytes(table.read_bytes()[:200])
    with pytest.raises(EpisodeError, match=r"'episode_000001\.parquet' cannot be read"):
        open_source("lerobot", root, ImportOptions()).read("episode 1")
    assert len(source.read("episode 0")[0]) == LENGTHS[0] - 1


def test_whole_dataset_problems_are_one_line_with_the_mend(tmp_path: Path) -> None:
    root = write_21(tmp_path / "set")
    with pytest.raises(ClamError, match="has 10 Hz, not 5; leave --rate out"):
        open_source("lerobot", root, ImportOptions(rate=5.0))
    with pytest.raises(ClamError, match="give the folder that holds 'meta'"):
        open_source("lerobot", tmp_path, ImportOptions())
    write_info(root, "v1.6", False)
    with pytest.raises(ClamError, match=r"is LeRobot v1\.6, valid"):
        open_source("lerobot", root, ImportOptions())
    write_info(root, "v2.1", False, data_path="../../secret-{episode_index}", video_path="x")
    with pytest.raises(ClamError, match="leaves the dataset"):
        open_source("lerobot", root, ImportOptions())
    (root / "meta" / "info.json").write_text('{"codebase_version": "v2.1", "fps"')
    with pytest.raises(ClamError, match="damaged 'meta' folder"):
        open_source("lerobot", root, ImportOptions())


def test_a_dataset_that_lerobot_itself_recorded_is_imported(tmp_path: Path) -> None:
    module = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason="lerobot is not installed")
    told = {key: features(False)[key] for key in ("action", KEY)}
    told["observation.state"] = {"dtype": "float32", "shape": (3,), "names": ["x", "y", "grip"]}
    told = {key: {**feature, "shape": tuple(feature["shape"])} for key, feature in told.items()}
    made = module.LeRobotDataset.create("me/toy", fps=FPS, features=told, root=tmp_path / "set", use_videos=False)
    rows, images = columns(0), pictures(0)
    for t in range(LENGTHS[0]):
        frame = {"observation.state": rows["observation.state"][t], "action": rows["action"][t], KEY: images[t]}
        made.add_frame({**frame, "task": "reach"})
    made.save_episode()
    made.finalize()
    episode, _ = open_source("lerobot", tmp_path / "set", ImportOptions()).read("episode 0")
    np.testing.assert_array_equal(episode.observations["state"], rows["observation.state"])
    np.testing.assert_array_equal(episode.actions, rows["action"][:-1])
    np.testing.assert_array_equal(episode.observations["top"], images)
