"""Policies that predict a chunk of targets: latent actions (CLAM) or actions (BC, VPT)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clam_core.models.config import PolicyConfig
from clam_core.models.encoders import IdmEncoder, ImageEncoder, StateEncoder
from clam_core.models.mlp import trunk
from clam_core.models.observations import Observations


class MlpPolicy(nn.Module):
    """π(y_{t..t+K−1} | o_t) for targets y of `target_dim` (Appendix G.1); `squash` is the Tanh of action policies."""

    def __init__(
        self, encoder: StateEncoder | ImageEncoder | IdmEncoder, target_dim: int, config: PolicyConfig, squash: bool
    ) -> None:
        super().__init__()
        self.config, self.squash = config, squash
        self.encoder = encoder
        self.trunk = trunk(encoder.dim, config.hidden, config.activation)
        self.head = self.new_head(target_dim)

    def new_head(self, target_dim: int) -> nn.Linear:
        """A last layer for other targets on the same trunk; LAPA has two."""
        width = self.config.hidden[-1] if self.config.hidden else self.encoder.dim
        return nn.Linear(width, target_dim * self.config.chunk)

    def embed(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → what a head reads."""
        embedding: Tensor = self.encoder(observations)
        if self.config.freeze_encoder:
            embedding = embedding.detach()
        embedding = self.trunk(embedding)
        return embedding

    def read(self, head: nn.Linear, embedding: Tensor) -> Tensor:
        """A head's targets ``(B, K, ·)``."""
        targets: Tensor = head(embedding)
        return targets.reshape(len(targets), self.config.chunk, -1)

    def forward(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → targets ``(B, K, target_dim)``."""
        targets = self.read(self.head, self.embed(observations))
        return torch.tanh(targets) if self.squash else targets
