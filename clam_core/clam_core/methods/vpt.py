"""VPT: an inverse dynamics model from the labeled data alone labels the expert episodes; then behaviour cloning."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clam_core.methods.base import Datasets, Losses, Method, Stage, imitation_stage, masked_mse
from clam_core.models.lam import ActionDecoder, LatentIDM
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.transitions import RawEpisodes, Transitions


class Vpt(Method):
    """Supervised IDM a_t = h(f(o_{t−H..t+1})) with the same backbone and action head sizes as CLAM's (Section 4)."""

    USES = ("labeled", "expert")

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        lam, head = config.lam, config.grounding
        self.idm = LatentIDM(
            self.actor.features.dim, lam.context, lam.latent_dim, lam.hidden, lam.activation, lam.shortcut
        )
        self.head = ActionDecoder(lam.latent_dim, head.hidden, len(spec.action.names), head.activation, head.shortcut)

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Supervised IDM, then behaviour cloning of its labels."""
        assert data.labeled and data.expert
        yield self._idm_stage(data.labeled)
        train, held_out = data.expert.split(self.config.data.held_out)
        held_out_demonstrations = self.annotate(held_out) if held_out else None
        yield imitation_stage(self.actor.policy, self.annotate(train), held_out_demonstrations, self.config)

    def _idm_stage(self, labeled: RawEpisodes) -> Stage:
        train, held_out = self.split(labeled, self.config.data.held_out, self.config.lam.context)

        def loss(update: int) -> Losses:
            batch = self.noisy(train.sample(self.config.lam_training.batch_size))
            return {"loss": masked_mse(self.head(self.idm(batch.window)).unsqueeze(1), batch)}

        parameters = [*self.idm.parameters(), *self.head.parameters()]
        return Stage("idm", parameters, self.config.lam_training, loss, lambda: self.grounding(held_out))

    @torch.no_grad()
    def label(self, transitions: Transitions) -> Tensor:
        """The IDM's action for every transition."""
        return torch.cat([self.head(self.idm(batch.window)) for batch in transitions.batches()])

    def annotate(self, episodes: RawEpisodes) -> Transitions:
        """Unlabeled episodes with the IDM's actions, clipped to the valid range, as targets."""
        transitions = self.transitions(episodes.without_actions(), self.config.lam.context)
        return transitions.with_targets(self.label(transitions).clamp(-1, 1), self.config.policy.chunk)
