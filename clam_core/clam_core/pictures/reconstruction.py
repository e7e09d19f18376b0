"""Predicted next observations beside the true ones and beside the trivial copy, that of o_t (Table 9)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clam_core.methods.clam import Clam
from clam_core.pictures.learned import evenly, place_of
from clam_core.training.transitions import Transitions

APART = 5  # steps between two transitions of an episode that are both shown
QUIET = 0.1  # share of the transitions in which less changes than in the quiet one that is shown
BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Transitions numbered `which` ``(N,)``: o_t, o_{t+1} and its prediction, as states, images or feature maps.

    `images` are those of o_t and o_{t+1} where there are any, ``(N, 2, C, H, W)``.
    """

    which: Tensor
    current: Tensor
    truth: Tensor
    predicted: Tensor
    images: Tensor | None

    @property
    def error(self) -> Tensor:
        """Mean squared error of the prediction ``(N,)``."""
        return (self.predicted - self.truth).square().flatten(1).mean(1)

    @property
    def trivial(self) -> Tensor:
        """Mean squared error of the trivial copy ``(N,)``: how much changes."""
        return (self.current - self.truth).square().flatten(1).mean(1)

    @property
    def pixels(self) -> bool:
        """Whether the images themselves are predicted."""
        return self.images is not None and self.truth.shape == self.images[:, 0].shape


@dataclass(frozen=True)
class Errors:
    """Errors of many transitions, without the observations: `error` and `trivial` ``(N,)`` of those in `which`."""

    which: Tensor
    error: Tensor
    trivial: Tensor


@torch.no_grad()
def predict(method: Clam, transitions: Transitions, which: Tensor) -> Predictions:
    """What the latent FDM makes of the transitions numbered `which`, with the latent IDM's own latent actions."""
    batch = transitions.with_span(method.lam_span).gather(which.to(transitions.features.device))
    latent = method.lam.infer(batch.window)
    predicted = method.lam.predict(batch.window.time(slice(0, -1)), latent.z)[:, -1]
    last = batch.window.time(slice(-2, None))
    current, truth = method.lam.observed(last).unbind(1)
    if not method.lam.predicts_images:
        entries = slice(0, method.actor.features.state_dim)  # without the difference features, as in Table 9
        predicted, current, truth = predicted[:, entries], current[:, entries], truth[:, entries]
    images = None if last.images is None else last.images.cpu()
    return Predictions(which, current.cpu(), truth.cpu(), predicted.cpu(), images)


def errors(method: Clam, transitions: Transitions, limit: int) -> Errors:
    """Errors of at most `limit` transitions, evenly spaced."""
    which = evenly(len(transitions), limit)
    parts = []
    for part in torch.split(which, BATCH):
        found = predict(method, transitions, part)
        parts.append((found.error, found.trivial))  # and not the pictures
    error, trivial = (torch.cat(values) for values in zip(*parts, strict=True))
    return Errors(which, error, trivial)


def choose(found: Errors, transitions: Transitions, most: int) -> Tensor:
    """Numbers of the `most` transitions in which most changes, none close to another, and of a quiet one."""
    order = found.trivial.argsort(descending=True).tolist()
    chosen: list[int] = []
    for index in order:
        number = int(found.which[index])
        episode, step = place_of(number, transitions)
        near = [place_of(other, transitions) for other in chosen]
        if all(e != episode or abs(s - step) >= APART for e, s in near):
            chosen.append(number)
        if len(chosen) == most:
            break
    quiet = int(found.which[order[-1 - int(QUIET * (len(order) - 1))]])
    return torch.tensor(chosen if quiet in chosen else [*chosen, quiet])
