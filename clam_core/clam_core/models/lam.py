"""The latent action model (Section 3.1): latent IDM, latent action space and latent FDM, whatever they are made of.

A window holds the observations o_{t−H} … o_{t+1}. A model infers the last L of its transitions: L = 1 for those that
look at the window as a whole (MLP, IMPALA), L = H+1 for the sequence models (Appendix G.3).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from clam_core.models.feature_fdm import FeatureFDM
from clam_core.models.latent_space import LatentActions, LatentSpace
from clam_core.models.observations import Observations


class LatentIDM(Protocol):
    """f(z_t | o_{t−H..t}, o_{t+1})."""

    def __call__(self, window: Observations) -> Tensor:
        """Window ``(B, H+2, …)`` → what the latent space makes latent actions of ``(B, L, ·)``."""
        ...


class LatentFDM(Protocol):
    """g(o_{t+1} | o_{t−H..t}, z_t)."""

    def __call__(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} ``(B, H+1, …)`` and z ``(B, L, Z)`` → predicted next observations ``(B, L, …)``."""
        ...


class LatentActionModel(nn.Module):
    """Latent IDM and latent FDM around a latent space.

    With `predicts_images` the FDM predicts images, or features of images (`FeatureFDM`), else states.
    """

    def __init__(self, idm: nn.Module, fdm: nn.Module, latent_space: LatentSpace, *, predicts_images: bool) -> None:
        super().__init__()
        self.idm, self.fdm, self.latent_space = idm, fdm, latent_space
        self.predicts_images = predicts_images

    def infer(self, window: Observations) -> LatentActions:
        """Algorithm 1, line 4: latent actions of the last L transitions of a window."""
        latent: LatentActions = self.latent_space(self.idm(window))
        return latent

    def predict(self, past: Observations, z: Tensor) -> Tensor:
        """Algorithm 1, line 5: predicted observations after each of the last L of `past`."""
        prediction: Tensor = self.fdm(past, z)
        return prediction

    def observed(self, window: Observations) -> Tensor:
        """What `predict` predicts, as observed: states ``(B, T, F)``, images or feature maps ``(B, T, C, H, W)``."""
        if not self.predicts_images:
            return window.state
        assert window.images is not None
        if isinstance(self.fdm, FeatureFDM):
            features: Tensor = self.fdm.features(window.images)
            return features
        return window.images

    def advance(self, past: Observations, prediction: Tensor) -> Observations:
        """`past` ``(B, H+1, …)`` one step on: its oldest observation goes, the predicted one ``(B, …)`` comes."""
        timestep = torch.cat([past.timestep[:, 1:], past.timestep[:, -1:] + 1], dim=1)
        if not self.predicts_images:
            state = torch.cat([past.state[:, 1:], prediction.unsqueeze(1)], dim=1)
            return Observations(state, None, timestep)
        assert past.images is not None
        images = torch.cat([past.images[:, 1:], prediction.unsqueeze(1)], dim=1)
        state = torch.cat([past.state[:, 1:], past.state[:, -1:]], dim=1)  # it is not predicted: the last one stays
        return Observations(state, images, timestep)
