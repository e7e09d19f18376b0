"""`clam bench inference` on networks small enough for a test. Compiling takes too long for one; see `no_compiler`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from clam_core.bench.bundle_name import bundle_name
from clam_core.bench.inference.run import check_agreement
from clam_core.bench.inference.subjects import observations_of
from clam_core.bench.inference.ways import WAYS, Forward, Inputs, Unavailable, compiled, policy_with
from clam_core.cli import main
from clam_core.deploy import load_bundle
from clam_core.deploy.bundle import save_bundle
from clam_core.errors import ClamError
from clam_core.models.actor import Actor, ActorConfig, ImageConfig
from clam_core.models.config import CnnConfig, PolicyConfig
from clam_core.spec import CameraSpec, EnvironmentSpec, ObservationSpec

TOKENS = ("dim=16", "layers=1", "heads=2", "feedforward_dim=16")
SMALL = ["features.image_size=32", "lam.image_size=null", "policy.hidden=[8]"]
SMALL += [f"policy.action_token.{setting}" for setting in TOKENS]
QUICK = ["--device", "cpu", "--rounds", "2", "--answers", "3"]


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")


@pytest.fixture
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(actor: Actor, inputs: Inputs) -> Forward:
        raise Unavailable("the package onnxruntime is not installed")

    monkeypatch.setitem(WAYS, "ONNX Runtime", absent)


@pytest.fixture
def camera_actor() -> Actor:
    torch.manual_seed(0)
    policy = PolicyConfig(encoder="impala", hidden=(16,), chunk=3, cnn=CnnConfig((4, 4), scale=1, embedding_dim=8))
    image = ImageConfig(("top", "side"), 16, 16, frame_stack=2)
    return Actor(ActorConfig((0,), (-1,), False, 2, policy, image=image)).eval()


@pytest.fixture
def camera_spec(point_spec: EnvironmentSpec) -> EnvironmentSpec:
    seen = point_spec.observation
    cameras = (CameraSpec("top", 32, 32), CameraSpec("side", 16, 16))
    action = point_spec.action
    return EnvironmentSpec("toy", "see", ObservationSpec(seen.names, seen.units, cameras), action, 5.0, 20)


@pytest.fixture
def bundle(camera_actor: Actor, camera_spec: EnvironmentSpec, tmp_path: Path) -> Path:
    save_bundle(tmp_path / "run" / "bundle", camera_actor, camera_spec, 0.5, {})
    return tmp_path / "run" / "bundle"


@pytest.mark.usefixtures("no_compiler", "no_onnx")
def test_both_presets_are_measured_and_what_is_not_here_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "inference", *SMALL, *QUICK, "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [policy["name"] for policy in result["policies"]] == [
        "recommended/kitchen-cpu",
        "paper/appendix_f_widowx",
    ]
    for policy in result["policies"]:
        assert list(policy["ways"]) == ["eager", "TorchScript"] and policy["period_ms"] == 200.0
        assert "no-such-compiler" in policy["skipped"]["torch.compile"]
        assert "not installed" in policy["skipped"]["ONNX Runtime"]
        assert policy["ways"]["eager"]["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
        assert all(0 < way["median_ms"] <= way["p99_ms"] for way in policy["ways"].values())
    assert result["machine"]["threads"] == 1
    page = (tmp_path / "inference.md").read_text()
    assert "Left out: torch.compile" in page and "99th percentile" in page and "--rounds 2 --answers 3" in page
    assert (tmp_path / "inference.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "inference.json").read_text())["policies"] == result["policies"]


@pytest.mark.usefixtures("no_compiler", "no_onnx")
def test_a_bundle_is_measured_and_named_without_a_path_of_this_machine(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "out"
    assert main(["bench", "inference", "--bundle", str(bundle), *QUICK, "--out", str(out)]) == 0
    shown, page = capsys.readouterr().out, (out / "inference.md").read_text()
    assert "run/bundle**: 2 cameras 16×16" in shown and "chunks of 3" in page
    assert str(tmp_path) not in page and str(tmp_path) not in (out / "inference.json").read_text()
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("no_compiler", "no_onnx")
def test_a_way_that_answers_otherwise_is_refused(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(actor: Actor, inputs: Inputs) -> Forward:
        return lambda *seen: actor(*seen) * 1.01

    monkeypatch.setitem(WAYS, "TorchScript", wrong)
    command = ["bench", "inference", "--bundle", str(bundle), *QUICK, "--out", str(tmp_path / "out")]
    assert main(command) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "TorchScript answers otherwise" in error
    assert not (tmp_path / "out").exists()


def test_answers_that_are_not_finite_are_refused(camera_spec: EnvironmentSpec) -> None:
    fine = torch.zeros(2, 3, 2)
    assert check_agreement("way", fine + 1e-7, fine, camera_spec) < 1e-6
    with pytest.raises(ClamError, match="way answers otherwise"):
        check_agreement("way", fine * torch.nan, fine, camera_spec)


def test_a_substitute_gets_what_the_network_gets(bundle: Path) -> None:
    """The runtime around it is the one of the robot: the same chunks, frames of before included."""
    loaded = load_bundle(bundle, "cpu")
    substitute = policy_with(loaded.actor, loaded.actor, loaded.spec, loaded.device)
    for observation in observations_of(loaded.spec, 3):
        expected = loaded.predict_chunk(observation)
        np.testing.assert_array_equal(substitute.predict_chunk(observation), expected)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_nothing_is_compiled(camera_actor: Actor) -> None:
    with pytest.raises(Unavailable, match=r"needs a C\+\+ compiler, and there is no no-such-compiler"):
        compiled(camera_actor, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bundle", "nowhere"], "no bundle at 'nowhere'"),
        (["policy.hiden=[8]"], "hidden"),
        (["--bundle", "nowhere", "policy.hidden=[8]"], "leave it or --bundle out"),
        (["features.image_size=null"], "names no features.image_size"),
        (["--device", "tpu9"], "unknown device 'tpu9'"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "inference", *arguments]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error


def test_a_bundle_is_called_by_what_tells_it_from_others() -> None:
    here = Path("/home/someone/clam")
    assert bundle_name(here / "runs/bench/cells/clam-0/train/bundle", here) == "runs/bench/cells/clam-0/train/bundle"
    assert bundle_name(Path("/data/big/bench/cells/clam-0/train/bundle"), here) == "cells/clam-0/train/bundle"
    assert bundle_name(Path("/home/other/bundle"), here) == "bundle"
    assert bundle_name(Path("/bundle"), here) == "bundle"
