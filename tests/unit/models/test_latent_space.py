"""Latent spaces: what they do to the latent IDM's output, and what reaches it through them."""

import pytest
import torch

from clam_core.errors import ClamError
from clam_core.models.config import LatentConfig
from clam_core.models.latent_space import LatentSpace


def raw(space: LatentSpace) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(32, 2, space.input_dim, requires_grad=True)


def test_continuous_latent_actions_are_left_alone() -> None:
    space = LatentSpace(LatentConfig(), 4)
    inputs = raw(space)
    latent = space(inputs)
    assert latent.z is inputs and latent.loss == 0 and latent.codes is None and space.codebook_size == 0


def test_a_gaussian_is_sampled_in_training_and_its_mean_in_use() -> None:
    space = LatentSpace(LatentConfig(kind="gaussian", kl_weight=0.5), 4)
    inputs = raw(space)
    mean, log_variance = inputs.chunk(2, dim=-1)
    assert not torch.equal(space(inputs).z, space(inputs).z)
    prior, posterior = torch.distributions.Normal(0, 1), torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(posterior, prior).mean()
    assert space(inputs).loss.item() == pytest.approx(0.5 * divergence.item(), rel=1e-5)
    assert torch.equal(space.eval()(inputs).z, mean)


@pytest.mark.parametrize("kind", ["vq", "residual_vq", "fsq"])
def test_quantized_latent_actions_are_codes_and_pass_gradients_on(kind: str) -> None:
    space = LatentSpace(LatentConfig(kind=kind, codebook_size=8, levels=(3, 3), dead_code_threshold=0), 4)
    for _ in range(5):
        space(raw(space))  # the codebook starts from data
    inputs = raw(space)
    latent = space(inputs)
    assert latent.codes is not None and latent.codes.shape[:2] == (32, 2)
    assert int(latent.codes.min()) >= 0 and int(latent.codes.max()) < space.codebook_size
    distinct = {tuple(z.tolist()) for z in latent.z.detach().round(decimals=4).reshape(-1, 4)}
    assert 1 < len(distinct) <= (64 if kind == "residual_vq" else space.codebook_size + 1)
    latent.z.sum().backward()
    assert inputs.grad is not None and inputs.grad.abs().sum() > 0


def test_in_use_a_code_is_what_it_was() -> None:
    space = LatentSpace(LatentConfig(kind="vq", codebook_size=8), 4)
    space(raw(space))
    space.eval()
    inputs = raw(space)
    before = space(inputs).z
    space(inputs * 3)
    assert torch.equal(space(inputs).z, before)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ClamError, match=r"unknown lam\.latent\.kind 'vqq': did you mean 'vq'"):
        LatentConfig(kind="vqq")
