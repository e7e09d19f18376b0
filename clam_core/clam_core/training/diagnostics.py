"""What practitioners ask of a latent action space: is it grounded, is it used, is it linear?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: A standard deviation of scaled actions below which they do not vary.
CONSTANT = 1e-6
#: Share of the variance in the square of latent actions below which it is noise of single precision.
COLLAPSED = 1e-10


def masked_mse(prediction: Tensor, truth: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error of ``(B, L, …)`` over the steps where `mask` ``(B, L)`` holds; `weight` broadcasts to it."""
    squared = (prediction - truth).square()
    error = (squared if weight is None else squared * weight).flatten(2).mean(-1)
    return (error * mask).sum() / mask.sum().clamp_min(1)


def r_squared(prediction: Tensor, truth: Tensor) -> Tensor:
    """Coefficient of determination per dimension: ``(N, A)``, the same → ``(A,)``; NaN where the truth is constant."""
    residual = (truth - prediction).square().mean(0)
    total = (truth - truth.mean(0)).square().mean(0)
    return torch.where(total > CONSTANT**2, 1 - residual / total, torch.nan)


def effective_dimension(z: Tensor) -> float:
    """Directions that latent actions ``(N, Z)`` really use: exp of the entropy of their covariance's spectrum.

    0 where all are the same; NaN of fewer than two, or of weights that are no numbers any more.
    """
    if len(z) < 2 or not z.isfinite().all():
        return math.nan
    z = z.double()
    spectrum = torch.linalg.eigvalsh(torch.cov(z.T).reshape(z.shape[1], -1)).clamp_min(0)
    total = spectrum.sum()
    if total <= max(CONSTANT**2, COLLAPSED * float(z.square().mean(0).sum())):
        return 0.0
    return float(torch.exp(torch.special.entr(spectrum / total).sum()))


def perplexity(codes: Tensor, codebook_size: int) -> float:
    """Number of codes that are really used: exp of the entropy of their frequencies."""
    frequency = torch.bincount(codes.flatten(), minlength=codebook_size).double()
    share = frequency / frequency.sum()
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))


def linear_probe(z: Tensor, action: Tensor, held_out_z: Tensor, held_out_action: Tensor, ridge: float = 1e-3) -> float:
    """Mean R² on held-out data of the best linear map z → a: ``(N, Z)``, ``(N, A)``, ``(M, Z)``, ``(M, A)``."""
    inputs, held_out = _with_bias(z, z), _with_bias(held_out_z, z)
    penalty = ridge * len(inputs) * torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device)
    weights = torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ action.double())
    return float(r_squared(held_out @ weights, held_out_action.double()).nanmean())


def _with_bias(z: Tensor, statistics: Tensor) -> Tensor:
    standardized = (z.double() - statistics.double().mean(0)) / statistics.double().std(0).clamp_min(1e-6)
    return torch.cat([standardized, torch.ones_like(standardized[:, :1])], dim=1)
