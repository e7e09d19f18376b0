"""Export to Minari: what comes back through the importer, and what Minari itself reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from clam_core.data.exporters import export
from clam_core.data.exporting import ExportOptions
from clam_core.data.importers import open_source
from clam_core.data.importing import ImportOptions, import_all
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

Make = Callable[..., Path]


@pytest.mark.parametrize("image_size", [0, 33])
def test_export_and_import_give_the_same_dataset(make_dataset: Make, tmp_path: Path, image_size: int) -> None:
    path = make_dataset("expert", "expert", 3, image_size=image_size)
    export("minari", path, tmp_path / "exported", ExportOptions())
    import_all(open_source("minari", tmp_path / "exported", ImportOptions()), tmp_path / "copy", actions=True)
    original, copy = EpisodeStore.open(path), EpisodeStore.open(tmp_path / "copy")
    assert copy.info.spec == original.info.spec and copy.info.kind == "expert"
    for index in range(3):
        one, other = original.episode(index), copy.episode(index)
        assert one.observations.keys() == other.observations.keys()
        for name in one.observations:
            np.testing.assert_array_equal(one.observations[name], other.observations[name])
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        np.testing.assert_array_equal(one.successes, other.successes)


def test_the_id_is_the_place_below_minaris_folder(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    path = make_dataset("play", "play", 1)
    for out, name in ((tmp_path / "datasets" / "clam" / "play-v0", "clam/play-v0"), (tmp_path / "else", "else")):
        export("minari", path, out, ExportOptions())
        assert json.loads((out / "data" / "metadata.json").read_text())["dataset_id"] == name


def test_what_minari_cannot_hold_is_refused_and_leaves_nothing_behind(make_dataset: Make, tmp_path: Path) -> None:
    unlabeled = make_dataset("unlabeled", "expert", 1, actions=False)
    with pytest.raises(ClamError, match="has no actions, Minari needs them; export a labeled dataset"):
        export("minari", unlabeled, tmp_path / "exported", ExportOptions())
    with pytest.raises(ClamError, match="leave --fps out"):
        export("minari", make_dataset("play", "play", 1), tmp_path / "exported", ExportOptions(fps=5))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["play", "unlabeled"]


def test_a_disk_that_is_or_gets_full_is_one_line(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, usage = make_dataset("play", "play", 2, image_size=32), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(ClamError, match=r"needs 34 MB more, 1 MB are free; choose another folder"):
        export("minari", path, tmp_path / "exported", ExportOptions())
    monkeypatch.undo()

    def close(*_: Any) -> None:
        raise RuntimeError("Can't decrement id ref count (file write failed)")

    monkeypatch.setattr(h5py.File, "__exit__", close)
    with pytest.raises(ClamError, match=r"cannot write .*file write failed.*free some space"):
        export("minari", path, tmp_path / "exported", ExportOptions())
    assert [found.name for found in tmp_path.iterdir()] == ["play"]


def test_minari_itself_loads_the_export(make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari", reason="minari is not installed (pip install 'minari[hdf5]')")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    path = make_dataset("play", "play", 2, image_size=32)
    export("minari", path, tmp_path / "datasets" / "clam" / "play-v0", ExportOptions())
    loaded: Any = minari.load_dataset("clam/play-v0")
    assert loaded.total_episodes == 2 and loaded.total_steps == 40
    for index, found in enumerate(loaded.iterate_episodes()):
        episode = EpisodeStore.open(path).episode(index)
        np.testing.assert_array_equal(found.observations["state"], episode.observations["state"])
        np.testing.assert_array_equal(found.observations["top"], episode.observations["top"])
        np.testing.assert_array_equal(found.actions, episode.actions)
        np.testing.assert_array_equal(found.infos["success"][1:], episode.successes)
        assert loaded.observation_space["top"].contains(found.observations["top"][0])
