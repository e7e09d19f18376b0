"""Latent IDM and latent FDM from images with space-time attention (Appendix G.2 and G.3): L = H+1.

12,163,344 parameters for images of 3×64×64 in patches of 16, z of 16 and a state of 4. The printed architecture names
a model dimension of 512 in the FDM, which the printed count contradicts: it is that of 256 in both halves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.models.config import TransformerConfig
from clam_core.models.observations import Observations
from clam_core.models.space_time import (
    POSITIONS,
    SpaceTimeTransformer,
    StateFusion,
    count_patches,
    patchify,
    space_time_positions,
    unpatchify,
)
from clam_core.models.transformer import TimePositions, time_steps, transition_ends
from clam_core.models.transformer_lam import SLOPE


class SpaceTimeIDM(nn.Module):
    """Every transition's latent action from all frames of the window, with `state_dim` > 0 from the states too.

    A learned action token stands before the patches of every frame; the head reads what becomes of it.
    """

    def __init__(
        self,
        image: tuple[int, int, int],
        state_dim: int,
        output_dim: int,
        patch_size: int,
        config: TransformerConfig,
    ) -> None:
        super().__init__()
        self.config, self.patch_size, dim = config, patch_size, config.dim
        self.tokens = count_patches(image, patch_size) + 1
        self.embedding = nn.Linear(image[0] * patch_size**2, dim)
        self.action_token = nn.Parameter(torch.randn(dim))
        self.state = StateFusion(state_dim, dim) if state_dim else None
        self.spatial_positions = nn.Embedding(POSITIONS, dim)
        self.temporal_positions = TimePositions(config)
        self.encoder = SpaceTimeTransformer(config.encoder_layers, config)
        self.head = nn.Linear(dim, output_dim)

    def features(self, images: Tensor, state: Tensor) -> Tensor:
        """Single images ``(B, C, H, W)`` in [0, 1] and states ``(B, F)`` → the action token's output ``(B, dim)``.

        An encoder of single observations for the policy (Section 3.2): each is a window of one frame at step 0.
        """
        steps = torch.zeros(1, 1, dtype=torch.long, device=images.device)
        return self._encode(images.unsqueeze(1), state.unsqueeze(1), steps)[:, 0]

    def forward(self, window: Observations) -> Tensor:
        """Window o_{t−H..t+1} with images ``(B, H+2, C, H, W)`` → ``(B, H+1, output_dim)``."""
        assert window.images is not None
        steps = time_steps(window.timestep, self.config)
        output: Tensor = self.head(self._encode(window.images, window.state, steps)[:, 1:])
        return output

    def _encode(self, images: Tensor, state: Tensor, steps: Tensor) -> Tensor:
        """Images ``(B, T, C, H, W)`` → the action tokens' outputs ``(B, T, dim)``."""
        patches = functional.leaky_relu(self.embedding(patchify(images, self.patch_size)), SLOPE)
        action_tokens = self.action_token.expand(*patches.shape[:2], 1, -1)
        x = torch.cat([action_tokens, patches], dim=2)
        if self.state is not None:
            x = self.state(x, state)
        positions = space_time_positions(self.spatial_positions, self.temporal_positions(steps), self.tokens)
        output: Tensor = self.encoder(x, positions, tokens=1)
        return output.squeeze(2)


class SpaceTimeFDM(nn.Module):
    """Every next image from the past up to it and all latent actions of the window.

    A transition's latent action is added to the patches of its first frame, and every patch looks at all latent
    actions of the window by cross-attention, unmasked as in the transformer FDM.
    """

    def __init__(
        self,
        image: tuple[int, int, int],
        state_dim: int,
        latent_dim: int,
        patch_size: int,
        config: TransformerConfig,
    ) -> None:
        super().__init__()
        self.config, self.image, self.patch_size, dim = config, image, patch_size, config.dim
        self.patches = count_patches(image, patch_size)
        patch_dim = image[0] * patch_size**2
        self.embedding = nn.Linear(patch_dim, dim)
        self.latent_embedding = nn.Linear(latent_dim, dim)
        self.state = StateFusion(state_dim, dim) if state_dim else None
        self.spatial_positions = nn.Embedding(POSITIONS, dim)
        self.temporal_positions = TimePositions(config)
        self.latent_positions = TimePositions(config)
        self.decoder = SpaceTimeTransformer(config.decoder_layers, config, causal=True)
        self.to_patches = nn.Linear(dim, patch_dim)

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} with images ``(B, H+1, C, H, W)``, z ``(B, H+1, Z)`` → next images ``(B, H+1, C, H, W)``."""
        assert past.images is not None
        steps = time_steps(past.timestep, self.config)
        memory: Tensor = self.latent_embedding(z)
        x = self.embedding(patchify(past.images, self.patch_size)) + memory.unsqueeze(2)
        if self.state is not None:
            x = self.state(x, past.state)
        positions = space_time_positions(self.spatial_positions, self.temporal_positions(steps), self.patches)
        x = self.decoder(x, positions, memory=(memory, self.latent_positions(transition_ends(steps))))
        return unpatchify(self.to_patches(x), self.patch_size, self.image)
