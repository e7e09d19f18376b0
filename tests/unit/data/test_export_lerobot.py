"""Export to LeRobot: what comes back through the importer, what LeRobot itself reads, and what the tables say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

from clam_core.cli import main
from clam_core.data.exporters import export
from clam_core.data.exporters.lerobot_stats import combined, feature_stats
from clam_core.data.exporting import ExportOptions
from clam_core.data.importers import open_source
from clam_core.data.importing import ImportOptions, import_all
from clam_core.data.select import Selection, select
from clam_core.data.store import EpisodeStore, StoreWriter
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

Make = Callable[..., Path]
PNG = ExportOptions(images="png")


def again(exported: Path, out: Path, *, actions: bool = True) -> EpisodeStore:
    import_all(open_source("lerobot", exported, ImportOptions(actions=actions)), out, actions=actions)
    return EpisodeStore.open(out, actions=actions)


@pytest.mark.parametrize("images", ["png", "video"])
def test_export_and_import_give_the_same_dataset(make_dataset: Make, tmp_path: Path, images: str) -> None:
    path = make_dataset("play", "play", 3, image_size=32)
    report = export("lerobot", path, tmp_path / "exported", ExportOptions(images=images))
    original, copy = EpisodeStore.open(path), again(tmp_path / "exported", tmp_path / "copy")
    assert copy.info.spec == original.info.spec and copy.info.kind == "play"
    assert report.episodes == 3 and report.frames == original.num_transitions + 3
    for index in range(3):
        one, other = original.episode(index), copy.episode(index)
        np.testing.assert_array_equal(one.observations["state"], other.observations["state"])
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        np.testing.assert_array_equal(one.successes, other.successes)
        if images == "png":
            np.testing.assert_array_equal(one.observations["top"], other.observations["top"])
        else:
            difference = one.observations["top"].astype(int) - other.observations["top"]
            assert 0 < np.sqrt(np.mean(difference**2)) < 10
    assert (report.psnr == {}) == (images == "png")
    assert all(decibel > 30 for decibel in report.psnr.values())


def test_a_file_that_has_grown_is_followed_by_another(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clam_core.data.exporters.lerobot_tables.RowFiles.__init__.__defaults__", (0,))
    monkeypatch.setattr("clam_core.data.exporters.lerobot_videos.CameraFiles.__init__.__defaults__", (0,))
    path = make_dataset("play", "play", 3, image_size=32)
    export("lerobot", path, tmp_path / "exported", ExportOptions())
    assert len(list((tmp_path / "exported" / "data").rglob("*.parquet"))) == 3
    assert len(list((tmp_path / "exported" / "videos").rglob("*.mp4"))) == 3
    original, copy = EpisodeStore.open(path), again(tmp_path / "exported", tmp_path / "copy")
    np.testing.assert_array_equal(original.array("state"), copy.array("state"))
    assert np.abs(original.array("top").astype(int) - copy.array("top")).mean() < 5


def test_an_unlabeled_dataset_has_no_action_and_stays_unlabeled(make_dataset: Make, tmp_path: Path) -> None:
    report = export("lerobot", make_dataset("expert", "expert", 2, actions=False), tmp_path / "exported", PNG)
    info = json.loads((tmp_path / "exported" / "meta" / "info.json").read_text())
    assert "action" not in info["features"] and "unlabeled" in report.notes[0]
    assert not again(tmp_path / "exported", tmp_path / "copy", actions=False).labeled


def test_statistics_are_those_of_the_data(make_dataset: Make, tmp_path: Path) -> None:
    path = make_dataset("play", "play", 4)
    export("lerobot", path, tmp_path / "exported", PNG)
    stats = json.loads((tmp_path / "exported" / "meta" / "stats.json").read_text())
    states = EpisodeStore.open(path).array("state").astype(np.float64)
    found = stats["observation.state"]
    np.testing.assert_allclose(found["mean"], states.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["std"], states.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["min"], states.min(axis=0))
    np.testing.assert_allclose(found["max"], states.max(axis=0))
    assert found["count"] == [len(states)] and set(stats) == set(
        json.loads((tmp_path / "exported" / "meta" / "info.json").read_text())["features"]
    )


def test_combined_statistics_weigh_episodes_by_their_length() -> None:
    one, other = np.arange(2.0)[:, None], np.arange(10.0, 16.0)[:, None]
    both, whole = combined([feature_stats(one), feature_stats(other)]), feature_stats(np.concatenate([one, other]))
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(both[name], whole[name])


def test_the_tables_tell_where_each_episode_is(make_dataset: Make, tmp_path: Path) -> None:
    root = tmp_path / "exported"
    export("lerobot", make_dataset("play", "play", 2), root, PNG)
    episodes = pq.read_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    rows = pq.read_table(root / "data" / "chunk-000" / "file-000.parquet")
    assert [(e["dataset_from_index"], e["dataset_to_index"]) for e in episodes] == [(0, 21), (21, 42)]
    assert rows["next.done"].to_pylist() == ([False] * 20 + [True]) * 2
    assert rows["index"].to_pylist() == list(range(42))
    action = np.array(rows["action"].to_pylist())
    np.testing.assert_array_equal(action[20], action[19])  # the last frame repeats the last action
    tasks = pq.read_table(root / "meta" / "tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["__index_level_0__"]


def test_the_command_exports_and_tells_in_json(
    make_dataset: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = make_dataset("play", "play", 1, image_size=32), tmp_path / "exported"
    assert main(["export", "lerobot", str(path), "--out", str(out), "--fps", "25", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["frames"] == 21 and told["psnr"]["top"] > 30 and "LeRobot is told 25" in told["notes"][0]
    assert main(["export", "lerobot", str(path), "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_what_cannot_be_exported_leaves_nothing_behind(make_dataset: Make, tmp_path: Path) -> None:
    odd = make_dataset("odd", "play", 1, image_size=33)
    with pytest.raises(ClamError, match="33x33 pixels; a video needs an even height and width; say --images png"):
        export("lerobot", odd, tmp_path / "exported", ExportOptions())
    with pytest.raises(ClamError, match="no dataset at"):
        export("lerobot", tmp_path / "missing", tmp_path / "exported", PNG)
    with pytest.raises(ClamError, match="unknown format 'lerobt', did you mean 'lerobot'"):
        export("lerobt", odd, tmp_path / "exported", PNG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd"]


def change(path: Path, out: Path, edit: Callable[[EnvironmentSpec], EnvironmentSpec], stamps: bool = False) -> Path:
    """The dataset at `path` once more, with another spec, and with stamps."""
    store = EpisodeStore.open(path)
    info = replace(store.info, spec=edit(store.info.spec))
    with StoreWriter(out, info, actions=True, stamps=stamps) as writer:
        for index in range(store.num_episodes):
            episode = store.episode(index)
            writer.append(replace(episode, stamps=np.arange(len(episode) + 1.0) if stamps else None))
    return out


def test_each_episode_of_a_merged_dataset_keeps_its_task(make_dataset: Make, tmp_path: Path) -> None:
    path = make_dataset("play", "play", 2)
    sources = [
        change(path, tmp_path / task, lambda spec, task=task: replace(spec, task=task))  # type: ignore[misc]
        for task in ("push", "pull")
    ]
    for source, shift in zip(sources, (0, 100), strict=True):
        seeds = zarr.open_array(str(source / "meta" / "episode_seed"), mode="r+")
        seeds[:] = seeds[:] + shift
    select(sources, tmp_path / "merged", Selection())
    export("lerobot", tmp_path / "merged", tmp_path / "exported", PNG)
    copy = again(tmp_path / "exported", tmp_path / "copy")
    assert [episode["tasks"] for episode in copy.episode_metadata] == [["push"], ["push"], ["pull"], ["pull"]]


def test_a_rate_that_is_no_whole_number_comes_back(make_dataset: Make, tmp_path: Path) -> None:
    path = change(make_dataset("play", "play", 2), tmp_path / "odd", lambda spec: replace(spec, rate=12.5))
    export("lerobot", path, tmp_path / "exported", PNG)
    assert json.loads((tmp_path / "exported" / "meta" / "info.json").read_text())["fps"] == 12
    assert again(tmp_path / "exported", tmp_path / "copy").info.spec.rate == 12.5
    assert open_source("lerobot", tmp_path / "exported", ImportOptions(rate=12.5)).info.spec.rate == 12.5
    export("lerobot", path, tmp_path / "faster", ExportOptions(images="png", fps=30))
    assert again(tmp_path / "faster", tmp_path / "copy2").info.spec.rate == 30


def test_times_that_are_not_kept_are_told(make_dataset: Make, tmp_path: Path) -> None:
    path = change(make_dataset("play", "play", 1), tmp_path / "stamped", lambda spec: spec, stamps=True)
    for name in ("lerobot", "minari"):
        notes = export(name, path, tmp_path / name, ExportOptions()).notes
        assert "the time of each observation is not kept" in notes


def test_lerobot_itself_loads_the_export(make_dataset: Make, tmp_path: Path) -> None:
    module = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason="lerobot is not installed")
    path = make_dataset("play", "play", 2, image_size=32)
    export("lerobot", path, tmp_path / "exported", PNG)
    loaded: Any = module.LeRobotDataset("me/play", root=tmp_path / "exported")
    store = EpisodeStore.open(path)
    assert len(loaded) == store.num_transitions + 2 and loaded.meta.stats["action"]["mean"].shape == (2,)
    item, episode = loaded[21 + 3], store.episode(1)
    np.testing.assert_array_equal(item["observation.state"], episode.observations["state"][3])
    np.testing.assert_array_equal(item["action"], episode.actions[3])
    image = (item["observation.images.top"].permute(1, 2, 0).numpy() * 255).round()
    np.testing.assert_array_equal(image, episode.observations["top"][3])
