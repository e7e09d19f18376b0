"""What prints to a reader that has seen enough ends in silence."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from clam_core import broken_pipe


@pytest.mark.parametrize(
    "command",
    [
        ["clam_core", "bench", "table4", "--plan"],
        pytest.param(
            ["clam_bringup.runner", "evaluate", "--show"],
            marks=pytest.mark.skipif(not importlib.util.find_spec("clam_bringup"), reason="needs clam_bringup"),
        ),
    ],
)
def test_a_closed_pipe_is_no_traceback(command: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=180)
    assert said == "" and process.returncode == 141


def test_the_pipe_of_a_worker_that_died_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = BrokenPipeError("a worker's")
    monkeypatch.setattr(sys, "stdout", (tmp_path / "log").open("w"))
    with pytest.raises(BrokenPipeError, match="a worker's"):
        broken_pipe.leave(error)
