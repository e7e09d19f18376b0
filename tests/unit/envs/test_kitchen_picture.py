"""The picture of the description that the documentation shows."""

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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nowhere/at/all.png", "--width", "16", "--height", "16"], "/nowhere"),
        (["out.foo"], "'out.foo' is no picture: end its name with .png"),
        (["out"], "'out' is no picture"),
        (["out.png", "--width", "0"], "0x480"),
        (["out.png", "--height", "99999"], "from 1 to 8192"),
    ],
)
def test_what_cannot_be_written_is_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and (said in error or "no OpenGL" in error), error
    assert not list(tmp_path.iterdir())
