"""`clam bench train-step` on a network small enough for a test; the authors' code is not at hand here."""

import json
from pathlib import Path

import pytest

from clam_core.cli import main

SMALL = ["lam.transformer.dim=8", "lam.transformer.feedforward_dim=8", "lam.transformer.encoder_layers=1",
         "lam.transformer.decoder_layers=1", "lam.transformer.heads=2", "lam_training.batch_size=8"]  # fmt: skip


def test_our_half_is_measured_and_the_other_is_skipped_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--rounds", "2", "--updates", "2", "--device", "cpu", "--out", str(tmp_path)]
    assert main(["bench", "train-step", *SMALL, *quick, "--reference", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["updates_per_second"]["clam_core"] > 0
    assert result["peak_memory_mib"]["clam_core"] > 0
    assert "clam_code" not in result["updates_per_second"] and "ratio" not in result
    assert "the authors' code is not in" in result["skipped"]
    assert json.loads((tmp_path / "train-step.json").read_text()) == result
    assert "left out" in (tmp_path / "train-step.md").read_text()
    assert (tmp_path / "train-step.png").read_bytes().startswith(b"\x89PNG")


def test_a_stack_takes_its_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--rounds", "2", "--updates", "2", "--device", "cpu", "--out", str(tmp_path)]
    assert main(["bench", "train-step", *SMALL, *quick, "--stack", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    speed = result["updates_per_second"]["stack of 2"] / result["updates_per_second"]["clam_core"]
    assert 0 < result["stack_ratio"]["low"] <= result["stack_ratio"]["median"] and speed > 0
    assert result["peak_memory_mib"]["stack of 2"] > 0
    assert main(["bench", "train-step", *SMALL, *quick, "--stack", "2", "compile=true"]) != 0
    assert "cannot be stacked: leave out compile=true" in capsys.readouterr().err
