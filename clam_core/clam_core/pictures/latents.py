"""Latent actions beside the true ones: over an episode, and as a plane of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clam_core.methods.base import Method
from clam_core.methods.clam import Clam
from clam_core.methods.dynamo import Dynamo
from clam_core.methods.lapa import Lapa
from clam_core.methods.stage import current_target
from clam_core.methods.vpt import Vpt
from clam_core.models.observations import Observations
from clam_core.training.diagnostics import linear_probe, r_squared
from clam_core.training.transitions import Batch, Span, Transitions

BATCH = 64


@dataclass(frozen=True)
class Reading:
    """How a method is read: `latent` of windows of `span`, what its labels are called, and whether it has any."""

    latent: Callable[[Batch], Tensor] | None
    span: Span
    label: str | None


@dataclass(frozen=True)
class Labels:
    """Transitions of labeled data: true actions, the method's own ``(N, A)`` scaled to [−1, 1], z ``(N, Z)``."""

    true: Tensor
    own: Tensor | None
    z: Tensor | None

    def r_squared(self) -> Tensor:
        """R² of the method's own actions per dimension ``(A,)``; NaN where the true ones are all the same."""
        if self.own is None:
            return torch.full((self.true.shape[1],), torch.nan)
        return r_squared(self.own, self.true)


@dataclass(frozen=True)
class Plane:
    """Latent actions along their first two principal directions ``(N, 2)``, with the variance that each holds.

    `dimension` is the action that the plane tells best, `explained` its R² by a linear map from the plane; `probe` is
    the mean R² of a linear map from all of z, fitted on other episodes. `colour` ``(N,)`` are that action's values.
    """

    points: Tensor
    colour: Tensor
    shares: tuple[float, float]
    dimension: int
    explained: float
    probe: float


def reading(method: Method) -> Reading:
    """Where the latent actions and labels of `method` come from."""
    if isinstance(method, Clam):
        label = None if method.config.grounding.training == "none" else "decoded latent action"
        label = "policy's action" if isinstance(method, Lapa) else label
        return Reading(lambda batch: method.settled_latent_action(batch.window), method.lam_span, label)
    if isinstance(method, Vpt):
        return Reading(lambda batch: method.idm(batch.window)[:, -1], method.lam_span, "IDM's action")
    if isinstance(method, Dynamo):

        def latent(batch: Batch) -> Tensor:
            embedding = Observations(method.embed(batch.window), None, batch.window.timestep)
            z: Tensor = method.idm(embedding)[:, -1]
            return z

        return Reading(latent, Span.of_lam(method.config.lam.context, 1), "policy's action")
    return Reading(None, method.span, "policy's action")


@torch.no_grad()
def labels(method: Method, transitions: Transitions, which: Tensor) -> Labels:
    """What `method` makes of the labeled transitions numbered `which`."""
    how, parts = reading(method), torch.split(which.to(transitions.features.device), BATCH)
    plain = transitions.with_span(method.span)
    true = torch.cat([current_target(plain.gather(part)) for part in parts])
    own = torch.cat([method.label(plain.gather(part)) for part in parts]).cpu() if how.label else None
    latent, seen = how.latent, transitions.with_span(how.span)
    z = torch.cat([latent(seen.gather(part)) for part in parts]).cpu() if latent else None
    return Labels(true.cpu(), own, z)


def episode(transitions: Transitions, number: int) -> Tensor:
    """Numbers of the transitions of episode `number`."""
    start = sum(transitions.lengths[:number])
    return torch.arange(start, start + transitions.lengths[number])


def plane(z: Tensor, true: Tensor, train_z: Tensor, train_true: Tensor) -> Plane:
    """`z` ``(N, Z)`` with true actions ``(N, A)`` as a plane; the probe is fitted on `train_z`, `train_true`."""
    centred = z.double() - z.double().mean(0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    points = torch.zeros(len(z), 2, dtype=torch.float64)
    count = min(2, len(directions))
    points[:, :count] = centred @ directions[:count].T
    shares = torch.zeros(2, dtype=torch.float64)
    shares[:count] = values[:count].square() / values.square().sum().clamp_min(1e-12)
    fitted = _explained(points, true.double())
    dimension = int(fitted.argmax())
    probe = linear_probe(train_z, train_true, z, true)
    return Plane(
        points, true[:, dimension], (float(shares[0]), float(shares[1])), dimension, float(fitted[dimension]), probe
    )


def _explained(points: Tensor, true: Tensor) -> Tensor:
    """R² of the best linear map from `points` ``(N, 2)`` to each of ``(N, A)``; −1 for an action that never changes."""
    inputs = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    predicted = inputs @ (torch.linalg.pinv(inputs) @ true)
    return r_squared(predicted, true).nan_to_num(-1.0)
