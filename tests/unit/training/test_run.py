"""Run folders: resume, refusals, checkpoints of another version, hostile files."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clam_core.errors import ClamError
from clam_core.training import trainer
from clam_core.training.config import Config
from clam_core.training.load_config import load_config
from clam_core.training.metrics import read_metrics
from clam_core.training.run import train


@pytest.fixture
def config(make_dataset: Callable[..., Path]) -> Config:
    overrides = [
        "lam.hidden=[16]", "grounding.hidden=[8]", "policy.hidden=[16]", "grounding.state_noise=0.1", "device=cpu",
        "lam_training.updates=60", "policy_training.updates=60", "lam_training.schedule=one_cycle",
        "log_every=10", "evaluate_every=20", "checkpoint_every=20",
        f"data.unlabeled={make_dataset('mixed', 'mixed', 12)}", f"data.labeled={make_dataset('play', 'play', 12)}",
        f"data.expert={make_dataset('expert', 'expert', 12)}",
    ]  # fmt: skip
    return load_config("clam", overrides=overrides)


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [33, 60, 85])
def test_a_resumed_run_ends_with_the_same_weights(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    train(config, tmp_path / "whole")
    update, count = trainer.Trainer._update, 0

    def dying(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count > killed_at:
            raise Killed
        return update(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer.Trainer, "_update", staticmethod(dying))
    with pytest.raises(Killed):
        train(config, tmp_path / "killed")
    monkeypatch.setattr(trainer.Trainer, "_update", staticmethod(update))
    torch.manual_seed(123)  # whatever state the new process starts from
    train(config, tmp_path / "killed", resume=True)

    whole, resumed = (load_file(tmp_path / run / "bundle/weights.safetensors") for run in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    positions = [[(line["stage"], line["update"]) for line in read_metrics(tmp_path / r)] for r in ("whole", "killed")]
    assert positions[0] == positions[1]


def test_an_existing_run_is_not_overwritten(config: Config, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/precious").touch()
    with pytest.raises(ClamError, match="exists; add --resume"):
        train(config, tmp_path / "run")
    assert (tmp_path / "run/precious").exists()


def test_nothing_to_resume_is_said(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="nothing to resume"):
        train(config, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_as_another_method(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    with pytest.raises(ClamError, match="trains 'clam', not 'vpt'"):
        train(replace(config, method="vpt"), tmp_path / "run", resume=True)


def test_a_checkpoint_of_another_version_is_refused(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    header = next((tmp_path / "run/checkpoints").glob("*/checkpoint.json"))
    header.write_text(json.dumps(json.loads(header.read_text()) | {"format_version": 99}))
    with pytest.raises(ClamError, match="format version 99, this clam reads 1") as caught:
        train(config, tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)


def test_a_hostile_checkpoint_is_not_executed(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    marker = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (marker,))

    state = next((tmp_path / "run/checkpoints").glob("*/training_state.pt"))
    state.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ClamError, match="cannot be read"):
        train(config, tmp_path / "run", resume=True)
    assert not marker.exists()
