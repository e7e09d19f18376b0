"""All pictures of a run, each with how to read it, and the page that shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from clam_core.errors import ClamError
from clam_core.methods.base import Method
from clam_core.methods.clam import Clam
from clam_core.pictures import latents
from clam_core.pictures.draw_gaze import draw_gazes
from clam_core.pictures.draw_latents import draw_episode
from clam_core.pictures.draw_reconstructions import draw_images, draw_states
from clam_core.pictures.figures import write_figure
from clam_core.pictures.gaze import idm_gaze, policy_gaze
from clam_core.pictures.learned import Learned, evenly, place_of
from clam_core.pictures.page import Picture, write_page
from clam_core.pictures.reconstruction import choose, errors, predict

LIMIT = 1024  # transitions that numbers are computed from, at most
MOST = 4  # transitions of which images are shown, beside a quiet one
GAZES = 3  # of which attention is shown


def write_pictures(learned: Learned, folder: Path, episode: int = 0) -> list[Picture]:
    """Write the pictures that the run's method can have, and ``index.html``, into `folder`; returns them.

    Args:
        episode: which of the held-out play episodes to show the latent actions of.

    Raises:
        ClamError: no such episode, or the run's data is gone.
    """
    pictures = []
    for drawn in (_reconstructions(learned), _latents(learned, episode), _attention(learned)):
        if drawn is not None:
            figure, picture = drawn
            folder.mkdir(parents=True, exist_ok=True)
            write_figure(figure, folder / picture.file)
            pictures.append(picture)
    write_page(folder, _heading(learned), _remarks(learned), pictures)
    return pictures


def _reconstructions(learned: Learned) -> tuple[Figure, Picture] | None:
    """Only a latent FDM predicts observations: those of CLAM, LAPO and LAPA."""
    method = learned.method
    if not isinstance(method, Clam):
        return None
    shown = learned.shown("unlabeled")
    transitions = learned.transitions(shown.episodes, method.lam_span)
    found = errors(method, transitions, LIMIT)
    facts = {
        "mse": float(found.error.mean()),
        "mse_trivial": float(found.trivial.mean()),
        "transitions": len(found.which),
    }
    ratio = f"MSE {facts['mse']:.2e}, trivial copy {facts['mse_trivial']:.2e}"
    title = f"Next observations, {shown.words} ({len(found.which)} transitions): {ratio}"
    chosen = predict(method, transitions, choose(found, transitions, MOST))
    if chosen.images is not None:
        labels = ["episode {}\nstep {}".format(*place_of(n, transitions)) for n in chosen.which.tolist()]
        image = method.actor.config.image
        assert image is not None
        reading = (
            "Transitions in which most changes, and last one in which little does. Both error maps have the same "
            "colours: where the prediction's is darker than the copy's, the latent action has told the latent FDM "
            "something. A prediction that equals the copy has learned nothing of the motion."
        )
        return draw_images(chosen, labels, image.cameras, title), _picture("reconstructions", reading, facts)
    every = predict(method, transitions, found.which)
    reading = (
        "Left: where the blue bar is shorter than the yellow one, the prediction is better than repeating o(t). Right: "
        "points on the grey diagonal are foretold exactly, points on the yellow line as badly as by the copy."
    )
    return draw_states(every, _entries(method), title), _picture("reconstructions", reading, facts)


def _entries(method: Method) -> list[str]:
    """Names of the state entries that are predicted."""
    config, names = method.actor.config, method.spec.observation.names
    return [names[i] for i, minus in zip(config.select, config.minus, strict=True) if minus < 0]


def _latents(learned: Learned, number: int) -> tuple[Figure, Picture]:
    method, shown = learned.method, learned.shown("labeled")
    count = len(shown.episodes)
    if not 0 <= number < count:
        raise ClamError(f"--episode {number}: there are {count} episodes of {shown.words}, 0 to {count - 1}")
    how, transitions = latents.reading(method), learned.transitions(shown.episodes, method.span)
    held = latents.labels(method, transitions, evenly(len(transitions), LIMIT))
    plane = _plane(learned, held) if held.z is not None else None
    scores = held.r_squared()
    one = latents.labels(method, transitions, latents.episode(transitions, number))
    one = replace(one, true=_unscaled(method, one.true), own=None if one.own is None else _unscaled(method, one.own))
    if plane is not None:
        plane = replace(plane, colour=_unscaled(method, held.true)[:, plane.dimension])
    own = "Latent" if plane else "The policy's"
    title = f"{own} and true actions, episode {number} of {shown.words}"
    figure = draw_episode(one, scores, method.spec, how.label, plane, title)
    facts: dict[str, Any] = {"transitions": len(held.true)}
    if how.label is not None:
        facts["r2"] = {n: float(s) for n, s in zip(method.spec.action.names, scores, strict=True) if not s.isnan()}
    if plane is not None:
        facts |= {"linear_probe_r2": plane.probe, "dimension": method.spec.action.names[plane.dimension]}
    return figure, _picture("latents" if plane else "actions", _latents_reading(plane is not None, how.label), facts)


def _plane(learned: Learned, held: latents.Labels) -> latents.Plane:
    method = learned.method
    transitions = learned.transitions(learned.trained("labeled"), method.span)
    train = latents.labels(method, transitions, evenly(len(transitions), LIMIT))
    assert held.z is not None and train.z is not None
    return latents.plane(held.z, held.true, train.z, train.true)


def _latents_reading(has_latents: bool, label: str | None) -> str:
    lines = []
    if has_latents:
        lines.append(
            "Latent actions that carry the action change when it does. In the plane the colours of an action that "
            "they carry run from one side to the other; the linear probe says how much of all actions a linear map "
            "finds in z."
        )
    if label is not None:
        lines.append(
            f"Blue over black: the {label} follows the true one; R² is that on all held-out play, 1 is perfect and "
            "0 as good as the mean."
        )
    return " ".join(lines)


def _attention(learned: Learned) -> tuple[Figure, Picture] | None:
    method = learned.method
    if method.actor.config.image is None:
        return None
    shown = learned.shown("unlabeled" if "unlabeled" in method.USES else "labeled")
    transitions = learned.transitions(shown.episodes, method.lam_span)
    which = _spread(len(transitions))
    if isinstance(method, Clam):
        which = choose(errors(method, transitions, LIMIT // 4), transitions, GAZES)[:GAZES]
    gazes = [(shown.words, idm_gaze(method, transitions, which))]
    if learned.finished:
        seen = learned.shown("expert" if "expert" in method.USES else "labeled")
        observed = learned.transitions(seen.episodes, method.lam_span)
        gazes.append((seen.words, policy_gaze(method, observed, _spread(len(observed)))))
    drawn = [(words, gaze) for words, gaze in gazes if gaze is not None]
    if not drawn:
        return None
    reading = (
        "Red: looked at much, each map on a scale of its own; pale all over: nowhere in particular. The percentages "
        "are the share of the attention that falls on the image; the rest goes to other images, the state, or the "
        "action token itself. A network that controls the arm should look at the arm and at what it handles; one that "
        "looks at the background does not."
    )
    title = f"Where the networks look: {' and '.join(words for words, _ in drawn)}"
    facts = {"networks": [gaze.title for _, gaze in drawn]}
    return draw_gazes([gaze for _, gaze in drawn], title), _picture("attention", reading, facts)


def _spread(count: int) -> Tensor:
    """A few of `count` transitions, evenly spaced, neither the first nor the last."""
    return evenly(count, GAZES + 2)[1:-1] if count > GAZES + 2 else torch.arange(count)


def _unscaled(method: Method, actions: Tensor) -> Tensor:
    """Actions in the environment's units."""
    device = method.actor.low.device
    return method.actor.unscale(actions.to(device)).detach().cpu()


_TITLES = {
    "reconstructions": "Does the latent FDM know more than a trivial copy?",
    "latents": "What do latent actions say about true ones?",
    "actions": "Are the actions the true ones?",
    "attention": "Where do the networks look?",
}


def _picture(name: str, reading: str, facts: dict[str, Any]) -> Picture:
    return Picture(f"{name}.png", _TITLES[name], reading, facts)


def _heading(learned: Learned) -> str:
    spec = learned.method.spec
    return f"{learned.run.resolve().name}: {learned.method.config.method} on {spec.env} {spec.task}"


def _remarks(learned: Learned) -> list[str]:
    if learned.finished:
        return []
    return ["Training has not ended: what is not trained yet is drawn as it stands, and the policy is left out."]
