"""The action decoder p(a_t | z_t), which grounds latent actions (Section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clam_core.models.config import DecoderConfig
from clam_core.models.mlp import ShortcutMlp


class ActionDecoder(nn.Module):
    """Latent action ``(..., Z)`` → action ``(..., A)`` scaled to [−1, 1]."""

    def __init__(self, latent_dim: int, action_dim: int, config: DecoderConfig) -> None:
        super().__init__()
        width = config.embedding_dim or latent_dim
        self.embedding = nn.Linear(latent_dim, width) if config.embedding_dim else nn.Identity()
        self.network = ShortcutMlp(width, config.hidden, action_dim, config.activation, config.shortcut)
        self.squash = config.squash

    def forward(self, latent_action: Tensor) -> Tensor:
        action: Tensor = self.network(self.embedding(latent_action))
        return torch.tanh(action) if self.squash else action
