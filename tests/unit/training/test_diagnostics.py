"""Diagnostics on data whose answer is known."""

import math

import pytest
import torch

from clam_core.training.diagnostics import effective_dimension, linear_probe, masked_mse, perplexity, r_squared


def test_the_effective_dimension_counts_the_directions_in_use() -> None:
    torch.manual_seed(0)
    z = torch.randn(5000, 2)
    assert effective_dimension(z) == pytest.approx(2, abs=0.01)
    assert effective_dimension(torch.cat([z, torch.zeros(5000, 6)], dim=1)) == pytest.approx(2, abs=0.01)
    assert effective_dimension(z[:, :1]) == pytest.approx(1)


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_a_collapsed_latent_space_uses_no_direction(offset: float) -> None:
    torch.manual_seed(0)
    assert effective_dimension(torch.full((1000, 16), offset)) == 0
    assert effective_dimension(offset + 1e-7 * torch.randn(1000, 16)) == 0


def test_what_has_no_spectrum_has_no_dimension() -> None:
    assert math.isnan(effective_dimension(torch.randn(1, 16)))
    assert math.isnan(effective_dimension(torch.full((10, 4), torch.nan)))


def test_perplexity_counts_the_codes_in_use() -> None:
    assert perplexity(torch.arange(8).repeat(10), 16) == pytest.approx(8)
    assert perplexity(torch.zeros(10, dtype=torch.long), 16) == pytest.approx(1)


def test_the_linear_probe_finds_a_linear_map_and_no_other() -> None:
    torch.manual_seed(0)
    z, weights = torch.randn(2000, 4), torch.randn(4, 3)
    actions = z @ weights + 0.5
    assert linear_probe(z[:1000], actions[:1000], z[1000:], actions[1000:]) == pytest.approx(1, abs=0.01)
    square = z.square()
    assert linear_probe(z[:1000], square[:1000], z[1000:], square[1000:]) < 0.1


def test_r_squared_is_zero_for_the_mean_and_one_for_the_truth() -> None:
    truth = torch.randn(100, 2)
    assert r_squared(truth, truth).tolist() == [1, 1]
    assert r_squared(truth.mean(0).expand_as(truth), truth).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_r_squared_of_what_never_varies_is_not_defined() -> None:
    truth = torch.stack([torch.arange(10.0), torch.full((10,), 0.3)], dim=1)
    assert r_squared(truth + 0.1, truth).isnan().tolist() == [False, True]


def test_masked_steps_do_not_count() -> None:
    prediction, truth = torch.zeros(1, 2, 3, 4, 4), torch.ones(1, 2, 3, 4, 4)
    truth[:, 1] = 100
    assert masked_mse(prediction, truth, torch.tensor([[True, False]])) == 1
