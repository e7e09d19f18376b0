"""Latent action model from MLPs (Section 3.1, Appendix G.3): latent IDM, latent FDM, action decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clam_core.models.mlp import ShortcutMlp, mlp


class LatentIDM(nn.Module):
    """f(z_t | o_{t−H..t}, o_{t+1}): continuous latent action of a transition."""

    def __init__(
        self,
        feature_dim: int,
        context: int,
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        shortcut: bool,
    ) -> None:
        super().__init__()
        self.network = ShortcutMlp(feature_dim * (context + 2), hidden, latent_dim, activation, shortcut)

    def forward(self, window: Tensor) -> Tensor:
        """Window o_{t−H..t+1} ``(B, H+2, F)`` → latent action ``(B, Z)``."""
        z: Tensor = self.network(window.flatten(-2))
        return z


class LatentFDM(nn.Module):
    """g(o_{t+1} | o_{t−H..t}, z_t). With `residual` the network predicts the change from o_t."""

    def __init__(
        self,
        feature_dim: int,
        context: int,
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        residual: bool,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.network = mlp(feature_dim * (context + 1) + latent_dim, hidden, feature_dim, activation)

    def forward(self, past: Tensor, latent_action: Tensor) -> Tensor:
        """Past o_{t−H..t} ``(B, H+1, F)`` and z_t ``(B, Z)`` → predicted o_{t+1} ``(B, F)``."""
        prediction: Tensor = self.network(torch.cat([past.flatten(-2), latent_action], dim=-1))
        return past[..., -1, :] + prediction if self.residual else prediction


class ActionDecoder(nn.Module):
    """p(a_t | z_t): latent action ``(..., Z)`` → action ``(..., A)`` scaled to [−1, 1]."""

    def __init__(
        self, latent_dim: int, hidden: Sequence[int], action_dim: int, activation: str, shortcut: bool
    ) -> None:
        super().__init__()
        self.network = ShortcutMlp(latent_dim, hidden, action_dim, activation, shortcut)

    def forward(self, latent_action: Tensor) -> Tensor:
        action: Tensor = self.network(latent_action)
        return action
