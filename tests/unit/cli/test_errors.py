"""What the operating system refuses is one line of every command, with status 1; --debug shows where it was."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from clam_core import cli
from clam_core.cli import export, import_data, relabel, summary
from clam_core.errors import ClamError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/disk/x"), "clam: error: /disk/x: Permission denied\n"),
        (OSError(28, "No space left on device"), "clam: error: No space left on device\n"),
        (OSError("truncated\nfile"), "clam: error: truncated file\n"),
        (TimeoutError(), "clam: error: TimeoutError\n"),
    ],
)
def test_an_error_of_the_operating_system_is_one_line(
    error: OSError, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(summary, "run", fail)
    assert cli.main(["summary", "mlp"]) == 1
    assert capsys.readouterr().err == line
    assert cli.main(["summary", "mlp", "--debug"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and said.endswith(line)


def test_an_agent_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sbx", reason="the reinforcement-learning extra is not installed")
    (tmp_path / "file").touch()
    arguments = ["generate", "gym", "Hopper-v5", "--kind", "mixed", "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--agent", str(tmp_path / "file")]) == 1
    assert "file' is a file, not an agent's folder; choose another --agent" in capsys.readouterr().err


def test_labels_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClamError, match=r"cannot write '.*labels': "):
        relabel._write(tmp_path / "file" / "labels", {"action": torch.zeros(3, 2)}, np.array([3]))


def test_labels_are_written_beside_what_an_earlier_command_left(tmp_path: Path) -> None:
    (tmp_path / ".labels.partial").mkdir()
    relabel._write(tmp_path / "labels", {"action": torch.zeros(3, 2)}, np.array([3]))
    assert sorted(path.name for path in (tmp_path / "labels").iterdir() if path.name[0] != ".") == ["data", "meta"]


@pytest.mark.parametrize("name", ["left/wrist", "..", "__top", ""])
def test_a_camera_name_that_no_dataset_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    parser = argparse.ArgumentParser()
    import_data.add_arguments(parser)
    arguments = parser.parse_args(["rosbag", "bags", "--out", str(tmp_path / "out"), "--cameras", f"{name}=/topic"])
    with pytest.raises(ClamError, match=f"a camera cannot be called '{name}'"):
        import_data.run(arguments)


@pytest.mark.parametrize("fps", ["0", "-5", "nan", "inf", "many"])
def test_a_rate_that_is_none_is_a_usage_error(fps: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["lerobot", "data", "--out", "out", f"--fps={fps}"])
    assert f"expected a number above 0, got '{fps}'" in capsys.readouterr().err
