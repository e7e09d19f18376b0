"""MLP policy that predicts a chunk of targets: latent actions (CLAM) or actions (BC, VPT); Appendix G.1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clam_core.models.mlp import mlp


class MlpPolicy(nn.Module):
    """π(y_{t..t+K−1} | o_t) for targets y of `target_dim`; `squash` applies the Tanh of action policies."""

    def __init__(
        self,
        feature_dim: int,
        hidden: Sequence[int],
        target_dim: int,
        chunk: int,
        activation: str,
        squash: bool,
    ) -> None:
        super().__init__()
        self.chunk = chunk
        self.squash = squash
        self.network = mlp(feature_dim, hidden, target_dim * chunk, activation)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, F)`` → ``(B, K, target_dim)``."""
        targets: Tensor = self.network(features).unflatten(-1, (self.chunk, -1))
        return torch.tanh(targets) if self.squash else targets
