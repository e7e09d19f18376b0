"""Latent IDM and latent FDM from images with an IMPALA-CNN and a U-Net, after LAPO (Appendix I): L = 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.models.config import LamConfig
from clam_core.models.impala import ConvSequence, ImpalaCnn, ImpalaEncoder, MapEmbedding, ResidualBlock, halve, spread
from clam_core.models.mlp import mlp
from clam_core.models.observations import Observations


class ImpalaIDM(nn.Module):
    """f(z_t | o_{t−H..t}, o_{t+1}) from images, with `state_dim` > 0 from states too.

    Every frame goes through the same encoder, so that it is an encoder of single observations for the policy
    (Section 3.2). The frames' feature maps are fused by a further convolution sequence, where motion is seen in
    place. The head reads the frames' embeddings beside the fused one: thus what `features` returns is trained.
    """

    def __init__(self, image: tuple[int, int, int], state_dim: int, output_dim: int, config: LamConfig) -> None:
        super().__init__()
        self.state_dim = state_dim
        self.encoder = ImpalaEncoder(image, config.cnn)
        frames, dim = config.context + 2, config.cnn.embedding_dim
        channels, height, width = self.encoder.cnn.output_shape(*image[1:])
        fused = channels, halve(height, 1), halve(width, 1)
        self.fusion = nn.Sequential(ConvSequence(channels * frames, channels), MapEmbedding(fused, dim))
        self.head = mlp(dim + frames * (dim + state_dim), (dim,), output_dim, config.activation)

    def features(self, images: Tensor) -> Tensor:
        """Single images ``(B, C, H, W)`` in [0, 1] → ``(B, E)``."""
        features: Tensor = self.encoder(images)
        return features

    def forward(self, window: Observations) -> Tensor:
        """Window o_{t−H..t+1} with images ``(B, H+2, C, H, W)`` → ``(B, 1, output_dim)``."""
        assert window.images is not None
        batch, frames = window.images.shape[:2]
        maps: Tensor = self.encoder.cnn(window.images.flatten(0, 1))
        embeddings: Tensor = self.encoder.embedding(maps)
        fused: Tensor = self.fusion(maps.reshape(batch, frames * maps.shape[1], *maps.shape[2:]))
        inputs = [fused, embeddings.reshape(batch, -1)]
        if self.state_dim:
            inputs.append(window.state.flatten(1))
        output: Tensor = self.head(torch.cat(inputs, dim=-1))
        return output.unsqueeze(1)


class ImpalaFDM(nn.Module):
    """g(o_{t+1} | o_{t−H..t}, z_t) as a U-Net: an IMPALA-CNN down, and up again beside its feature maps.

    z_t, with `state_dim` > 0 and the past states, is told to every pixel of the input and of the smallest map. With
    `residual` the network predicts the change from o_t, else the image itself in [0, 1].
    """

    def __init__(self, image: tuple[int, int, int], state_dim: int, config: LamConfig) -> None:
        super().__init__()
        self.state_dim, self.residual = state_dim, config.residual
        frames, channels = config.context + 1, image[0]
        condition = config.latent_dim + frames * state_dim
        inputs = frames * channels + condition
        self.down = ImpalaCnn(inputs, config.cnn)
        widths, patch = self.down.widths, config.cnn.patch
        self.bottleneck = UpBlock(widths[-1], condition, widths[-1])
        last = widths[0] if patch > 1 else max(1, widths[0] // 2)
        skips, outputs = (*widths[-2::-1], self.down.stem_width), (*widths[-2::-1], last)
        self.up = nn.ModuleList(
            UpBlock(below, skip, out)
            for below, skip, out in zip((widths[-1], *outputs[:-1]), skips, outputs, strict=True)
        )
        to_patches = nn.Conv2d(last, channels * patch**2, 3, padding=1)
        self.to_image = nn.Sequential(nn.ReLU(), to_patches, *[nn.PixelShuffle(patch)] * (patch > 1))

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} with images ``(B, H+1, C, H, W)``, z_t ``(B, 1, Z)`` → next image ``(B, 1, C, H, W)``."""
        assert past.images is not None
        condition = torch.cat([z[:, 0], past.state.flatten(1)], dim=-1) if self.state_dim else z[:, 0]
        stacked = torch.cat(past.images.unbind(1), dim=1)  # keeps the order of memory, unlike flatten
        *skips, smallest = self.down.stages(stacked, condition)
        maps: Tensor = self.bottleneck(smallest, spread(condition, smallest))
        for block, skip in zip(self.up, reversed(skips), strict=True):
            maps = block(maps, skip)
        output: Tensor = self.to_image(maps)
        return (past.images[:, -1] + output if self.residual else _clamped(output)).unsqueeze(1)


class UpBlock(nn.Module):
    """Feature maps enlarged to the size of `skip` and joined with it: convolution and residual block."""

    def __init__(self, below: int, skip: int, out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(below + skip, out, 3, padding=1), ResidualBlock(out))

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        """``(B, below, h, w)`` and ``(B, skip, H, W)`` → ``(B, out, H, W)``."""
        if maps.shape[-2:] != skip.shape[-2:]:
            maps = functional.interpolate(maps, size=skip.shape[-2:], mode="nearest")
        joined: Tensor = self.layers(torch.cat([maps, skip], dim=1))
        return joined


def _clamped(images: Tensor) -> Tensor:
    """`images` in [0, 1], with gradients as if they had not been clamped.

    A sigmoid would stop learning where much is black: on the way to 0 it saturates everywhere before it tells
    pixels apart.
    """
    return images + (images.clamp(0, 1) - images).detach()
