"""train, relabel and eval as a user calls them, through `main`: exit status and one-line errors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from clam_core.cli import main
from clam_core.data.store import EpisodeStore, StoreWriter

FAST = ["lam.hidden=[16]", "grounding.decoder.hidden=[8]", "policy.hidden=[16]", "device=cpu", "data.held_out=0.5"]
UPDATES = ["lam_training.updates=20", "policy_training.updates=20"]


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pendulum")
    arguments = ["gym", "Pendulum-v1", "--kind", "play", "--episodes", "4", "--workers", "1"]
    assert main(["generate", *arguments, "--out", str(folder / "play")]) == 0
    roles = [f"data.{role}={folder / 'play'}" for role in ("unlabeled", "labeled", "expert")]
    assert main(["train", "clam", *FAST, *UPDATES, *roles, "--out", str(folder / "run")]) == 0
    return folder


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(list(arguments)) == 1
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("clam: error: ")]
    assert len(errors) == 1, lines
    assert not any("Traceback" in line for line in lines)
    return errors[0]


def test_a_run_folder_holds_what_it_promises(pendulum: Path) -> None:
    names = {path.name for path in (pendulum / "run").iterdir()}
    expected = {
        "config.yaml",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "bundle",
        "result.json",
        "spec.json",
    }
    assert expected <= names
    assert list((pendulum / "run/tensorboard").glob("events*"))


def test_eval_reports_a_rate_with_its_interval(pendulum: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["eval", str(pendulum / "run/bundle"), "--episodes", "2", "--device", "cpu", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["env"], result["task"], result["episodes"]) == ("gym", "Pendulum-v1", 2)
    assert result["low"] <= result["success_rate"] <= result["high"]
    assert result["first_seed"] == 1_000_000


def test_overrides_may_stand_between_options(pendulum: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run"), f"data.labeled={pendulum / 'play'}"]
    assert main(["train", "bc", "--preset", "recommended/state", *FAST, "policy_training.updates=5", *out]) == 0
    assert (tmp_path / "run/bundle/bundle.json").exists()


def test_relabel_writes_a_label_for_every_transition(
    pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    out = tmp_path / "labels"
    assert main(["relabel", str(pendulum / "run"), str(pendulum / "play"), "--out", str(out), "--json"]) == 0
    quality = json.loads(capsys.readouterr().out)
    assert {"grounding/r2", "grounding/r2/action0", "latent/effective_dimension"} <= set(quality)
    labels = zarr.open_group(str(out), mode="r")
    transitions = EpisodeStore.open(pendulum / "play").num_transitions
    assert labels["data/latent_action"].shape == (transitions, 16)
    assert labels["data/action"].shape == (transitions, 1)
    assert labels["meta/episode_ends"][-1] == transitions
    play = EpisodeStore.open(pendulum / "play")
    truth = np.concatenate([play.episode(index).actions for index in range(play.num_episodes)])
    error = labels["data/action"][:] - truth
    assert quality["error/mean/action0"] == pytest.approx(error.mean(), abs=1e-5)
    assert quality["error/rms/action0"] == pytest.approx(np.sqrt(np.square(error).mean()), abs=1e-5)


def test_relabel_knows_every_method_with_latent_actions(
    pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LAPA's policy sees one observation, its latent actions need several."""
    roles = [f"data.{role}={pendulum / 'play'}" for role in ("unlabeled", "labeled", "expert")]
    preset = ["--preset", "recommended/state", "grounding_training.updates=5"]
    assert main(["train", "lapa", *preset, *FAST, *UPDATES, *roles, "--out", str(tmp_path / "run")]) == 0
    labels = tmp_path / "labels"
    assert main(["relabel", str(tmp_path / "run"), str(pendulum / "play"), "--out", str(labels)]) == 0
    transitions = EpisodeStore.open(pendulum / "play").num_transitions
    assert zarr.open_group(str(labels), mode="r")["data/latent_action"].shape == (transitions, 16)


def test_errors_name_cause_and_mend(pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = str(pendulum / "run/bundle"), str(tmp_path / "out")
    assert "no bundle at" in failing(capsys, "eval", str(tmp_path / "nowhere"))
    assert "did you mean 'assembly'" in failing(capsys, "eval", bundle, "--env", "metaworld", "--task", "asembly")
    assert "evaluate it there" in failing(capsys, "eval", bundle, "--env", "metaworld", "--task", "assembly")
    assert "not a run folder" in failing(capsys, "relabel", str(tmp_path), str(pendulum / "play"))
    assert "role 'labeled'" in failing(capsys, "train", "bc", "--out", out)
    assert "write clam train vpt" in failing(capsys, "train", "bc", "method=vpt", "--out", out)
    assert "videos are MP4 files" in failing(capsys, "eval", bundle, "--video", f"{out}.avi")
    assert "no dataset" in failing(capsys, "train", "bc", "data.labeled=/nonexistent", "--out", out)
    assert "unknown device 'gpu'" in failing(
        capsys, "train", "bc", f"data.labeled={pendulum / 'play'}", "device=gpu", "--out", out
    )
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(tmp_path / "nowhere"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["trian"], "did you mean 'train'?"),
        (["eval", "bundle", "--episodes", "0"], "expected a whole number of at least 1, got '0'"),
        (["train", "clm", "--out", "x"], "METHOD: no such choice 'clm', did you mean 'clam'? Valid: bc, clam, dynamo"),
        (["inspect", "a", "b=c"], "unrecognized arguments: b=c"),
        (
            ["train", "bc", "a.b=c", "--out", "x", "d.e=f", "--policy.chunk=5"],
            "arguments: --policy.chunk=5 (write policy.chunk=VALUE);",
        ),
        (["eval", "bundle", "--seed", "-1"], "expected a whole number of at least 0, got '-1'"),
    ],
)
def test_usage_errors_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1 and "--help` explains" in printed


def test_relabel_refuses_another_rate(pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play = EpisodeStore.open(pendulum / "play")
    slower = replace(play.info, spec=replace(play.info.spec, rate=play.info.spec.rate / 2))
    with StoreWriter(tmp_path / "slower", slower, actions=True) as writer:
        writer.append(play.episode(0))
    assert "import or generate it at that rate" in failing(
        capsys, "relabel", str(pendulum / "run"), str(tmp_path / "slower")
    )
