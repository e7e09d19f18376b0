"""What a method's training is made of: its datasets by role, and stages that draw batches and minimize a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from clam_core.training.config import OptimizationConfig
from clam_core.training.transitions import Batch, RawEpisodes, Transitions

#: Scalars of one update; key ``loss`` is what is minimized.
Losses = dict[str, Tensor]

#: The batches of one update.
Drawn = tuple[Batch, ...]


@dataclass(frozen=True)
class Stage:
    """One optimization of the weights of `modules`: ``loss(*draw(update))`` is what update 1, 2, … minimizes.

    `draw` alone draws from the data, and `loss` reads nothing that differs between runs of other seeds but the method's
    weights and buffers and what was drawn, so that one call of it may be mapped over several runs (`training.stack`).

    `metrics()` looks at held-out data; `criterion` names the one that is lower for better weights. `begin()` is
    called once, before the first update, and not when a run is resumed within the stage. After a `deployable` stage's
    updates the method's actor can be rolled out. `fixed` are modules that the loss calls and does not train.
    """

    name: str
    modules: list[nn.Module]
    optimization: OptimizationConfig
    draw: Callable[[int], Drawn]
    loss: Callable[..., Losses]
    metrics: Callable[[], dict[str, float]]
    criterion: str = "held_out_loss"
    begin: Callable[[], None] = lambda: None
    deployable: bool = False
    fixed: Sequence[nn.Module] = ()


@dataclass(frozen=True)
class Datasets:
    """The episodes a method was given, by role; what it may not see is not here."""

    unlabeled: RawEpisodes | None = None
    labeled: RawEpisodes | None = None
    expert: RawEpisodes | None = None

    def roles(self) -> dict[str, RawEpisodes]:
        """The roles that are present."""
        return {role: episodes for role, episodes in vars(self).items() if episodes is not None}


def one_batch(transitions: Transitions, batch_size: int) -> Callable[[int], Drawn]:
    """A stage's `draw` that draws one batch for every update."""
    return lambda _: (transitions.sample(batch_size),)


def current_target(batch: Batch) -> Tensor:
    """The target of transition t itself ``(B, ·)``."""
    assert batch.target is not None
    return batch.target[:, batch.context]
