"""D4RL files as D4RL lays them out: where episodes end, what the last observation is, what is refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from clam_core.data.importers import open_source
from clam_core.data.importing import ImportOptions, import_all
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

LENGTHS = (5, 4, 6)
ROWS = sum(LENGTHS)
OPTIONS = ImportOptions(rate=20.0)


def streams(states: int = 3, actions: int = 1) -> dict[str, npt.NDArray[Any]]:
    """Three episodes: a time-out, a terminal, a time-out; every number tells its row."""
    ends = np.cumsum(LENGTHS) - 1
    observations = np.arange(ROWS, dtype=np.float32)[:, None] + np.zeros(states, dtype=np.float32)
    following = observations + 1
    following[ends] = observations[ends] + 0.5
    return {
        "observations": observations,
        "next_observations": following,
        "actions": np.linspace(-1, 1, ROWS * actions, dtype=np.float32).reshape(ROWS, actions),
        "rewards": np.arange(ROWS, dtype=np.float32),
        "terminals": np.isin(np.arange(ROWS), ends[1]),
        "timeouts": np.isin(np.arange(ROWS), ends[[0, 2]]),
        "infos/qpos": np.zeros((ROWS, 2)),
    }


def write(path: Path, content: dict[str, npt.NDArray[Any]]) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values
    return path


def test_the_last_observation_of_an_episode_is_the_files_own_next_observation(tmp_path: Path) -> None:
    source = open_source("d4rl", write(tmp_path / "toy.hdf5", streams()), OPTIONS)
    report = import_all(source, tmp_path / "out", actions=True)
    store = EpisodeStore.open(tmp_path / "out")
    assert [len(store.episode(i)) for i in range(3)] == list(LENGTHS) and report.notes == ()
    second = store.episode(1)
    assert second.observations["state"][:, 0].tolist() == [5, 6, 7, 8, 8.5]
    assert second.rewards.tolist() == [5, 6, 7, 8]
    assert second.metadata == {"rows": [5, 9], "terminated": True} and not store.episode(0).metadata["terminated"]
    assert store.info.spec.action.low == (-1.0,) and store.info.spec.observation.names == ("state0", "state1", "state2")


def test_without_next_observations_the_last_action_is_dropped_and_a_note_says_so(tmp_path: Path) -> None:
    content = streams()
    del content["next_observations"]
    report = import_all(
        open_source("d4rl", write(tmp_path / "toy.hdf5", content), OPTIONS), tmp_path / "o", actions=True
    )
    store = EpisodeStore.open(tmp_path / "o")
    assert [len(store.episode(i)) for i in range(3)] == [length - 1 for length in LENGTHS]
    assert store.episode(1).observations["state"][:, 0].tolist() == [5, 6, 7, 8]
    assert [note for _, note in report.notes] == [
        "without next_observations: the last action of every episode is dropped"
    ]


def test_without_timeouts_an_episode_ends_where_the_next_observation_is_not_the_following_row(tmp_path: Path) -> None:
    content = streams()
    del content["timeouts"]
    source = open_source("d4rl", write(tmp_path / "toy.hdf5", content), OPTIONS)
    assert [len(source.read(name)[0]) for name in source.names()] == list(LENGTHS)


def test_a_file_that_ends_within_an_episode_keeps_it_with_a_note(tmp_path: Path) -> None:
    content = streams()
    content["timeouts"][-1] = False
    report = import_all(
        open_source("d4rl", write(tmp_path / "toy.hdf5", content), OPTIONS), tmp_path / "o", actions=True
    )
    assert len(report.kept) == 3 and report.notes[-1][1] == "the file ends before the episode does"


def test_names_limits_and_rate_are_those_of_the_environment_that_the_user_names(tmp_path: Path) -> None:
    path = write(tmp_path / "toy.hdf5", streams())
    spec = open_source("d4rl", path, ImportOptions(env="gym", task="Pendulum-v1")).info.spec
    assert (spec.env, spec.task, spec.rate, spec.action.high) == ("gym", "Pendulum-v1", 20.0, (2.0,))
    wide = write(tmp_path / "wide.hdf5", streams(states=5))
    with pytest.raises(ClamError, match="has 5 state and 1 action entries, but gym Pendulum-v1 has 3 and 1"):
        open_source("d4rl", wide, ImportOptions(env="gym", task="Pendulum-v1"))
    with pytest.raises(ClamError, match="unknown environment 'gim', did you mean 'gym'"):
        open_source("d4rl", path, ImportOptions(env="gim"))


@pytest.mark.parametrize(
    ("stream", "value", "why"),
    [
        ("observations", np.nan, "'state' has nan at row 1"),
        ("rewards", np.inf, "'reward' has inf at row 1"),
        ("actions", np.nan, "'action' has nan at row 1"),
    ],
)
def test_a_bad_value_costs_its_episode_only(tmp_path: Path, stream: str, value: float, why: str) -> None:
    content = streams()
    content[stream][6] = value
    report = import_all(
        open_source("d4rl", write(tmp_path / "toy.hdf5", content), OPTIONS), tmp_path / "o", actions=True
    )
    assert len(report.kept) == 2 and report.rejected == (("episode 1 (rows 5 to 8)", why),)


def test_whole_file_problems_are_one_line_with_the_mend(tmp_path: Path) -> None:
    path = write(tmp_path / "toy.hdf5", streams())
    with pytest.raises(ClamError, match="give --rate HZ, or --env and --task"):
        open_source("d4rl", path, ImportOptions())
    content = path.read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(content[:-2000])
    with pytest.raises(ClamError, match="cannot be read as HDF5"):
        open_source("d4rl", tmp_path / "cut.hdf5", OPTIONS)
    with pytest.raises(ClamError, match="no file"):
        open_source("d4rl", tmp_path / "missing.hdf5", OPTIONS)
    lacking = {key: values for key, values in streams().items() if key != "rewards"}
    with pytest.raises(ClamError, match="has no rewards"):
        open_source("d4rl", write(tmp_path / "lacking.hdf5", lacking), OPTIONS)
    unequal = streams() | {"actions": np.zeros((ROWS - 1, 1))}
    with pytest.raises(ClamError, match=r"unequal lengths .*actions 14"):
        open_source("d4rl", write(tmp_path / "unequal.hdf5", unequal), OPTIONS)
    words = streams() | {"actions": np.array([b"left"] * ROWS)}
    with pytest.raises(ClamError, match="expected numbers"):
        open_source("d4rl", write(tmp_path / "words.hdf5", words), OPTIONS)
