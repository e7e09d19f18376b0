"""Bridge, scripted operator and recorder in processes of their own: bags that import without a complaint."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from clam_core.data.generate import generate
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore
from clam_core.spec import CameraSpec


def record(out: Path, **arguments: object) -> subprocess.CompletedProcess[str]:
    given = [f"{name}:={value}" for name, value in ({"out": out} | arguments).items()]
    return subprocess.run(
        [sys.executable, "-m", "clam_bringup.runner", "record", *given],
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_recorded_play_imports_as_it_was_generated_offline(tmp_path: Path) -> None:
    done = record(tmp_path / "bags", env="gym", task="Pendulum-v1", kind="play", episodes=3, seed=5)
    assert done.returncode == 0, done.stdout + done.stderr
    about = yaml.safe_load((tmp_path / "bags/episode_0000/episode.yaml").read_text())
    assert (about["kind"], about["seed"], about["complete"], about["dropped"]) == ("play", 5, True, 0)

    report = import_rosbag(tmp_path / "bags", tmp_path / "data")
    assert (len(report.kept), list(report.rejected)) == (3, [])
    store = EpisodeStore.open(tmp_path / "data")
    assert store.episode_seeds.tolist() == [5, 6, 7]
    assert store.num_transitions == 600


def test_a_recording_goes_on_after_the_seeds_that_are_there(tmp_path: Path) -> None:
    bags = tmp_path / "bags"
    world = {"env": "gym", "task": "Pendulum-v1", "kind": "play", "seed": 5}
    first = record(bags, episodes=2, **world)
    assert first.returncode == 0, first.stdout + first.stderr
    cut = bags / "episode_0001" / "episode.yaml"  # as if it had been interrupted in its second episode
    cut.write_text(cut.read_text().replace("complete: true", "complete: false"))
    again = record(bags, episodes=3, **world)
    said = again.stdout + again.stderr
    assert again.returncode == 0, said
    assert "has 1 play episodes of seeds 5 to 5" in said and "others with another `seed:=`" in said
    seeds = [yaml.safe_load(file.read_text())["seed"] for file in sorted(bags.glob("*/episode.yaml"))]
    assert seeds == [5, 6, 6, 7]
    nothing = record(bags, episodes=3, **world)
    assert nothing.returncode == 0, nothing.stdout + nothing.stderr
    assert "has 3 play episodes of seeds 5 to 7" in nothing.stdout + nothing.stderr
    assert len(list(bags.glob("*/episode.yaml"))) == 4


def test_recorded_images_import_as_they_were_generated_offline(tmp_path: Path) -> None:
    world = {"env": "metaworld", "task": "assembly", "kind": "play", "episodes": 1, "seed": 5}
    done = record(tmp_path / "bags", camera="corner4", image_size=64, **world)
    assert done.returncode == 0, done.stdout + done.stderr
    report = import_rosbag(tmp_path / "bags", tmp_path / "data")
    assert (len(report.kept), list(report.rejected)) == (1, [])
    generate("metaworld", "assembly", "play", 1, 5, tmp_path / "offline", image_size=64, camera="corner4")
    recorded, offline = (EpisodeStore.open(tmp_path / name) for name in ("data", "offline"))
    assert recorded.info.spec.observation.cameras == (CameraSpec("corner4", 64, 64),)
    for name in ("state", "action", "corner4"):
        np.testing.assert_array_equal(recorded.array(name), offline.array(name))


def test_evaluation_seeds_are_not_recorded(tmp_path: Path) -> None:
    done = record(tmp_path / "bags", env="gym", task="Pendulum-v1", kind="play", episodes=1, seed=1_000_000)
    assert done.returncode == 1
    assert "seed 1000000 is for evaluation" in done.stdout + done.stderr
    assert not list((tmp_path / "bags").glob("episode_*"))
