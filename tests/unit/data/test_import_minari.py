"""Minari folders as Minari lays them out, written here with h5py: what is kept, what is refused, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import numpy.typing as npt
import pytest

from clam_core.data.importers import open_source
from clam_core.data.importing import EpisodeError, ImportOptions, import_all
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

STEPS = 6
OPTIONS = ImportOptions(rate=10.0)


def box(low: float, high: float, count: int) -> dict[str, Any]:
    return {"type": "Box", "dtype": "float32", "shape": [count], "low": [low] * count, "high": [high] * count}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A flat dataset: three episodes of six steps, success at the last step of each."""
    rng = np.random.default_rng(0)
    data = tmp_path / "toy-v0" / "data"
    data.mkdir(parents=True)
    with h5py.File(data / "main_data.hdf5", "w") as file:
        for index in range(3):
            group = file.create_group(f"episode_{index}")
            group.attrs.update({"id": index, "seed": index + 5, "total_steps": STEPS})
            group["observations"] = rng.normal(size=(STEPS + 1, 3))
            group["actions"] = rng.uniform(-1, 1, (STEPS, 2)).astype(np.float32)
            group["rewards"] = np.arange(STEPS, dtype=np.float64)
            group["terminations"] = np.zeros(STEPS, dtype=bool)
            group["truncations"] = np.arange(STEPS) == STEPS - 1
            group["infos/success"] = np.arange(STEPS + 1) == STEPS
    write_metadata(data, action_space=json.dumps(box(-2.0, 2.0, 2)))
    return data.parent


def write_metadata(data: Path, **more: Any) -> None:
    metadata = {"total_episodes": 3, "data_format": "hdf5", "dataset_id": "toy-v0", "minari_version": "0.5.0"}
    (data / "metadata.json").write_text(json.dumps(metadata | more))


def edit(folder: Path, key: str, change: Any) -> None:
    """Replace the dataset `key` by what `change` makes of it; None removes it."""
    with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
        values = change(file[key][()])
        del file[key]
        if values is not None:
            file[key] = values


def test_an_episode_keeps_every_observation_action_reward_success_and_seed(folder: Path, tmp_path: Path) -> None:
    report = import_all(open_source("minari", folder, OPTIONS), tmp_path / "out", actions=True)
    store = EpisodeStore.open(tmp_path / "out")
    assert report.kept == ("episode_0", "episode_1", "episode_2") and report.transitions == 3 * STEPS
    assert store.info.spec.action.low == (-2.0, -2.0) and store.info.spec.rate == 10.0
    with h5py.File(folder / "data" / "main_data.hdf5") as file:
        episode = store.episode(1)
        np.testing.assert_array_equal(episode.observations["state"], np.float32(file["episode_1/observations"]))
        np.testing.assert_array_equal(episode.actions, file["episode_1/actions"][()])
    assert episode.rewards.tolist() == list(range(STEPS))
    assert episode.successes.tolist() == [False] * (STEPS - 1) + [True] and episode.seed == 6


def test_dict_observations_are_flattened_with_names_and_jpeg_images_become_a_camera(tmp_path: Path) -> None:
    data = tmp_path / "dict-v0"
    data.mkdir()
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    image[:, :30, 0] = 250  # red, left
    jpeg = np.frombuffer(cv2.imencode(".jpg", image[..., ::-1])[1].tobytes(), dtype=np.uint8)
    with h5py.File(data / "main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["observations/goal/xy"] = np.ones((3, 2), dtype=np.float32)
        group["observations/mode"] = np.arange(3)
        group["observations/front"] = np.stack([jpeg] * 3)
        group["observations/text"] = ["a", "b", "c"]
        group["actions"], group["rewards"] = np.zeros((2, 1), dtype=np.float32), np.zeros(2)
        group["terminations"] = group["truncations"] = np.zeros(2, dtype=bool)
    write_metadata(data)
    source = open_source("minari", data, ImportOptions(rate=5.0, image_size=20))
    episode, _ = source.read("episode_0")
    assert source.info.spec.observation.names == ("goal/xy0", "goal/xy1", "mode")
    assert source.info.provenance["left_out"] == ["observations/text"]
    assert episode.observations["state"].tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 2]]
    front = episode.observations["front"]
    assert front.shape == (3, 20, 20, 3)
    assert front[0, 10, 3, 0] > 230 and front[0, 10, 16].max() < 20  # red is the first channel, and it is left


@pytest.mark.parametrize(
    ("key", "change", "why"),
    [
        ("observations", lambda v: np.where(np.arange(len(v))[:, None] == 2, np.nan, v), "'state' has nan at row 2"),
        ("rewards", lambda v: v[:-1], "unequal lengths"),
        ("actions", lambda v: v * 100, "limits -2 to 2"),
        ("actions", lambda v: None, "without 'actions'"),
        ("observations", lambda v: None, "without 'observations'"),
        ("rewards", lambda v: np.array([b"a"] * len(v)), "expected numbers"),
        ("observations", lambda v: v[:, :2], "has 2 entries, expected 3"),
    ],
)
def test_a_bad_episode_is_rejected_with_its_reason_and_the_others_are_kept(
    folder: Path, tmp_path: Path, key: str, change: Any, why: str
) -> None:
    edit(folder, f"episode_1/{key}", change)
    report = import_all(open_source("minari", folder, OPTIONS), tmp_path / "out", actions=True)
    assert report.kept == ("episode_0", "episode_2")
    assert report.rejected[0][0] == "episode_1" and why in report.rejected[0][1]


def test_whole_file_problems_are_one_line_with_the_mend(folder: Path) -> None:
    with pytest.raises(ClamError, match="does not tell its rate; give --rate"):
        open_source("minari", folder, ImportOptions())
    with pytest.raises(ClamError, match="no camera 'front', it has none"):
        open_source("minari", folder, ImportOptions(rate=1.0, cameras=("front",)))
    file = folder / "data" / "main_data.hdf5"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ClamError, match=r"cannot be read as HDF5 .*; download or record it again"):
        open_source("minari", folder, OPTIONS)
    write_metadata(folder / "data", data_format="arrow")
    with pytest.raises(ClamError, match="data_format='hdf5'"):
        open_source("minari", folder, OPTIONS)
    with pytest.raises(ClamError, match="give the folder that holds 'data'"):
        open_source("minari", folder.parent, OPTIONS)


def test_a_damaged_image_names_itself(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["observations/state"] = np.zeros((2, 1))
        group["observations/eye"] = np.zeros((2, 40, 40, 3), dtype=np.uint8)
        group["actions"], group["rewards"] = np.zeros((1, 1)), np.zeros(1)
        group["terminations"] = group["truncations"] = np.zeros(1, dtype=bool)
    write_metadata(tmp_path)
    source = open_source("minari", tmp_path, OPTIONS)
    with h5py.File(tmp_path / "main_data.hdf5", "a") as file:
        del file["episode_0/observations/eye"]
        file["episode_0/observations/eye"] = np.full((2, 50), 0xFF, dtype=np.uint8)
    with pytest.raises(EpisodeError, match="image 0 of 'observations/eye' cannot be read"):
        source.read("episode_0")


def test_the_dataset_names_its_environment_but_never_a_module_to_import(folder: Path) -> None:
    data = folder / "data"
    edit_dimensions(data, 3, 1)
    write_metadata(data, env_spec=json.dumps({"id": "Pendulum-v1"}))
    spec = open_source("minari", folder, ImportOptions()).info.spec
    assert (spec.env, spec.task, spec.rate) == ("gym", "Pendulum-v1", 20.0) and spec.action.high == (2.0,)
    write_metadata(data, env_spec=json.dumps({"id": "antigravity:Pendulum-v1"}))
    assert open_source("minari", folder, OPTIONS).info.spec.env == "unknown"


def edit_dimensions(data: Path, states: int, actions: int) -> None:
    for index in range(3):
        edit(data.parent, f"episode_{index}/observations", lambda v: v[:, :states])
        edit(data.parent, f"episode_{index}/actions", lambda v: v[:, :actions])


def test_a_dataset_that_the_minari_package_made_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari", reason="minari is not installed (pip install 'minari[hdf5]')")
    import gymnasium
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    states: npt.NDArray[Any] = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    buffer = EpisodeBuffer(
        id=None,
        seed=3,
        observations=states,
        actions=np.zeros((4, 2), dtype=np.float32),
        rewards=[1.0] * 4,
        terminations=[False] * 4,
        truncations=[False] * 3 + [True],
        infos={},
    )
    minari.create_dataset_from_buffers(
        "toy/flat-v0",
        buffer=[buffer],
        observation_space=gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32),
        action_space=gymnasium.spaces.Box(-1, 1, (2,), np.float32),
    )
    episode, _ = open_source("minari", tmp_path / "datasets" / "toy" / "flat-v0", OPTIONS).read("episode_0")
    np.testing.assert_array_equal(episode.observations["state"], states)
