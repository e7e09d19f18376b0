from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clam_core.errors import ClamError
from clam_core.models.build import build_lam
from clam_core.models.config import CnnConfig, InputShape, LamConfig
from clam_core.models.feature_fdm import FeatureFDM, FrozenFeatures
from clam_core.models.observations import Observations
from clam_core.models.resnet import ResNet18

SMALL = CnnConfig(channels=(4, 8), scale=1, embedding_dim=16, patch=4)
CONFIG = LamConfig(architecture="impala", latent_dim=3, cnn=SMALL, target="features")


def _window() -> Observations:
    return Observations(torch.randn(2, 3, 1), torch.rand(2, 3, 6, 32, 32), torch.arange(3).expand(2, -1))


def test_two_cameras_have_maps_of_their_own_from_the_same_network() -> None:
    torch.manual_seed(0)
    features = FrozenFeatures((6, 32, 32), None)
    images = torch.rand(1, 1, 3, 32, 32)
    maps = features(torch.cat([images, images], dim=2))
    assert maps.shape[2:] == features.shape == (256, 4, 4)
    assert torch.equal(maps[:, :, :128], maps[:, :, 128:])


def test_published_weights_are_what_is_frozen(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = tmp_path / "resnet18.safetensors"
    save_file(ResNet18(frozen_norm=True).state_dict(), weights)
    images = torch.rand(1, 1, 3, 32, 32)
    networks = [FrozenFeatures((3, 32, 32), weights) for _ in range(2)]
    for network in networks:
        network.load_pretrained()
    from_file = [network(images) for network in networks]
    assert torch.equal(*from_file)
    assert not torch.allclose(FrozenFeatures((3, 32, 32), None)(images), from_file[0])


def test_a_checkpoint_brings_the_features_when_their_file_is_gone(tmp_path: Path) -> None:
    weights = tmp_path / "resnet18.safetensors"
    save_file(ResNet18(frozen_norm=True).state_dict(), weights)
    trained = FrozenFeatures((3, 32, 32), weights)
    trained.load_pretrained()
    weights.unlink()
    opened = FrozenFeatures((3, 32, 32), weights)
    opened.load_state_dict(trained.state_dict())
    images = torch.rand(1, 1, 3, 32, 32)
    assert torch.equal(opened(images), trained(images))
    with pytest.raises(ClamError, match="there is no file"):
        opened.load_pretrained()


def test_features_of_an_image_do_not_depend_on_its_batch() -> None:
    features, images = FrozenFeatures((3, 32, 32), None), torch.rand(4, 1, 3, 32, 32)
    torch.testing.assert_close(features(images)[:1], features(images[:1]))


def test_the_loss_trains_all_but_the_features() -> None:
    torch.manual_seed(0)
    lam, window = build_lam(CONFIG, InputShape(1, (6, 32, 32))), _window()
    assert isinstance(lam.fdm, FeatureFDM)
    lam.train()
    before = {name: value.clone() for name, value in lam.fdm.features.state_dict().items()}
    prediction = lam.predict(window.time(slice(None, -1)), lam.infer(window).z)
    truth = lam.observed(window.time(slice(-1, None)))
    assert prediction.shape == truth.shape == (2, 1, 256, 4, 4)
    (prediction - truth).square().mean().backward()  # type: ignore[no-untyped-call]
    trained = {name for name, p in lam.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert trained == {name for name, _ in lam.named_parameters() if not name.startswith("fdm.features.")}
    after = lam.fdm.features.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_an_untrained_change_of_zero_is_the_trivial_prediction() -> None:
    fdm, window = FeatureFDM((6, 32, 32), 1, CONFIG), _window()
    torch.nn.init.zeros_(fdm.layers[-1].weight)
    torch.nn.init.zeros_(fdm.layers[-1].bias)
    past = window.time(slice(None, -1))
    assert past.images is not None
    assert torch.equal(fdm(past, torch.randn(2, 1, 3))[:, 0], fdm.features(past.images)[:, -1])


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ClamError, match=r"steps of 8 pixels, got 50×50"):
        FrozenFeatures((3, 50, 50), None)
    with pytest.raises(ClamError, match=r"lam.target=features goes with lam.steps=1"):
        LamConfig(architecture="impala", target="features", steps=2)
    with pytest.raises(ClamError, match=r"lam.target=features goes with lam.architecture=impala, not 'space_time'"):
        build_lam(LamConfig(architecture="space_time", target="features"), InputShape(0, (3, 64, 64)))
