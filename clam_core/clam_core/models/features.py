"""From named state vectors to network inputs: selection, standardization, one-step difference.

Per-step motion is tiny against the range of a state, so the standardized difference o_t − o_{t−1} is a feature of
its own. At the first step of an episode the difference is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

MIN_STD = 1e-4  # constants (an unused object slot) must not be blown up to noise
PREVIOUS = "previous/"


class StateFeatures(nn.Module):
    """Features of D raw state entries: ``state[select[i]]``, minus ``state[minus[i]]`` where that is not −1.

    A `minus` entry turns a repeated previous simulator frame into motion. With `difference`, the change since the
    previous observation is appended for the entries that have no `minus`. All are standardized; the statistics are
    buffers, so they travel with the weights.
    """

    mean: Tensor
    std: Tensor
    difference_mean: Tensor
    difference_std: Tensor
    select: Tensor
    minus: Tensor
    is_motion: Tensor

    def __init__(self, select: tuple[int, ...], minus: tuple[int, ...], difference: bool) -> None:
        super().__init__()
        self.difference = difference
        self.state_dim = sum(index < 0 for index in minus)
        minus_indices = torch.tensor(minus, dtype=torch.long)
        self.register_buffer("select", torch.tensor(select, dtype=torch.long), persistent=False)
        self.register_buffer("minus", minus_indices.clamp_min(0), persistent=False)
        self.register_buffer("is_motion", (minus_indices >= 0).float(), persistent=False)
        self.dim = len(select) + (self.state_dim if difference else 0)
        for name, value, size in (
            ("mean", 0.0, len(select)),
            ("std", 1.0, len(select)),
            ("difference_mean", 0.0, self.state_dim),
            ("difference_std", 1.0, self.state_dim),
        ):
            self.register_buffer(name, torch.full((size,), value))

    def fit(self, episodes: Iterable[Tensor]) -> None:
        """Set the statistics from episodes of raw states ``(T+1, D)``."""
        if len(self.mean) == 0:  # images alone
            return
        selected = [self._selected(episode.double()) for episode in episodes]
        self.mean.copy_(torch.cat(selected).mean(0))
        self.std.copy_(torch.cat(selected).std(0).clamp_min(MIN_STD))
        changes = torch.cat([episode[1:] - episode[:-1] for episode in selected])[:, : self.state_dim]
        self.difference_mean.copy_(changes.mean(0))
        self.difference_std.copy_(changes.std(0).clamp_min(MIN_STD))

    def forward(self, state: Tensor, previous: Tensor) -> Tensor:
        """Raw states and the raw states one observation before, both ``(..., D)`` → features ``(..., F)``."""
        selected = self._selected(state)
        features = (selected - self.mean) / self.std
        if not self.difference:
            return features
        change = (selected - self._selected(previous))[..., : self.state_dim]
        return torch.cat([features, (change - self.difference_mean) / self.difference_std], dim=-1)

    def episode(self, states: Tensor) -> Tensor:
        """A whole episode of raw states ``(T+1, D)`` → features ``(T+1, F)``."""
        features: Tensor = self(states, torch.cat([states[:1], states[:-1]]))
        return features

    def _selected(self, state: Tensor) -> Tensor:
        earlier = state.index_select(-1, self.minus) * self.is_motion
        return state.index_select(-1, self.select) - earlier


def select_entries(
    names: tuple[str, ...], include: tuple[str, ...], exclude: tuple[str, ...], frame_difference: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`select` and `minus` of `StateFeatures` for state entries called `names`, plain entries first.

    Names that match no pattern of `include`, or one of `exclude`, are left out. With `frame_difference` an entry
    ``previous/<name>`` (the simulator's frame before the current one) becomes <name> − previous/<name>.
    """
    kept = [name for name in names if _matches(name, include) and not _matches(name, exclude)]
    motions = [n for n in kept if frame_difference and n.startswith(PREVIOUS) and n.removeprefix(PREVIOUS) in names]
    plain = [name for name in kept if name not in motions]
    select = [*plain, *(name.removeprefix(PREVIOUS) for name in motions)]
    minus = [-1] * len(plain) + [names.index(name) for name in motions]
    return tuple(names.index(name) for name in select), tuple(minus)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
