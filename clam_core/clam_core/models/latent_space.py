"""The space of latent actions: what stands between the latent IDM's output and z."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, ResidualVQ, VectorQuantize

from clam_core.models.config import LatentConfig

LOG_VARIANCE_LIMIT = 10.0


@dataclass(frozen=True)
class LatentActions:
    """`z` ``(B, L, Z)``; `loss`, the space's own: weighted KL or commitment; `codes` ``(B, L[, Q])`` if quantized."""

    z: Tensor
    loss: Tensor
    codes: Tensor | None = None


class LatentSpace(nn.Module):
    """Continuous, Gaussian or quantized latent actions; `input_dim` is what the latent IDM must put out per z."""

    def __init__(self, config: LatentConfig, latent_dim: int) -> None:
        super().__init__()
        self.config = config
        self.input_dim = 2 * latent_dim if config.kind == "gaussian" else latent_dim
        self.quantizer = _quantizer(config, latent_dim)

    @property
    def codebook_size(self) -> int:
        """Number of codes; 0 where latent actions are continuous."""
        if self.config.kind == "fsq":
            return int(torch.tensor(self.config.levels).prod())
        return self.config.codebook_size if self.config.quantized else 0

    def forward(self, raw: Tensor) -> LatentActions:
        """The latent IDM's output ``(B, L, input_dim)`` → latent actions; a Gaussian is sampled in training only."""
        none = raw.new_zeros(())
        if self.config.kind == "continuous":
            return LatentActions(raw, none)
        if self.config.kind == "gaussian":
            mean, log_variance = raw.chunk(2, dim=-1)
            log_variance = log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean) if self.training else mean
            return LatentActions(z, self.config.kl_weight * divergence)
        assert self.quantizer is not None
        if self.config.kind == "fsq":
            z, codes = self.quantizer(raw)
            return LatentActions(z, none, codes)
        z, codes, loss = self.quantizer(raw)
        return LatentActions(z, loss.sum(), codes)


def _quantizer(config: LatentConfig, latent_dim: int) -> nn.Module | None:
    if config.kind == "fsq":
        fsq: nn.Module = FSQ(levels=list(config.levels), dim=latent_dim)
        return fsq
    options = {
        "dim": latent_dim,
        "codebook_size": config.codebook_size,
        "decay": config.decay,
        "commitment_weight": config.commitment_weight,
        "threshold_ema_dead_code": config.dead_code_threshold,
    }
    if config.kind == "vq":
        quantizer: nn.Module = VectorQuantize(**options)
        return quantizer
    if config.kind == "residual_vq":
        residual: nn.Module = ResidualVQ(num_quantizers=config.quantizers, **options)
        return residual
    return None
