"""Latent IDM and latent FDM as MLPs over the flattened window (Appendix G.3): L = 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clam_core.models.config import LamConfig
from clam_core.models.mlp import ShortcutMlp, mlp
from clam_core.models.observations import Observations


class MlpIDM(nn.Module):
    """f(z_t | o_{t−H..t}, o_{t+1}) from states."""

    def __init__(self, state_dim: int, output_dim: int, config: LamConfig) -> None:
        super().__init__()
        inputs = state_dim * (config.context + 2)
        self.network = ShortcutMlp(inputs, config.hidden, output_dim, config.activation, config.shortcut)

    def forward(self, window: Observations) -> Tensor:
        """Window o_{t−H..t+1} ``(B, H+2, F)`` → ``(B, 1, output_dim)``."""
        output: Tensor = self.network(window.state.flatten(-2))
        return output.unsqueeze(1)


class MlpFDM(nn.Module):
    """g(o_{t+1} | o_{t−H..t}, z_t). With `residual` the network predicts the change from o_t."""

    def __init__(self, state_dim: int, config: LamConfig) -> None:
        super().__init__()
        self.residual = config.residual
        inputs = state_dim * (config.context + 1) + config.latent_dim
        self.network = mlp(inputs, config.hidden, state_dim, config.activation)

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} ``(B, H+1, F)`` and z_t ``(B, 1, Z)`` → predicted o_{t+1} ``(B, 1, F)``."""
        prediction: Tensor = self.network(torch.cat([past.state.flatten(-2), z[:, 0]], dim=-1))
        return (past.state[:, -1] + prediction if self.residual else prediction).unsqueeze(1)
