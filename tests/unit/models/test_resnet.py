"""torchvision is not installed here: its names and shapes are written out below from the published architecture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from clam_core.errors import ClamError
from clam_core.models.resnet import ResNet18, load_resnet18_weights


def _norm(prefix: str, channels: int) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{name}": (channels,) for name in names} | {f"{prefix}.num_batches_tracked": ()}


def _torchvision_resnet18() -> dict[str, tuple[int, ...]]:
    """Names and shapes in the state_dict of torchvision's resnet18 with 1000 classes."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **_norm("bn1", 64)}
    before = 64
    for layer, channels in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            shapes |= {f"{name}.conv1.weight": (channels, before, 3, 3), **_norm(f"{name}.bn1", channels)}
            shapes |= {f"{name}.conv2.weight": (channels, channels, 3, 3), **_norm(f"{name}.bn2", channels)}
            if before != channels:
                shapes[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", channels)
            before = channels
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def _published(seed: int = 0) -> dict[str, Tensor]:
    """A stand-in for the published file: its names and shapes, small random numbers."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in _torchvision_resnet18().items():
        weights[name] = 0.05 * torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            weights[name] = 1 + weights[name].abs()
        elif name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(7)
    return weights


def _save(weights: dict[str, Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


def test_names_and_shapes_are_torchvisions_without_fc() -> None:
    published = _torchvision_resnet18()
    ours = {name: tuple(value.shape) for name, value in ResNet18().state_dict().items()}
    assert ours == {name: shape for name, shape in published.items() if not name.startswith("fc.")}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    sizes = [torch.Size(shape).numel() for name, shape in published.items() if not name.endswith(statistics)]
    assert sum(sizes) == 11_689_512  # the published count
    assert sum(p.numel() for p in ResNet18().parameters()) == 11_689_512 - 513 * 1000
    frozen = {name: tuple(value.shape) for name, value in ResNet18(frozen_norm=True).state_dict().items()}
    assert frozen == {name: shape for name, shape in ours.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize(("size", "cells"), [((64, 64), (2, 2)), ((84, 50), (3, 2)), ((224, 224), (7, 7))])
def test_the_map_has_a_32nd_of_the_size(size: tuple[int, int], cells: tuple[int, int]) -> None:
    model = ResNet18(frozen_norm=True)
    with torch.no_grad():
        assert model(torch.rand(1, 3, *size)).shape == (1, 512, *cells)
    assert ResNet18.output_size(*size) == cells


@pytest.mark.parametrize("frozen", [False, True])
def test_all_parameters_learn_and_frozen_statistics_stay(frozen: bool) -> None:
    torch.manual_seed(0)
    model = ResNet18(frozen_norm=frozen)
    before = model.bn1.running_mean.clone()  # type: ignore[operator]
    model(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert torch.equal(before, model.bn1.running_mean) == frozen  # type: ignore[arg-type]
    assert any("bn" in name for name, _ in model.named_parameters()) != frozen


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("dropped", [(), ("fc.", "num_batches_tracked")])
def test_published_weights_load(tmp_path: Path, suffix: str, frozen: bool, dropped: tuple[str, ...]) -> None:
    weights = {name: value for name, value in _published().items() if not any(d in name for d in dropped)}
    model = ResNet18(frozen_norm=frozen)
    load_resnet18_weights(model, _save(weights, tmp_path / f"resnet18{suffix}"))
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, weights[name]), name


def test_frozen_and_evaluated_batch_normalization_agree(tmp_path: Path) -> None:
    path = _save(_published(), tmp_path / "resnet18.safetensors")
    trained, frozen = ResNet18().eval(), ResNet18(frozen_norm=True)
    load_resnet18_weights(trained, path)
    load_resnet18_weights(frozen, path)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(frozen(images), trained(images))


def test_a_pickle_that_would_run_code_is_refused_without_running_it(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({**_published(), "conv1.weight": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(ClamError, match="no file of weights"):
        load_resnet18_weights(ResNet18(), tmp_path / "hostile.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"damaged{suffix}"
    for content in (b"", b"not weights at all", _save(_published(), path).read_bytes()[:100_000]):
        path.write_bytes(content)
        with pytest.raises(ClamError, match="no file of weights"):
            load_resnet18_weights(ResNet18(), path)


def _changed(**changes: object) -> dict[str, object]:
    return {**_published(), **{name.replace("__", "."): value for name, value in changes.items()}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "tensors by name"),
        (_changed(conv1__weight=3), "tensors by name"),
        (_changed(conv1__weight=torch.zeros(64, 3, 3, 3)), r"'conv1.weight' has the shape \(64, 3, 3, 3\)"),
        (_changed(conv1__weight=torch.full((64, 3, 7, 7), float("nan"))), "finite numbers"),
        (_changed(conv1__weight=torch.zeros(64, 3, 7, 7, dtype=torch.long)), "finite numbers"),
        (_changed(conv1__weight=torch.zeros(64, 3, 7, 7, device="meta")), "finite numbers"),
        (_changed(conv1__weight=torch.zeros(64, 3, 7, 7).to_sparse()), "finite numbers"),
        (_changed(layer3__2__conv1__weight=torch.zeros(1)), "has 'layer3.2.conv1.weight'"),
        ({"state_dict": torch.zeros(1)}, "lacks 'bn1.bias'"),
    ],
)
def test_other_content_is_refused_in_one_line_and_changes_nothing(
    tmp_path: Path, content: object, message: str
) -> None:
    torch.save(content, tmp_path / "other.pth")
    model = ResNet18()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ClamError, match=message) as error:
        load_resnet18_weights(model, tmp_path / "other.pth")
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_missing_file_and_another_suffix_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match=r"no file '.*absent\.pth'"):
        load_resnet18_weights(ResNet18(), tmp_path / "absent.pth")
    (tmp_path / "weights.bin").touch()
    with pytest.raises(ClamError, match=r"\.pth or \.safetensors"):
        load_resnet18_weights(ResNet18(), tmp_path / "weights.bin")
