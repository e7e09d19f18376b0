"""Behaviour cloning: BC-AL on labeled play; BC-Expert, privileged, when `data.labeled` is labeled expert data."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clam_core.methods.base import Datasets, Method, Stage, imitation_stage
from clam_core.training.transitions import Transitions


class BehaviourCloning(Method):
    """π(a_t | o_t) by supervised learning on labeled data alone (Section 4, Baselines)."""

    USES = ("labeled",)

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """One stage."""
        assert data.labeled
        config = self.config
        train, held_out = self.split(data.labeled, config.data.held_out, 0, config.policy.chunk)
        yield imitation_stage(self.actor.policy, train, held_out, config)

    def label(self, transitions: Transitions) -> Tensor:
        """The policy's first action for every observation."""
        return torch.cat([self.actor.policy(batch.observation)[:, 0] for batch in transitions.batches()])
