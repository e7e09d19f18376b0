"""CLAM (Algorithm 1): continuous latent action model with jointly trained action decoder, then latent policy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from clam_core.methods.base import Datasets, Losses, Method, Stage, imitation_stage, masked_mse
from clam_core.models.lam import LatentFDM, LatentIDM
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.transitions import RawEpisodes, Transitions


class Clam(Method):
    """Stage 1 learns z from unlabeled transitions and grounds it with labeled play; stage 2 imitates experts in z."""

    USES = ("unlabeled", "labeled", "expert")
    LATENT = True

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        lam, features = config.lam, self.actor.features.dim
        self.idm = LatentIDM(features, lam.context, lam.latent_dim, lam.hidden, lam.activation, lam.shortcut)
        self.fdm = LatentFDM(features, lam.context, lam.latent_dim, lam.hidden, lam.activation, lam.residual)

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Lines 2–13, then lines 14–18."""
        assert data.unlabeled and data.labeled and data.expert
        yield self._lam_stage(data)
        yield self._policy_stage(data)

    def _lam_stage(self, data: Datasets) -> Stage:
        assert data.unlabeled and data.labeled and self.actor.decoder
        config, context, held_out = self.config.grounding, self.config.lam.context, self.config.data.held_out
        unlabeled, held_out_unlabeled = self.split(data.unlabeled, held_out, context)
        labeled, held_out_labeled = self.split(data.labeled, held_out, context)
        decoder = self.actor.decoder

        def loss(update: int) -> Losses:
            batch = unlabeled.sample(self.config.lam_training.batch_size)  # line 3
            z = self.idm(batch.window)  # line 4
            prediction = self.fdm(batch.past, z)  # line 5
            reconstruction = mse_loss(prediction, batch.next_observation)  # line 6
            losses = {"loss": reconstruction, "reconstruction": reconstruction}
            if update % config.every == 0:  # line 7
                play = self.noisy(labeled.sample(config.batch_size))  # line 8
                action = decoder(self.idm(play.window))  # lines 9–10
                losses["action"] = masked_mse(action.unsqueeze(1), play)  # line 11
                losses["loss"] = losses["loss"] + config.weight * losses["action"]
            return losses

        def metrics() -> dict[str, float]:
            return self._reconstruction(held_out_unlabeled) | self.grounding(held_out_labeled)

        parameters = [*self.idm.parameters(), *self.fdm.parameters(), *decoder.parameters()]
        return Stage("lam", parameters, self.config.lam_training, loss, metrics)

    def _policy_stage(self, data: Datasets) -> Stage:
        assert data.expert
        train, held_out = data.expert.split(self.config.data.held_out)
        demonstrations = self.annotate(train, fit=True)
        held_out_demonstrations = self.annotate(held_out) if held_out else None
        return imitation_stage(self.actor.policy, demonstrations, held_out_demonstrations, self.config)

    @torch.no_grad()
    def latent_actions(self, transitions: Transitions) -> Tensor:
        """z of every transition ``(M, Z)``."""
        return torch.cat([self.idm(batch.window) for batch in transitions.batches()])

    def annotate(self, episodes: RawEpisodes, fit: bool = False) -> Transitions:
        """Line 16: transitions whose targets are standardized latent actions; `fit` sets the standardization."""
        transitions = self.transitions(episodes.without_actions(), self.config.lam.context)
        z = self.latent_actions(transitions)
        if fit:
            self.actor.latent_mean.copy_(z.mean(0))
            self.actor.latent_std.copy_(z.std(0).clamp_min(1e-6))
        return transitions.with_targets((z - self.actor.latent_mean) / self.actor.latent_std, self.config.policy.chunk)

    def label(self, transitions: Transitions) -> Tensor:
        """Decoded actions of every transition ``(M, A)``, scaled to [−1, 1]."""
        assert self.actor.decoder is not None
        decoded: Tensor = self.actor.decoder(self.latent_actions(transitions))
        return decoded

    @torch.no_grad()
    def _reconstruction(self, held_out: Transitions | None) -> dict[str, float]:
        """Table 9: error of the predicted next observation beside that of predicting o_t, standardized states."""
        if held_out is None:
            return {}
        state = slice(0, self.actor.features.state_dim)
        errors = {"held_out": 0.0, "trivial": 0.0}
        for batch in held_out.batches():
            prediction = self.fdm(batch.past, self.idm(batch.window))
            weight = len(batch.window) / len(held_out)
            truth = batch.next_observation[:, state]
            errors["held_out"] += weight * float(mse_loss(prediction[:, state], truth))
            errors["trivial"] += weight * float(mse_loss(batch.observation[:, state], truth))
        return {f"reconstruction/{name}": value for name, value in errors.items()}
