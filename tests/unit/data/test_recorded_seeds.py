"""Which seeds a folder of bags has already."""

from pathlib import Path

import pytest
import yaml

from clam_core.data.recorded_seeds import recorded_seeds
from clam_core.errors import ClamError

ABOUT = {"env": "gym", "task": "Pendulum-v1", "kind": "play", "operator": "scripted", "complete": True}
OURS = ("gym", "Pendulum-v1", "play", "scripted")


def episode(folder: Path, number: int, **about: object) -> None:
    bag = folder / f"episode_{number:04d}"
    bag.mkdir(parents=True)
    (bag / "episode.yaml").write_text(yaml.safe_dump({**ABOUT, **about}))


def test_whole_episodes_of_that_env_task_and_kind_count(tmp_path: Path) -> None:
    episode(tmp_path, 0, seed=5)
    episode(tmp_path, 1, seed=6)
    episode(tmp_path, 2, seed=7, complete=False)  # interrupted
    episode(tmp_path, 3, seed=8, kind="expert")
    episode(tmp_path, 4, seed=9, task="Hopper-v5")
    episode(tmp_path, 5, seed=10, env="dmcontrol")
    episode(tmp_path, 6, seed=None)  # a person's
    episode(tmp_path, 7, seed=-1)
    (tmp_path / "episode_0008").mkdir()  # of ros2 bag record
    episode(tmp_path, 9, seed=11, operator="a policy")
    assert recorded_seeds(tmp_path, *OURS) == {5, 6}


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert recorded_seeds(tmp_path / "new", *OURS) == frozenset()


def test_an_episode_yaml_that_cannot_be_read_does_not_count_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    episode(tmp_path, 0, seed=5)
    episode(tmp_path, 1, seed=6)
    (tmp_path / "episode_0000" / "episode.yaml").write_text("[")  # after a power cut
    assert recorded_seeds(tmp_path, *OURS) == {6}
    assert "episode_0000' does not count: episode.yaml cannot be read" in caplog.text


def test_an_episode_without_the_cameras_images_cannot_stand_for_one_with_them(tmp_path: Path) -> None:
    episode(tmp_path, 0, seed=5, messages={"/observation/state": 9, "/camera/front/image_raw/compressed": 9})
    assert recorded_seeds(tmp_path, *OURS, "front") == recorded_seeds(tmp_path, *OURS) == {5}
    others = {"a": {"/observation/state": 9}, "b": {"/camera/side/image_raw": 9}, "c": {"/camera/front/image_raw": 0}}
    for name, messages in {**others, "d": None}.items():
        episode(tmp_path / name, 0, seed=5, messages=messages)
        with pytest.raises(ClamError, match="seed 5 without images of 'front': choose another `out:=` or `seed:=`"):
            recorded_seeds(tmp_path / name, *OURS, "front")
