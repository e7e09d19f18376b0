"""`clam eval` of a locomotion bundle: normalized return, and any number of simulator processes."""

import json
from pathlib import Path

import numpy as np
import pytest

from clam_core.cli import main
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.store_writer import StoreWriter
from clam_core.envs import make_env
from clam_core.evaluation import normalized_return

SMALL = ["policy.hidden=[16]", "policy_training.updates=3", "device=cpu", "data.held_out=0.5"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hopper")
    env = make_env("gym", "Hopper-v5")
    with StoreWriter(folder / "data", DatasetInfo(env.spec, "play"), actions=True) as writer:
        for seed in range(2):
            states, rng = [env.reset(seed)["state"]], np.random.default_rng(seed)
            actions = rng.uniform(-1, 1, (12, 3))
            steps = [env.step(action) for action in actions]
            states += [step.observation["state"] for step in steps]
            rewards = np.array([step.reward for step in steps])
            writer.append(Episode({"state": np.stack(states)}, actions, rewards, np.zeros(12, dtype=bool), seed))
    assert main(["train", "bc", *SMALL, f"data.labeled={folder / 'data'}", "--out", str(folder / "run")]) == 0
    return folder / "run/bundle"


def evaluated(capsys: pytest.CaptureFixture[str], bundle: Path, *options: str) -> str:
    capsys.readouterr()
    assert main(["eval", str(bundle), "--episodes", "3", "--device", "cpu", *options]) == 0
    return capsys.readouterr().out


def test_a_task_with_references_shows_its_normalized_return(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(evaluated(capsys, bundle, "--json"))
    assert result["normalized_return"] == pytest.approx(normalized_return("gym", "Hopper-v5", result["mean_return"]))
    assert result["normalized_low"] <= result["normalized_return"] <= result["normalized_high"]
    assert evaluated(capsys, bundle).startswith(f"normalized return {result['normalized_return']:.1f} (95 % interval")


def test_the_result_does_not_depend_on_the_workers(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluated(capsys, bundle, "--json", "--workers", "2") == evaluated(capsys, bundle, "--json")


def test_a_video_is_drawn_in_one_process(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(bundle), "--workers", "2", "--video", "x.mp4"]) == 1
    assert "leave one out" in capsys.readouterr().err


def test_an_overlay_without_a_video_is_one_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(bundle), "--overlay", "chunk"]) == 1
    assert "name one with --video FILE" in capsys.readouterr().err


def test_an_overlay_changes_no_number(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = evaluated(capsys, bundle, "--json", "--episodes", "1")
    options = ["--json", "--episodes", "1", "--video", str(tmp_path / "rollout.mp4"), "--overlay", "chunk"]
    if main(["eval", str(bundle), "--device", "cpu", *options]):
        error = capsys.readouterr().err
        assert "OpenGL" in error
        pytest.skip(error)
    assert capsys.readouterr().out == plain
    assert (tmp_path / "rollout.mp4").stat().st_size > 1000


def test_a_video_that_cannot_be_written_is_told_before_the_rollouts(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("")
    for name, said in (
        ("v.avi", "name one, as --video"),
        ("folder.mp4", "Is a directory"),
        ("file/v.mp4", "File exists"),
    ):
        capsys.readouterr()
        assert main(["eval", str(bundle), "--video", str(tmp_path / name)]) == 1
        printed = capsys.readouterr()
        assert said in printed.err and printed.err.count("\n") == 1 and not printed.out
