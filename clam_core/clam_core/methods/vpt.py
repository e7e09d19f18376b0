"""VPT: an inverse dynamics model from the labeled data alone labels the expert episodes; then behaviour cloning."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from clam_core.methods.base import Method
from clam_core.methods.stage import Datasets, Drawn, Losses, Stage
from clam_core.models.action_decoder import ActionDecoder
from clam_core.models.build import build_idm
from clam_core.models.observations import Observations
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.diagnostics import masked_mse
from clam_core.training.transitions import Batch, RawEpisodes, Span, Transitions


class Vpt(Method):
    """Supervised IDM a_t = h(f(o_{t−H..t+1})) with the same backbone and action head sizes as CLAM's (Section 4)."""

    USES = ("labeled", "expert")
    STAGES = ("idm", "policy")

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        self.idm = build_idm(config.lam, self.lam_shape, config.lam.latent_dim)
        self.head = ActionDecoder(config.lam.latent_dim, len(spec.action.names), config.grounding.decoder)

    @property
    def span(self) -> Span:
        """The window of the IDM."""
        return self.lam_span

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Supervised IDM, then behaviour cloning of its labels."""
        assert data.labeled and data.expert
        yield self._idm_stage(data.labeled)
        train, held_out = self.split(data.expert.without_actions(), self.span)
        yield self.imitation_stage(self.annotate(train), self.annotate(held_out) if held_out else None, self.idm)

    def _idm_stage(self, labeled: RawEpisodes) -> Stage:
        train, held_out = self.split(labeled, self.span)
        options = self.config.lam_training

        def draw(_: int) -> Drawn:
            return (self.noisy(train.sample(options.batch_size)),)

        def loss(play: Batch) -> Losses:
            assert play.target is not None
            action = self.actions(play.window)
            last = slice(-action.shape[1], None)
            return {"loss": masked_mse(action, play.target[:, last], play.mask[:, last])}

        modules = [self.idm, self.head]
        return Stage("idm", modules, options, draw, loss, lambda: self.grounding(held_out), "grounding/error")

    def actions(self, window: Observations) -> Tensor:
        """Actions of the last L transitions of a window ``(B, L, A)``."""
        action: Tensor = self.head(self.idm(window))
        return action

    def label(self, batch: Batch) -> Tensor:
        """The IDM's action."""
        return self.mean_over_views(lambda window: self.actions(window)[:, -1], batch.window)

    def annotate(self, transitions: Transitions) -> Transitions:
        """Transitions with the IDM's actions, clipped to the valid range, as targets."""
        return transitions.with_targets(
            self.label_all(transitions).clamp(-1, 1), Span.of_policy(self.config.policy.chunk)
        )
