"""`clam pictures` as a user calls it, on small runs of every method."""

import json
from collections.abc import Callable
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clam_core.cli import main
from clam_core.models.resnet import ResNet18
from clam_core.training.run import load_method

MakeDataset = Callable[..., Path]

STATES = ["lam.hidden=[8]", "policy.hidden=[8]", "lam.transformer.dim=16", "lam.transformer.feedforward_dim=16"]
UPDATES = [f"{stage}_training.updates=1" for stage in ("lam", "grounding", "policy")]
COMMON = ["device=cpu", "data.held_out=0.5", "grounding.decoder.hidden=[8]", "lam.latent_dim=3", *UPDATES]
IMAGES = [
    "features.cameras=[top]", "policy.encoder=impala", "policy.hidden=[8]", "policy.cnn.channels=[2]",
    "lam.patch_size=8", "lam.cnn.channels=[2]", "lam.transformer.dim=16", "lam.transformer.feedforward_dim=16",
    "lam.transformer.heads=2",
]  # fmt: skip
TOKENS = [
    "policy.architecture=action_token", "policy.chunk=2", "policy.action_token.dim=16", "policy.action_token.layers=1",
    "policy.action_token.heads=2", "policy.action_token.feedforward_dim=16", "policy.action_token.stem_tokens=2",
]  # fmt: skip
ROLES = {"bc": ("labeled",), "vpt": ("labeled", "expert"), "dynamo": ("unlabeled", "labeled")}


def trained(folder: Path, data: Path, method: str, *options: str) -> Path:
    run = folder / "run"
    roles = [f"data.{role}={data}" for role in ROLES.get(method, ("unlabeled", "labeled", "expert"))]
    assert main(["train", method, *COMMON, *options, *roles, "--out", str(run)]) == 0
    return run


def pictures(capsys: pytest.CaptureFixture[str], run: Path, *options: str) -> dict[str, dict[str, object]]:
    """The JSON of ``clam pictures``; every file it names is there, and the PNGs are pictures."""
    capsys.readouterr()
    assert main(["pictures", str(run), "--device", "cpu", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    *images, page = [Path(file) for file in found.pop("files")]
    assert {path.stem for path in images} == set(found)
    for path in images:
        image = imageio.imread(path)
        assert min(image.shape[:2]) > 200 and np.asarray(image).std() > 10
    text = page.read_text()
    assert page.name == "index.html" and text.count("data:image/png;base64,") == len(images)
    return dict(found)


@pytest.mark.parametrize("method", ["clam", "lapo", "lapa"])
def test_latent_action_models_show_reconstructions_and_latents(
    method: str, tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, make_dataset("play", "play", 4), method, *STATES)
    found = pictures(capsys, run)
    assert set(found) == {"reconstructions", "latents"}
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert found["reconstructions"]["mse"] == pytest.approx(metrics["lam/reconstruction/held_out"], rel=1e-4)
    assert found["reconstructions"]["mse_trivial"] == pytest.approx(metrics["lam/reconstruction/trivial"], rel=1e-4)
    assert found["latents"]["linear_probe_r2"] == pytest.approx(metrics["lam/latent/linear_probe_r2"], abs=1e-3)
    assert set(found["latents"]["r2"]) == {"fx", "fy"}  # type: ignore[call-overload]


@pytest.mark.parametrize(("method", "name"), [("bc", "actions"), ("vpt", "latents"), ("dynamo", "latents")])
def test_methods_without_a_latent_fdm_show_their_actions(
    method: str, name: str, tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(pictures(capsys, trained(tmp_path, make_dataset("play", "play", 4), method, *STATES))) == {name}


@pytest.mark.parametrize(
    ("architecture", "words"), [("space_time", "attention of the action token"), ("impala", "gradient saliency")]
)
def test_image_models_show_where_they_look_and_say_how_it_was_found(
    architecture: str, words: str, tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset("play", "play", 4, image_size=32)
    found = pictures(capsys, trained(tmp_path, data, "clam", *IMAGES, f"lam.architecture={architecture}"))
    assert set(found) == {"reconstructions", "latents", "attention"}
    networks = found["attention"]["networks"]
    assert isinstance(networks, list) and words in networks[0] and "Policy: gradient saliency" in networks[1]


def test_predicted_features_are_in_the_checkpoint_and_their_file_may_be_gone(
    tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "resnet18.safetensors"
    published = ResNet18(frozen_norm=True).state_dict()
    save_file(published, weights)
    features = ["lam.architecture=impala", "lam.target=features", f"lam.resnet_weights={weights}"]
    run = trained(tmp_path, make_dataset("play", "play", 4, image_size=32), "clam", *IMAGES, *features)
    weights.unlink()
    assert set(pictures(capsys, run)) == {"reconstructions", "latents", "attention"}
    saved = load_method(run, torch.device("cpu")).state_dict()
    assert torch.equal(saved["lam.fdm.features.layers.0.weight"], published["conv1.weight"])


def test_an_action_token_policy_shows_its_attention(
    tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, make_dataset("play", "play", 4, image_size=64), "bc", *IMAGES[:1], *TOKENS)
    found = pictures(capsys, run, "--out", str(tmp_path / "elsewhere"), "--episode", "1")
    assert set(found) == {"actions", "attention"}
    assert found["attention"]["networks"] == [
        "Policy: attention of the action tokens over the cameras' feature maps (mean over heads and layers)"
    ]
    assert (tmp_path / "elsewhere/index.html").is_file() and not (run / "pictures").exists()


def test_an_unfinished_run_is_drawn_without_its_policy_and_says_so(
    tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset("play", "play", 4, image_size=32)
    options = [
        *COMMON,
        *IMAGES,
        "lam.architecture=impala",
        *(f"data.{r}={data}" for r in ("unlabeled", "labeled", "expert")),
    ]
    assert main(["train", "clam", *options, "--until", "lam", "--out", str(tmp_path / "run")]) == 0
    found = pictures(capsys, tmp_path / "run")
    assert len(found["attention"]["networks"]) == 1  # type: ignore[arg-type]
    assert "Training has not ended" in (tmp_path / "run/pictures/index.html").read_text()


def test_errors_are_one_line(tmp_path: Path, make_dataset: MakeDataset, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_dataset("play", "play", 4)
    run = trained(tmp_path, data, "bc", *STATES)

    def failing(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["pictures", *arguments]) == 1
        line = capsys.readouterr().err.strip()
        assert line.startswith("clam: error: ") and "\n" not in line
        return line

    assert "is not a run folder" in failing(str(tmp_path / "nothing"))
    assert "is a bundle" in failing(str(run / "bundle"))
    assert "there are 2 episodes of held-out play, 0 to 1" in failing(str(run), "--episode", "2")
    assert "not of the form ROLE=DIR" in failing(str(run), "--data", "labeled")
    assert "does not learn from a role 'expert'" in failing(str(run), "--data", "expert=x")
    other = make_dataset("other", "play", 4, image_size=8)
    assert "other observations" in failing(str(run), "--data", f"labeled={other}")
    (tmp_path / "file").touch()
    assert "give --out another folder" in failing(str(run), "--out", str(tmp_path / "file" / "pictures"))
    data.rename(tmp_path / "moved")
    assert "give --data labeled=DIR" in failing(str(run))
    assert main(["pictures", str(run), "--data", f"labeled={tmp_path / 'moved'}"]) == 0
    assert "index.html" in capsys.readouterr().out


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["pictures", "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert "Examples:" in text and "reconstructions.png" in text and "--episode" in text
