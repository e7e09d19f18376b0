"""What a frozen ResNet-18 makes of images, and a latent FDM that predicts it instead of pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.config import LamConfig
from clam_core.models.impala import ResidualBlock, spread
from clam_core.models.observations import Observations
from clam_core.models.resnet import ResNet18, load_resnet18_weights

CHANNELS = 128  # of ResNet-18's second layer
STRIDE = 8  # pixels per place of its map
WIDTH = 64


class FrozenFeatures(nn.Module):
    """The second layer's map of every camera's image, normalized per image; never trained.

    `weights` are a file that `load_pretrained` reads: a checkpoint brings them itself, wherever it is opened.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, image: tuple[int, int, int], weights: str | Path | None) -> None:
        super().__init__()
        channels, height, width = image
        if height % STRIDE or width % STRIDE:
            raise ClamError(
                f"lam.target=features sees images in steps of {STRIDE} pixels, got {height}×{width}: "
                "set features.image_size or lam.image_size"
            )
        self.shape = CHANNELS * (channels // 3), height // STRIDE, width // STRIDE
        self._weights = weights
        network = ResNet18(frozen_norm=weights is not None)
        self.register_buffer("mean", network.mean, persistent=False)
        self.register_buffer("std", network.std, persistent=False)
        self.layers = _first_layers(network)
        self.norm = nn.GroupNorm(1, CHANNELS, affine=False)
        self.requires_grad_(False)
        self.eval()

    def load_pretrained(self) -> None:
        """Fill the network from the file of `weights` (if any), once before training.

        Raises:
            ClamError: the file does not hold ResNet-18's weights.
        """
        if self._weights is not None:
            network = ResNet18(frozen_norm=True)
            load_resnet18_weights(network, self._weights)
            self.layers.load_state_dict(_first_layers(network).state_dict())

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Batch statistics stay as they are."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, T, 3·V, H, W)`` in [0, 1] → maps ``(B, T, 128·V, H/8, W/8)``."""
        batch, steps = images.shape[:2]
        frames = images.reshape(-1, 3, *images.shape[-2:])
        maps: Tensor = self.norm(self.layers((frames - self.mean) / self.std))
        return maps.reshape(batch, steps, -1, *maps.shape[-2:])


def _first_layers(network: ResNet18) -> nn.Sequential:
    return nn.Sequential(network.conv1, network.bn1, nn.ReLU(), network.maxpool, network.layer1, network.layer2)


class FeatureFDM(nn.Module):
    """g(φ(o_{t+1}) | o_{t−H..t}, z_t): the change from φ(o_t), by residual convolutions over the past maps and z."""

    def __init__(self, image: tuple[int, int, int], state_dim: int, config: LamConfig) -> None:
        super().__init__()
        self.features = FrozenFeatures(image, config.resnet_weights)
        self.state_dim = state_dim
        frames, channels = config.context + 1, self.features.shape[0]
        condition = config.latent_dim + frames * state_dim
        self.layers = nn.Sequential(
            nn.Conv2d(frames * channels + condition, WIDTH, 1),
            ResidualBlock(WIDTH),
            ResidualBlock(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, channels, 1),
        )

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} with images ``(B, H+1, C, H, W)``, z_t ``(B, 1, Z)`` → predicted map ``(B, 1, ·, ·, ·)``."""
        assert past.images is not None
        maps = self.features(past.images)
        condition = torch.cat([z[:, 0], past.state.flatten(1)], dim=-1) if self.state_dim else z[:, 0]
        stacked = maps.flatten(1, 2)
        change: Tensor = self.layers(torch.cat([stacked, spread(condition, stacked)], dim=1))
        prediction: Tensor = maps[:, -1] + change
        return prediction.unsqueeze(1)
