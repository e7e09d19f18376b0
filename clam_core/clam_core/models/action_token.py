"""The real robot's policy (Appendix F, Figure 6): image stems after HPT, a transformer decoder after ACT."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.config import ActionTokenConfig, InputShape
from clam_core.models.observations import Observations
from clam_core.models.resnet import FEATURES, ResNet18, load_resnet18_weights


class ImageStem(nn.Module):
    """One camera's modality (Figure 6, left): learnable tokens look at the feature map of a ResNet-18.

    The map's cells carry 2-D sinusoidal positions, as in ACT and HPT: without them cross-attention could not tell
    where in the image a feature lies.
    """

    positions: Tensor

    def __init__(self, height: int, width: int, config: ActionTokenConfig) -> None:
        super().__init__()
        self.resnet = ResNet18(frozen_norm=config.resnet_weights is not None)
        self.projection = nn.Linear(FEATURES, config.dim) if config.dim != FEATURES else nn.Identity()
        self.tokens = nn.Parameter(0.02 * torch.randn(config.stem_tokens, config.dim))
        self.attention = nn.MultiheadAttention(config.dim, config.heads, config.dropout, batch_first=True)
        self.norm = nn.LayerNorm(config.dim)
        positions = map_positions(*ResNet18.output_size(height, width), config.dim)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [0, 1] → tokens ``(B, stem_tokens, dim)``."""
        features: Tensor = self.projection(self.resnet(images).flatten(2).transpose(1, 2)) + self.positions
        queries = self.tokens.expand(len(images), -1, -1)
        attended, _ = self.attention(queries, features, features, need_weights=False)
        tokens: Tensor = self.norm(attended)
        return tokens


class ActionTokenPolicy(nn.Module):
    """π(y_{t..t+K−1} | o_t) for targets y of `target_dim`; `squash` is the Tanh of action policies.

    Every camera has a stem of its own; the state is one more modality of one token. Images lie camera by camera
    along the channels, channel = (camera · frame_stack + frame) · 3 + RGB, and every stacked frame gets tokens.

    The paper calls the decoder's input both "learnable action tokens" and "a fixed position embedding": here it is
    the sum, learnable tokens and fixed sinusoidal positions. The decoder is causal: token k sees tokens 0…k.
    """

    memory_positions: Tensor
    action_positions: Tensor
    causal_mask: Tensor

    def __init__(
        self,
        shape: InputShape,
        cameras: int,
        frame_stack: int,
        target_dim: int,
        chunk: int,
        config: ActionTokenConfig,
        squash: bool,
    ) -> None:
        super().__init__()
        height, width = _check(shape, cameras, frame_stack)
        self.config, self.squash = config, squash
        self.state_dim, self.frame_stack, dim = shape.state_dim, frame_stack, config.dim
        self.stems = nn.ModuleList(ImageStem(height, width, config) for _ in range(cameras))
        self.state_embedding = nn.Linear(shape.state_dim, dim) if shape.state_dim else None
        self.modality_embeddings = nn.Parameter(0.02 * torch.randn(cameras + bool(shape.state_dim), dim))
        self.action_tokens = nn.Parameter(0.02 * torch.randn(chunk, dim))
        layer = nn.TransformerDecoderLayer(dim, config.heads, config.feedforward_dim, config.dropout, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, config.layers, nn.LayerNorm(dim))
        for parameter in self.decoder.parameters():  # torch copies one layer: draw each anew, as ACT does
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.head = self.new_head(target_dim)
        memory = cameras * frame_stack * config.stem_tokens + bool(shape.state_dim)
        self.register_buffer("memory_positions", sequence_positions(memory, dim), persistent=False)
        self.register_buffer("action_positions", sequence_positions(chunk, dim), persistent=False)
        mask = torch.ones(chunk, chunk, dtype=torch.bool).triu(1)
        self.register_buffer("causal_mask", mask, persistent=False)

    def load_pretrained(self) -> None:
        """Fill every camera's ResNet from ``config.resnet_weights`` (if any), once before training.

        Not done on construction: a bundle brings the weights itself, and a robot has no such file.

        Raises:
            ClamError: the file does not hold ResNet-18's weights.
        """
        if self.config.resnet_weights is not None:
            for stem in self.stems:
                assert isinstance(stem, ImageStem)
                load_resnet18_weights(stem.resnet, self.config.resnet_weights)

    def new_head(self, target_dim: int) -> nn.Linear:
        """A last layer for other targets on the same trunk; LAPA has two."""
        return nn.Linear(self.config.dim, target_dim)

    def memory(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → all modalities' tokens, ``(B, cameras · frame_stack · stem_tokens [+ 1], dim)``."""
        assert observations.images is not None
        modalities = []
        for camera, stacked in enumerate(observations.images.chunk(len(self.stems), dim=1)):
            batch, _, height, width = stacked.shape
            frames = stacked.reshape(batch * self.frame_stack, 3, height, width)
            tokens: Tensor = self.stems[camera](frames)
            modalities.append(tokens.reshape(batch, -1, self.config.dim) + self.modality_embeddings[camera])
        if self.state_embedding is not None:
            state: Tensor = self.state_embedding(observations.state[..., : self.state_dim])
            modalities.append((state + self.modality_embeddings[-1]).unsqueeze(1))
        return torch.cat(modalities, dim=1) + self.memory_positions

    def embed(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → what a head reads, ``(B, K, dim)``."""
        memory = self.memory(observations)
        tokens = (self.action_tokens + self.action_positions).expand(len(memory), -1, -1)
        embedding: Tensor = self.decoder(tokens, memory, tgt_mask=self.causal_mask, tgt_is_causal=True)
        return embedding

    def read(self, head: nn.Linear, embedding: Tensor) -> Tensor:
        """A head's targets ``(B, K, ·)``."""
        targets: Tensor = head(embedding)
        return targets

    def forward(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → targets ``(B, K, target_dim)``."""
        targets = self.read(self.head, self.embed(observations))
        return torch.tanh(targets) if self.squash else targets


def sequence_positions(length: int, dim: int) -> Tensor:
    """Fixed sinusoidal positions (Vaswani et al. 2017) ``(length, dim)``: sines, then cosines."""
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(dim // 2) / (dim // 2))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def map_positions(height: int, width: int, dim: int) -> Tensor:
    """Fixed sinusoidal positions of a map's cells, row by row ``(height · width, dim)``: row half, column half."""
    rows = sequence_positions(height, dim // 2)[:, None].expand(-1, width, -1)
    columns = sequence_positions(width, dim // 2)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def _check(shape: InputShape, cameras: int, frame_stack: int) -> tuple[int, int]:
    if shape.image is None:
        raise ClamError(
            "policy.architecture 'action_token' needs images; name features.cameras, or use policy.architecture=mlp"
        )
    channels, height, width = shape.image
    if cameras < 1 or frame_stack < 1 or channels != 3 * cameras * frame_stack:
        raise ClamError(
            f"images of {channels} channels are not 3 (RGB) times {cameras} cameras times {frame_stack} stacked frames"
        )
    return height, width
