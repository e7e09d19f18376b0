"""IMPALA-CNN (Espeholt et al. 2018), the image encoder of policies and LAMs (Appendices G.1 and I)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.errors import ClamError
from clam_core.models.config import CnnConfig
from clam_core.models.images import channels_last


class ResidualBlock(nn.Module):
    """Two convolutions, each after a ReLU, beside the identity: ``(B, C, H, W)`` → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, C, H, W)``."""
        change: Tensor = self.convolutions(maps)
        return maps + change


class ConvSequence(nn.Module):
    """Convolution, max-pooling by two, two residual blocks: ``(B, C, H, W)`` → ``(B, C', ⌈H/2⌉, ⌈W/2⌉)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.MaxPool2d(3, stride=2, padding=1),
            ResidualBlock(out_channels),
            ResidualBlock(out_channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, C', ⌈H/2⌉, ⌈W/2⌉)``."""
        halved: Tensor = self.layers(maps)
        return halved


class ImpalaCnn(nn.Module):
    """One `ConvSequence` per entry of `channels`, all widths times `scale`; `widths` are those that result.

    With `patch` p > 1 a stem embeds every patch of p×p pixels first: the sequences then work on 1 / p² of the places.
    """

    def __init__(self, in_channels: int, config: CnnConfig) -> None:
        super().__init__()
        self.patch = config.patch
        self.widths = tuple(channels * config.scale for channels in config.channels)
        self.stem_width = in_channels if self.patch == 1 else self.widths[0]
        self.stem = Patches(in_channels, self.stem_width, self.patch) if self.patch > 1 else None
        self.sequences = nn.ModuleList(
            ConvSequence(before, after)
            for before, after in zip((self.stem_width, *self.widths[:-1]), self.widths, strict=True)
        )

    def output_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Channels, height and width of the feature map of images of that size.

        Raises:
            ClamError: the image does not divide into patches.
        """
        if height % self.patch or width % self.patch:
            raise ClamError(
                f"images of {height}×{width} do not divide into patches of cnn.patch {self.patch}: "
                "choose an image size or a cnn.patch that fit"
            )
        times = len(self.sequences)
        return self.widths[-1], halve(height // self.patch, times), halve(width // self.patch, times)

    def stages(self, images: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """Images ``(B, C, H, W)`` in [0, 1] → what the sequences see and what comes of each, the largest first.

        `condition` ``(B, D)`` is told to every pixel, as D further channels, with which `in_channels` counts.
        """
        if self.stem is None:
            seen = images if condition is None else torch.cat([images, spread(condition, images)], dim=1)
            maps = [channels_last(seen)]
        else:
            maps = [self.stem(channels_last(images), condition)]
        for sequence in self.sequences:
            maps.append(sequence(maps[-1]))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` in [0, 1] → feature map, its shape is `output_shape`."""
        return self.stages(images)[-1]


class Patches(nn.Module):
    """Patches of p×p pixels, each embedded by the same linear map: ``(B, C, H, W)`` → ``(B, C', H/p, W/p)``."""

    def __init__(self, in_channels: int, channels: int, patch: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, channels, patch, stride=patch)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """``(B, C − D, H, W)``, and ``(B, D)`` that is the same at every pixel → ``(B, C', H/p, W/p)``."""
        if condition is None:
            maps: Tensor = self.convolution(images)
            return maps
        weight, bias = self.convolution.weight, self.convolution.bias
        seen = images.shape[1]
        maps = functional.conv2d(images, weight[:, :seen], bias, self.convolution.stride)
        # What is the same at every pixel need not be spread over them: its weights are added up instead.
        return maps + functional.linear(condition, weight[:, seen:].sum((2, 3)))[:, :, None, None]


class ImpalaEncoder(nn.Module):
    """An `ImpalaCnn` and a linear embedding of its feature map; `dim` is the embedding's."""

    def __init__(self, image: tuple[int, int, int], config: CnnConfig) -> None:
        super().__init__()
        channels, height, width = image
        self.dim = config.embedding_dim
        self.cnn = ImpalaCnn(channels, config)
        self.embedding = MapEmbedding(self.cnn.output_shape(height, width), self.dim)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` in [0, 1] → ``(B, E)``."""
        embedding: Tensor = self.embedding(self.cnn(images))
        return embedding


class MapEmbedding(nn.Module):
    """A feature map ``(B, C, H, W)`` through ReLU and a linear layer → ``(B, E)``."""

    def __init__(self, shape: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.linear = nn.Linear(channels * height * width, dim)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, E)``."""
        embedding: Tensor = self.linear(torch.relu(maps).flatten(1))
        return embedding


def halve(size: int, times: int) -> int:
    """`size` in pixels after that many poolings, each of which rounds up."""
    return -(-size // (1 << times))


def spread(vector: Tensor, maps: Tensor) -> Tensor:
    """``(B, D)`` → ``(B, D, H, W)``, the same at every pixel of `maps`."""
    return vector[:, :, None, None].expand(-1, -1, *maps.shape[-2:])
