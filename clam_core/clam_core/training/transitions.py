"""A dataset as tensors on the training device; a batch is an index gather, not a worker pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError


@dataclass(frozen=True)
class Batch:
    """`window` o_{t−H..t+1} ``(B, H+2, F)``; `target` ``(B, K, ·)`` and `mask` ``(B, K)`` when targets are set."""

    window: Tensor
    target: Tensor | None
    mask: Tensor

    @property
    def past(self) -> Tensor:
        """o_{t−H..t} ``(B, H+1, F)``."""
        return self.window[:, :-1]

    @property
    def observation(self) -> Tensor:
        """o_t ``(B, F)``."""
        return self.window[:, -2]

    @property
    def next_observation(self) -> Tensor:
        """o_{t+1} ``(B, F)``."""
        return self.window[:, -1]


class Transitions:
    """Transitions of some episodes, M in all.

    ``features (N, F)`` has a row for every observation, T+1 for an episode of T transitions; ``targets (M, ·)``, when
    known, a row for every transition (its action or latent action). `context` H repeats the first observation where
    an episode has no earlier one; a chunk that reaches past the end of its episode repeats the last target, masked.
    """

    def __init__(
        self, features: Tensor, lengths: list[int], context: int, chunk: int, targets: Tensor | None = None
    ) -> None:
        device = features.device
        length = torch.tensor(lengths, device=device)
        episode = torch.repeat_interleave(torch.arange(len(lengths), device=device), length)
        self._number = torch.arange(len(episode), device=device)
        self._row = self._number + episode  # every earlier episode has one observation more than transitions
        self._first_row = (length.cumsum(0) - length)[episode] + episode
        self._last_number = length.cumsum(0)[episode] - 1
        self.features, self.targets = features, targets
        self.lengths, self.context, self.chunk = lengths, context, chunk

    def __len__(self) -> int:
        return len(self._number)

    def gather(self, which: Tensor) -> Batch:
        """The transitions numbered `which` ``(B,)``, counted over all episodes."""
        device = which.device
        rows = self._row[which, None] + torch.arange(-self.context, 2, device=device)
        window = self.features[torch.maximum(rows, self._first_row[which, None])]
        ahead = which[:, None] + torch.arange(self.chunk, device=device)
        last = self._last_number[which, None]
        target = None if self.targets is None else self.targets[torch.minimum(ahead, last)]
        return Batch(window, target, ahead <= last)

    def sample(self, batch_size: int) -> Batch:
        """Uniform over transitions, with replacement; draws from torch's global generator of the device."""
        return self.gather(torch.randint(len(self), (batch_size,), device=self._number.device))

    def batches(self, batch_size: int = 4096) -> list[Batch]:
        """All transitions once, in order."""
        return [self.gather(which) for which in torch.split(self._number, batch_size)]

    def with_targets(self, targets: Tensor, chunk: int) -> Transitions:
        """The same transitions with other targets ``(M, ·)``, e.g. the latent actions of Algorithm 1, line 16."""
        return Transitions(self.features, self.lengths, self.context, chunk, targets)


@dataclass(frozen=True)
class RawEpisodes:
    """Episodes of a store as tensors: `states` ``(T+1, D)`` each, `actions` ``(T, A)`` each or None (unlabeled)."""

    states: list[Tensor]
    actions: list[Tensor] | None

    def split(self, held_out: float) -> tuple[RawEpisodes, RawEpisodes | None]:
        """Train and held-out episodes: every n-th is held out; None where there are too few for that."""
        stride = max(2, round(1 / held_out)) if held_out > 0 else len(self.states) + 1
        held = [i for i in range(len(self.states)) if i % stride == stride - 1]
        train = [i for i in range(len(self.states)) if i % stride != stride - 1]
        return self._subset(train), self._subset(held) if held else None

    def without_actions(self) -> RawEpisodes:
        """The same episodes, unlabeled."""
        return RawEpisodes(self.states, None)

    def _subset(self, which: list[int]) -> RawEpisodes:
        actions = None if self.actions is None else [self.actions[i] for i in which]
        return RawEpisodes([self.states[i] for i in which], actions)


def load_episodes(stores: Sequence[EpisodeStore], device: torch.device) -> RawEpisodes:
    """All episodes of `stores` on `device`; actions only if the stores were opened with them.

    Raises:
        ClamError: a store has no episodes.
    """
    states: list[Tensor] = []
    actions: list[Tensor] = []
    for store in stores:
        if store.num_episodes == 0:
            raise ClamError(f"dataset '{store.path}' has no episodes; record or generate some")
        for episode in (store.episode(i) for i in range(store.num_episodes)):
            states.append(torch.as_tensor(episode.observations["state"], dtype=torch.float32, device=device))
            if episode.actions is not None:
                actions.append(torch.as_tensor(episode.actions, dtype=torch.float32, device=device))
    return RawEpisodes(states, actions if all(store.has_actions for store in stores) else None)
