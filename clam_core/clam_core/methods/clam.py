"""CLAM (Algorithm 1): continuous latent action model with jointly trained action decoder, then latent policy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clam_core.methods.base import Method
from clam_core.methods.imitation import imitation_loss
from clam_core.methods.stage import Datasets, Drawn, Losses, Stage, current_target, one_batch
from clam_core.models.build import build_lam
from clam_core.models.feature_fdm import FeatureFDM
from clam_core.models.images import relative_change
from clam_core.models.latent_space import LatentActions
from clam_core.models.observations import Observations
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.diagnostics import effective_dimension, linear_probe, masked_mse, perplexity
from clam_core.training.transitions import Batch, RawEpisodes, Span, Transitions

DECODED_AT_ONCE = 16_384


class Clam(Method):
    """Stage 1 learns z from unlabeled transitions and grounds it with labeled play; stage 2 imitates experts in z."""

    USES = ("unlabeled", "labeled", "expert")
    STAGES = ("lam", "decoder", "policy")  # the second only of ``grounding.training=afterwards``
    LATENT = True
    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        self.lam = build_lam(config.lam, self.lam_shape)
        self.register_buffer("latent_mean", torch.zeros(config.lam.latent_dim))
        self.register_buffer("latent_std", torch.ones(config.lam.latent_dim))

    @property
    def span(self) -> Span:
        """The window of the latent IDM."""
        return self.lam_span

    def fit_features(self, data: Datasets) -> None:
        """See `Method`; and pretrained features to predict, where the latent FDM has such."""
        super().fit_features(data)
        if isinstance(self.lam.fdm, FeatureFDM):
            self.lam.fdm.features.load_pretrained()

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Lines 2–13; the action decoder, where it is not trained jointly; lines 14–18."""
        assert data.unlabeled and data.labeled and data.expert
        yield self.lam_stage(data)
        if self.config.grounding.training == "afterwards":
            yield self.decoder_stage(data.labeled)
        yield self.imitation_stage(*self.demonstrations(data.expert), self.lam.idm)

    def lam_stage(self, data: Datasets) -> Stage:
        """Stage 1."""
        assert data.unlabeled and data.labeled
        config, lam = self.config.grounding, self.config.lam
        unlabeled, held_out_unlabeled = self.split(data.unlabeled, Span.of_lam(lam.context, lam.steps, lam.image_size))
        labeled, held_out_labeled = self.split(data.labeled, self.lam_span)
        joint = config.training == "joint"

        def draw(update: int) -> Drawn:
            batch = unlabeled.sample(self.config.lam_training.batch_size)  # line 3
            if joint and update % config.every == 0:  # line 7
                return batch, self.noisy(labeled.sample(config.batch_size))  # line 8
            return (batch,)

        def loss(batch: Batch, play: Batch | None = None) -> Losses:
            latent, z_play = self.infer(batch, play)  # lines 4 and 9
            losses = self.reconstruction(batch, latent)  # lines 5–6
            if play is not None and z_play is not None:
                losses["action"] = self.action_error(play, z_play)  # lines 10–11
                losses["loss"] = losses["loss"] + config.weight * losses["action"]
            return losses

        def metrics() -> dict[str, float]:
            values = self.reconstruction_metrics(held_out_unlabeled) | self.probe(labeled, held_out_labeled)
            return values | (self.grounding(held_out_labeled) if joint else {})

        decoder = [self.actor.decoder] if joint and self.actor.decoder else []
        criterion = "grounding/error" if joint else "reconstruction/held_out"
        return Stage("lam", [self.lam, *decoder], self.config.lam_training, draw, loss, metrics, criterion)

    def infer(self, batch: Batch, play: Batch | None) -> tuple[LatentActions, Tensor | None]:
        """Lines 4 and 9: latent actions of the unlabeled batch's first transitions, and z of the labeled batch.

        Both go through the latent IDM at once, as fewer and larger matrix products. Of a latent space with a loss of
        its own, that of the unlabeled ones alone counts; a codebook also follows the labeled ones.
        """
        window = batch.window.time(slice(0, batch.context + 2))
        if play is None:
            return self.lam.infer(window), None
        if self.config.lam.latent.kind != "continuous":
            return self.lam.infer(window), self.lam.infer(play.window).z
        both = self.lam.infer(window.join(play.window))
        return LatentActions(both.z[: len(window)], both.loss), both.z[len(window) :]

    def reconstruction(self, batch: Batch, latent: LatentActions) -> Losses:
        """Lines 5–6 for `latent`, and for k steps ahead: the latent FDM goes on from its own predictions."""
        lam, context, steps = self.lam, batch.context, self.config.lam.steps
        errors, latent_losses = [], []
        past = batch.window.time(slice(0, context + 1))
        for step in range(steps):
            window = batch.window.time(slice(step, step + context + 2))
            if step > 0:
                latent = lam.infer(window)
            prediction = lam.predict(past, latent.z)  # line 5
            last = slice(-latent.z.shape[1], None)
            mask = batch.mask[:, step : step + context + 1]
            truth = lam.observed(window.time(last))
            weight = self.change_weight(window, truth)
            errors.append(masked_mse(prediction, truth, mask[:, last], weight))  # line 6
            latent_losses.append(latent.loss)
            if step + 1 < steps:
                past = lam.advance(past, prediction[:, -1])
        reconstruction, latent_loss = torch.stack(errors).mean(), torch.stack(latent_losses).mean()
        loss = self.config.lam.reconstruction_weight * reconstruction + latent_loss
        losses = {"loss": loss, "reconstruction": reconstruction}
        return losses if self.config.lam.latent.kind == "continuous" else losses | {"latent": latent_loss}

    def change_weight(self, window: Observations, truth: Tensor) -> Tensor | None:
        """Weights ``(B, L, 1, H, W)`` of the pixels' errors for ``lam.change_weight``; None: all count alike."""
        share = self.config.lam.change_weight
        if not share or not self.lam.predicts_images:
            return None
        before = self.lam.observed(window)[:, -1 - truth.shape[1] : -1]
        return (1 - share) + share * relative_change(before, truth)

    def action_error(self, play: Batch, z: Tensor) -> Tensor:
        """Lines 10–11."""
        assert self.actor.decoder is not None and play.target is not None
        action = self.actor.decoder(z)
        last = slice(-action.shape[1], None)
        return masked_mse(action, play.target[:, last], play.mask[:, last])

    def decoder_stage(self, labeled: RawEpisodes) -> Stage:
        """The action decoder alone, on latent actions that no longer change ("no joint training").

        Its inputs are not `noisy`: a latent IDM that never saw noise makes nothing of it.
        """
        assert self.actor.decoder is not None
        train, held_out = self.split(labeled, self.lam_span)
        decoder, options = self.actor.decoder, self.config.grounding_training

        def loss(play: Batch) -> Losses:
            with torch.no_grad():
                z = self.latent_action(play.window)
            return {"loss": (decoder(z) - current_target(play)).square().mean()}

        return Stage(
            "decoder",
            [decoder],
            options,
            one_batch(train, options.batch_size),
            loss,
            lambda: self.grounding(held_out),
            "grounding/error",
            fixed=[self.lam],
        )

    def latent_action(self, window: Observations) -> Tensor:
        """z_t ``(B, Z)``."""
        return self.lam.infer(window).z[:, -1]

    def settled_latent_action(self, window: Observations) -> Tensor:
        """z_t ``(B, Z)`` as a label: with ``augmentation.test_time`` its mean over views. Codes have no mean."""
        if self.config.lam.latent.kind not in ("continuous", "gaussian"):
            return self.latent_action(window)
        return self.mean_over_views(self.latent_action, window)

    @torch.no_grad()
    def latent_actions(self, transitions: Transitions) -> Tensor:
        """z of every transition ``(M, Z)``."""
        return torch.cat([self.settled_latent_action(batch.window) for batch in transitions.batches()])

    def demonstrations(self, expert: RawEpisodes) -> tuple[Transitions, Transitions | None]:
        """Line 16 for train and held-out episodes; the former give the standardization of latent actions."""
        train, held_out = self.split(expert.without_actions(), self.lam_span)
        z = self.latent_actions(train)
        standardize = self.config.policy.standardize_latent  # a run that was taken over may have done otherwise
        self.latent_mean.copy_(z.mean(0) if standardize else torch.zeros_like(self.latent_mean))
        self.latent_std.copy_(z.std(0).clamp_min(1e-6) if standardize else torch.ones_like(self.latent_std))
        if self.LATENT:
            self.actor.latent_mean.copy_(self.latent_mean)
            self.actor.latent_std.copy_(self.latent_std)
        return self.annotate(train, z), self.annotate(held_out, self.latent_actions(held_out)) if held_out else None

    def annotate(self, transitions: Transitions, z: Tensor) -> Transitions:
        """Transitions whose targets are the standardized latent actions z ``(M, Z)``."""
        span = Span.of_policy(self.config.policy.chunk)
        return transitions.with_targets((z - self.latent_mean) / self.latent_std, span)

    def imitation_loss(self, batch: Batch) -> Tensor:
        """Line 17, and with ``policy.decoded_weight`` the squared error of the decoded actions."""
        if not self.LATENT:
            return super().imitation_loss(batch)
        weight, decoder = self.config.policy.decoded_weight, self.actor.decoder
        if not weight or decoder is None:
            return imitation_loss(self.actor.policy, batch)
        assert batch.target is not None
        predicted = self.actor.policy(batch.observation)
        latent = masked_mse(predicted, batch.target, batch.mask)
        with torch.no_grad():
            action = self.decoded(batch.target).clamp(-1, 1)
        decoded = masked_mse(self.decoded(predicted), action, batch.mask, self.error_unit**-2)
        return (1 - weight) * latent + weight * decoded

    @torch.no_grad()
    def imitated_actions(self, train: Transitions) -> Tensor | None:
        """What the latent actions of `train` decode to; None where the policy is not judged by that."""
        if not self.LATENT:
            return super().imitated_actions(train)
        if self.actor.decoder is None or not self.config.policy.decoded_weight:
            return None
        assert train.targets is not None
        return torch.cat([self.decoded(part).clamp(-1, 1) for part in torch.split(train.targets, DECODED_AT_ONCE)])

    def decoded(self, standardized: Tensor) -> Tensor:
        """Actions of standardized latent actions ``(..., Z)``."""
        assert self.actor.decoder is not None
        action: Tensor = self.actor.decoder(standardized * self.latent_std + self.latent_mean)
        return action

    def label(self, batch: Batch) -> Tensor:
        """Decoded latent actions."""
        assert self.actor.decoder is not None
        decoded: Tensor = self.actor.decoder(self.settled_latent_action(batch.window))
        return decoded

    @torch.no_grad()
    def reconstruction_metrics(self, held_out: Transitions | None) -> dict[str, float]:
        """Table 9: error of the predicted next observation beside that of predicting o_t; use of the latent space."""
        if held_out is None:
            return {}
        errors, latents, codes = [], [], []
        entries = slice(0, self.actor.features.state_dim)  # the difference features are not what Table 9 compares
        for batch in self.evaluation_batches(held_out.with_span(self.lam_span)):
            latent = self.lam.infer(batch.window)
            prediction = self.lam.predict(batch.window.time(slice(0, -1)), latent.z)[:, -1]
            current, truth = self.lam.observed(batch.window.time(slice(-2, None))).unbind(1)
            if not self.lam.predicts_images:
                prediction, current, truth = prediction[:, entries], current[:, entries], truth[:, entries]
            errors.append(torch.stack([(p - truth).square().flatten(1).mean(1) for p in (prediction, current)]))
            latents.append(latent.z[:, -1])
            codes += [] if latent.codes is None else [latent.codes[:, -1]]
        error, trivial = torch.cat(errors, dim=1).mean(1)
        metrics = {
            "reconstruction/held_out": float(error),
            "reconstruction/trivial": float(trivial),
            "latent/effective_dimension": effective_dimension(torch.cat(latents)),
        }
        if codes:
            metrics["latent/perplexity"] = perplexity(torch.cat(codes), self.lam.latent_space.codebook_size)
        return metrics

    @torch.no_grad()
    def probe(self, labeled: Transitions, held_out: Transitions | None) -> dict[str, float]:
        """R² of a linear map from z to a, fitted on labeled play, on held-out labeled play."""
        if held_out is None:
            return {}
        z, action = self._pairs(labeled)
        return {"latent/linear_probe_r2": linear_probe(z, action, *self._pairs(held_out))}

    def _pairs(self, transitions: Transitions) -> tuple[Tensor, Tensor]:
        """z and true action of the evaluated transitions; one batch of images at a time."""
        batches = self.evaluation_batches(transitions)
        pairs = [(self.latent_action(batch.window), current_target(batch)) for batch in batches]
        z, action = (torch.cat(part) for part in zip(*pairs, strict=True))
        return z, action
