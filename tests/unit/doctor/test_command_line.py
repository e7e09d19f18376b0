"""`clam doctor BUNDLE`: exit status, JSON and picture, with somebody else's ears."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clam_core.cli import main
from clam_core.cli.doctor import LISTENER
from clam_core.data.images import decode
from clam_core.deploy.bundle import save_bundle
from clam_core.deploy.camera_view import CameraView
from clam_core.doctor.heard import Needs
from clam_core.models.actor import Actor, ActorConfig, ImageConfig
from clam_core.models.config import CnnConfig, PolicyConfig

from .conftest import IMAGE, SPEC, scene


@pytest.fixture
def bundle(tmp_path: Path, view: CameraView) -> Path:
    torch.manual_seed(0)
    policy = PolicyConfig(encoder="impala", hidden=(8,), cnn=CnnConfig((4,), scale=1, embedding_dim=8), chunk=5)
    actor = Actor(ActorConfig((0, 1), (-1, -1), False, 2, policy, image=ImageConfig(("top",), 32, 32)))
    save_bundle(tmp_path / "bundle", actor, SPEC, None, {}, {"top": view})
    return tmp_path / "bundle"


@pytest.fixture
def listener(needs: Needs, robot: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """In the place of the package that needs ROS; `asked` is what it was to listen to."""
    fake = SimpleNamespace(asked={})

    def listen(policy: Any, **options: Any) -> Any:
        fake.asked = options
        assert policy.cameras == ("top",)
        return needs, robot.heard, None

    fake.listen = listen
    monkeypatch.setitem(sys.modules, LISTENER, fake)  # type: ignore[arg-type]
    return fake


def test_a_picture_without_a_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--picture", str(tmp_path / "views.png")]) == 1
    assert "clam doctor BUNDLE --picture" in capsys.readouterr().err


def test_a_ready_robot_is_status_0_and_a_wrong_view_is_1(
    bundle: Path, listener: Any, robot: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "views.png"
    given = ["doctor", str(bundle), "--namespace", "left", "--seconds", "1.5", "--device", "cpu"]
    assert main([*given, "--picture", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ready"
    assert decode(file.read_bytes()).shape == (344, 640, 3)
    assert listener.asked["namespace"] == "left" and listener.asked["seconds"] == 1.5
    robot.seen["top"] = dataclasses.replace(robot.seen["top"], picture=scene(7))
    assert main([*given, "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    failing = [finding["about"] for finding in result["findings"] if finding["level"] == "fail"]
    assert result["ready"] is False and failing == ["view of top"]
    assert IMAGE in {finding["about"] for finding in result["findings"]}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--recover", "."], "leave one of them out"),
        (["--seconds", "0"], "listen for 0.5 to 600 seconds"),
        (["--picture", "/nowhere/at/all.png"], "cannot be written"),
        (["--device", "abacus"], "unknown device 'abacus'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    bundle: Path, listener: Any, capsys: pytest.CaptureFixture[str], more: list[str], text: str
) -> None:
    assert main(["doctor", str(bundle), *more]) == 1
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1
