"""Behaviour cloning: BC-AL on labeled play; BC-Expert, privileged, when `data.labeled` is labeled expert data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from clam_core.methods.base import Method
from clam_core.methods.stage import Datasets, Stage
from clam_core.training.transitions import Batch, Span


class BehaviourCloning(Method):
    """π(a_t | o_t) by supervised learning on labeled data alone (Section 4, Baselines)."""

    USES: ClassVar[tuple[str, ...]] = ("labeled",)

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """One stage."""
        assert data.labeled
        yield self.imitation_stage(*self.split(data.labeled, Span.of_policy(self.config.policy.chunk)))

    def label(self, batch: Batch) -> Tensor:
        """The policy's first action."""
        return self.actor.policy(batch.observation)[:, 0]  # type: ignore[no-any-return]
