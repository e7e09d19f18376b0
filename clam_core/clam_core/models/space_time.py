"""Space-time attention (Appendix G.2 and G.3): over an image's patches, then over time, patch by patch.

LayerNorm normalizes every token by itself. The authors' code normalizes all tokens of a frame (or of a patch's time
line) jointly: there the statistics tell a causal decoder about the future.
"""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from clam_core.errors import ClamError
from clam_core.models.config import TransformerConfig
from clam_core.models.feedforward import FeedForward
from clam_core.models.transformer import Attention, Residual, causal_mask

POSITIONS = 200  # rows of the learned spatial positions, as printed in G.3


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Images ``(B, T, C, H, W)`` → patches ``(B, T, N, p·p·C)``, row by row."""
    return rearrange(images, "b t c (h p) (w q) -> b t (h w) (p q c)", p=patch_size, q=patch_size)


def unpatchify(patches: Tensor, patch_size: int, image: tuple[int, int, int]) -> Tensor:
    """Patches ``(B, T, N, p·p·C)`` → images ``(B, T, C, H, W)``; `image` is (C, H, W)."""
    rows = image[1] // patch_size
    pattern = "b t (h w) (p q c) -> b t c (h p) (w q)"
    return rearrange(patches, pattern, h=rows, p=patch_size, q=patch_size)


def count_patches(image: tuple[int, int, int], patch_size: int) -> int:
    """N, the patches of one image (C, H, W).

    Raises:
        ClamError: the image does not divide into patches, or into too many.
    """
    _, height, width = image
    if height % patch_size or width % patch_size:
        raise ClamError(
            f"images of {height}×{width} do not divide into patches of lam.patch_size {patch_size}: "
            "choose an image size or a lam.patch_size that fit"
        )
    patches = (height // patch_size) * (width // patch_size)
    if patches >= POSITIONS:  # one is the action token's
        raise ClamError(
            f"images of {height}×{width} make {patches} patches of lam.patch_size {patch_size}, "
            f"at most {POSITIONS - 1} have a learned position: choose a larger lam.patch_size"
        )
    return patches


class SpaceTimeBlock(nn.Module):
    """Spatial attention, temporal attention, cross-attention to a memory (decoder only), feedforward.

    The printed architecture has the cross-attention in the encoder's blocks too, where nothing uses it. It is kept:
    the printed parameter count includes it. LayerNorms have no parameters.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.spatial, self.temporal, self.cross = (
            Attention(config.dim, config.heads, config.dropout) for _ in range(3)
        )
        self.feedforward = FeedForward(config)
        self.residual = Residual(config, affine=False)  # one for all, it has no parameters

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        *,
        mask: Tensor | None = None,
        memory: tuple[Tensor, Tensor] | None = None,
        tokens: int | None = None,
    ) -> Tensor:
        """Tokens ``(B, T, N, dim)`` → ``(B, T, N, dim)``, or the outputs of the first `tokens` of every frame.

        `mask` ``(T, T)`` is that of temporal attention. `memory` is what every patch looks at and its positions, both
        ``(B, S, dim)``.
        """
        values = self.residual.enter(x)
        keys = values + positions
        queries = keys if tokens is None else keys[:, :, :tokens]
        x, positions = x[:, :, :tokens], positions[:, :, :tokens]
        x = self.residual.leave(x, self.spatial(queries, keys, values))

        values = self.residual.enter(x)
        queries = (values + positions).transpose(1, 2)
        attended = self.temporal(queries, queries, values.transpose(1, 2), mask)
        x = self.residual.leave(x, attended.transpose(1, 2))

        if memory is not None:
            queries = (self.residual.enter(x) + positions).flatten(1, 2)
            remembered, memory_positions = memory
            attended = self.cross(queries, remembered + memory_positions, remembered)
            x = self.residual.leave(x, attended.view_as(x))
        return self.residual.leave(x, self.feedforward(self.residual.enter(x)))


class SpaceTimeTransformer(nn.Module):
    """A stack of blocks; with `causal` temporal attention looks at the past only."""

    def __init__(self, layers: int, config: TransformerConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        self.blocks = nn.ModuleList(SpaceTimeBlock(config) for _ in range(layers))
        self.norm = nn.LayerNorm(config.dim) if config.pre_norm else nn.Identity()

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        *,
        memory: tuple[Tensor, Tensor] | None = None,
        tokens: int | None = None,
    ) -> Tensor:
        """Tokens ``(B, T, N, dim)`` → outputs of the first `tokens` of every frame (None: of all).

        The last block leaves out what nobody reads.
        """
        mask = causal_mask(x.shape[1], x.shape[1], x.device) if self.causal else None
        for number, block in enumerate(self.blocks, start=1):
            wanted = tokens if number == len(self.blocks) else None
            x = block(x, positions, mask=mask, memory=memory, tokens=wanted)
        output: Tensor = self.norm(x)
        return output


class StateFusion(nn.Module):
    """Tells every token the state: Linear([token, Linear(state)]), the gripper state of the authors' image models."""

    def __init__(self, state_dim: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(state_dim, dim)
        self.joint = nn.Linear(2 * dim, dim)

    def forward(self, tokens: Tensor, state: Tensor) -> Tensor:
        """Tokens ``(B, T, N, dim)`` and state ``(B, T, F)`` → ``(B, T, N, dim)``."""
        for_tokens, for_state = self.joint.weight.chunk(2, dim=1)  # the state's half is the same for all tokens
        embedding = functional.linear(self.embedding(state), for_state)
        return functional.linear(tokens, for_tokens, self.joint.bias) + embedding.unsqueeze(2)


def space_time_positions(spatial: nn.Embedding, temporal: Tensor, tokens: int) -> Tensor:
    """Spatial positions of the first `tokens` plus temporal ``(B, T, dim)`` → ``(B, T, tokens, dim)``."""
    rows: Tensor = spatial.weight[:tokens]
    return rows + temporal.unsqueeze(2)
