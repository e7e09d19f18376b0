"""The picture of the description that the documentation shows."""

from pathlib import Path

import imageio.v2 as imageio
import pytest

from clam_core.envs.kitchen_picture import main


def test_it_writes_a_picture_of_what_it_is_asked_for(tmp_path, capsys):
    for description in ("workcell", "wx250s"):
        out = tmp_path / f"{description}.png"
        if main([str(out), "--description", description, "--width", "160", "--height", "120"]):
            pytest.skip(capsys.readouterr().err)
    workcell, arm = (imageio.imread(tmp_path / f"{name}.png") for name in ("workcell", "wx250s"))
    assert workcell.shape == arm.shape == (120, 160, 3)
    assert (workcell != arm).any(axis=2).mean() > 0.2, "table and kitchen are seen"
    assert arm.std() > 20, "the arm is seen"


def test_what_cannot_be_written_is_one_line(capsys):
    assert main([str(Path("/nowhere/at/all.png")), "--width", "16", "--height", "16"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
