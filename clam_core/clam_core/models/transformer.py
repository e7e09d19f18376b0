"""Transformer encoder and decoder after DETR and ACT: positions are added to queries and keys, not to values.

Appendix G.3 with Tables 12 and 13. One layer has the parameters of one built from ``nn.MultiheadAttention``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.errors import ClamError
from clam_core.models.config import TransformerConfig
from clam_core.models.dropout import Dropout
from clam_core.models.feedforward import FeedForward
from clam_core.models.linear import Linear, linear
from clam_core.models.mapped import mapped

SHORT = 16  # queries times keys up to which attention is computed without matrix products


class Attention(nn.Module):
    """Multi-head attention; parameters, their names and start values are those of ``nn.MultiheadAttention``."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.dim, self.heads, self.dropout = dim, heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Query ``(..., L, dim)``, key and value ``(..., S, dim)`` → ``(..., L, dim)``.

        `mask` ``(L, S)`` is true where a query may look.
        """
        queries, keys, values = (self._heads(x) for x in self._project(query, key, value))
        dropout = self.dropout if self.training else 0.0
        attended = attend(queries, keys, values, mask, dropout)
        output: Tensor = self.out_proj(attended.flatten(-2))
        return output

    def weights(self, query: Tensor, key: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each query of `forward` looks at each key, ``(..., heads, L, S)``: every row sums to one.

        For pictures: the kernels behind `forward` do not hand them out.
        """
        queries, keys = (self._heads(x).transpose(-2, -3) for x in self._project(query, key, key)[:2])
        scores = queries @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights: Tensor = scores.softmax(-1)
        return weights

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if query is key:  # self-attention: one matrix product for both
            sizes = (2 * self.dim, self.dim)
            weights, biases = self.in_proj_weight.split_with_sizes(sizes), self.in_proj_bias.split_with_sizes(sizes)
            queries, keys = linear(query, weights[0], biases[0]).chunk(2, dim=-1)
        else:
            weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
            queries = linear(query, weights[0], biases[0])
            keys = linear(key, weights[1], biases[1])
        return queries, keys, linear(value, weights[-1], biases[-1])

    def _heads(self, x: Tensor) -> Tensor:
        """``(..., L, dim)`` → ``(..., L, heads, dim / heads)``."""
        return x.view(*x.shape[:-1], self.heads, self.dim // self.heads)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """Softmax attention: queries ``(..., L, heads, e)``, keys and values ``(..., S, heads, e)`` → as the queries.

    A CPU's batched matrix products are slow on the three observations of a window; plain products and sums are not.
    """
    if queries.is_cuda or queries.shape[-3] * keys.shape[-3] > SHORT:
        q, k, v = (x.transpose(-2, -3) for x in (queries, keys, values))
        return functional.scaled_dot_product_attention(q, k, v, mask, dropout).transpose(-2, -3)
    scores = (queries.unsqueeze(-3) * (keys * keys.shape[-1] ** -0.5).unsqueeze(-4)).sum(-1)  # (..., L, S, heads)
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-1), -torch.inf)
    weights = functional.dropout(scores.softmax(-2), dropout)
    return (weights.unsqueeze(-1) * values.unsqueeze(-4)).sum(-3)


class Residual(nn.Module):
    """Skip connection, dropout and LayerNorm around a sublayer: before it (`pre_norm`) or after the sum."""

    def __init__(self, config: TransformerConfig, *, affine: bool = True) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        self.norm = nn.LayerNorm(config.dim, elementwise_affine=affine)
        self.dropout = Dropout(config.dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer sees of x."""
        return self.norm(x) if self.pre_norm else x

    def leave(self, x: Tensor, output: Tensor) -> Tensor:
        """x and the sublayer's output, joined."""
        total: Tensor = x + self.dropout(output)
        return total if self.pre_norm else self.norm(total)


class EncoderLayer(nn.Module):
    """Self-attention and feedforward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = Attention(config.dim, config.heads, config.dropout)
        self.feedforward = FeedForward(config)
        self.attention_residual, self.feedforward_residual = Residual(config), Residual(config)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None, last: int | None = None) -> Tensor:
        """``(B, T, dim)`` → the outputs ``(B, last, dim)`` of the `last` tokens; None: of all."""
        values = self.attention_residual.enter(x)
        keys = values + positions
        queries = keys
        if last is not None:
            queries, x = keys[:, -last:], x[:, -last:]
            mask = None if mask is None else mask[-last:]
        x = self.attention_residual.leave(x, self.attention(queries, keys, values, mask))
        return self.feedforward_residual.leave(x, self.feedforward(self.feedforward_residual.enter(x)))


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention to a memory, feedforward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = Attention(config.dim, config.heads, config.dropout)
        self.cross_attention = Attention(config.dim, config.heads, config.dropout)
        self.feedforward = FeedForward(config)
        self.attention_residual, self.cross_residual = Residual(config), Residual(config)
        self.feedforward_residual = Residual(config)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        positions: Tensor,
        memory_positions: Tensor,
        mask: Tensor | None = None,
        cross_mask: Tensor | None = None,
    ) -> Tensor:
        """x ``(B, T, dim)``, memory ``(B, S, dim)`` → ``(B, T, dim)``; masks ``(T, T)`` and ``(T, S)``."""
        values = self.attention_residual.enter(x)
        queries = values + positions
        x = self.attention_residual.leave(x, self.attention(queries, queries, values, mask))
        queries = self.cross_residual.enter(x) + positions
        keys = memory + memory_positions
        x = self.cross_residual.leave(x, self.cross_attention(queries, keys, memory, cross_mask))
        return self.feedforward_residual.leave(x, self.feedforward(self.feedforward_residual.enter(x)))


class Encoder(nn.Module):
    """`encoder_layers` of self-attention, with `causal` to the past only."""

    def __init__(self, config: TransformerConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(config.dim) if config.pre_norm else nn.Identity()

    def forward(self, x: Tensor, positions: Tensor, last: int | None = None) -> Tensor:
        """``(B, T, dim)`` → outputs of the `last` tokens, ``(B, last, dim)``; None: of all.

        The last layer leaves out what nobody reads.
        """
        mask = causal_mask(x.shape[1], x.shape[1], x.device) if self.causal else None
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, positions, mask, last if number == len(self.layers) else None)
        output: Tensor = self.norm(x)
        return output


class Decoder(nn.Module):
    """`decoder_layers` of causal self-attention and cross-attention to all of a memory, or causal too."""

    def __init__(self, config: TransformerConfig, *, causal_cross: bool = False) -> None:
        super().__init__()
        self.causal_cross = causal_cross
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, memory: Tensor, positions: Tensor, memory_positions: Tensor) -> Tensor:
        """x ``(B, T, dim)``, memory ``(B, S, dim)`` → ``(B, T, dim)``."""
        mask = causal_mask(x.shape[1], x.shape[1], x.device)
        cross_mask = causal_mask(x.shape[1], memory.shape[1], x.device) if self.causal_cross else None
        for layer in self.layers:
            x = layer(x, memory, positions, memory_positions, mask, cross_mask)
        output: Tensor = self.norm(x)
        return output


class TimePositions(nn.Embedding):
    """Learned positions in time, one per time step (Table 12)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config.max_timesteps, config.dim)

    def forward(self, timestep: Tensor) -> Tensor:
        """Time steps ``(B, T)`` → ``(B, T, dim)``.

        Raises:
            ClamError: a time step without a position.
        """
        # Reading a maximum from a GPU makes every update wait, and cannot be mapped over: no check in training there.
        blind = mapped() or (timestep.is_cuda and self.training)
        if not blind and (latest := int(timestep.max())) >= self.num_embeddings:
            raise ClamError(
                f"time step {latest} has no learned position, there are {self.num_embeddings}: raise "
                "lam.transformer.max_timesteps, or count within the window with lam.transformer.timesteps=window"
            )
        return super().forward(timestep)


def causal_mask(queries: int, keys: int, device: torch.device) -> Tensor:
    """``(queries, keys)``, true where query i may look: keys 0…i."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril()


def time_steps(timestep: Tensor, config: TransformerConfig) -> Tensor:
    """What positions are looked up by: steps since the episode began ``(B, T)``, or within the window ``(1, T)``."""
    if config.timesteps == "episode":
        return timestep
    return torch.arange(timestep.shape[1], device=timestep.device).unsqueeze(0)


def transition_ends(steps: Tensor) -> Tensor:
    """Time steps of o_{t−H..t} ``(B, H+1)`` → of o_{t−H+1..t+1}.

    Where a window is padded with an episode's first observation, a transition both begins and ends at step 0.
    """
    return torch.cat([steps[:, 1:], steps[:, -1:] + 1], dim=1)
