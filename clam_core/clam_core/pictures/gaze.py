"""Which picture of where it looks each network gets: attention where it has some, else a gradient saliency."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from clam_core.methods.base import Method
from clam_core.methods.clam import Clam
from clam_core.methods.vpt import Vpt
from clam_core.models.action_token import ActionTokenPolicy
from clam_core.models.observations import Observations
from clam_core.models.space_time_lam import SpaceTimeIDM
from clam_core.pictures.attention import idm_attention, policy_attention, saliency
from clam_core.pictures.learned import place_of
from clam_core.training.transitions import Span, Transitions

CELLS = 16  # of a saliency map, each way


@dataclass(frozen=True)
class Panel:
    """An image ``(H, W, 3)`` in [0, 1], what it shows, and how much each part of it is looked at ``(h, w)``."""

    title: str
    image: Tensor
    looks: Tensor | None = None


@dataclass(frozen=True)
class Gaze:
    """Rows of panels, each with its label; `smooth`: a map for pixels, not one of patches."""

    title: str
    rows: list[tuple[str, list[Panel]]]
    smooth: bool


def views(image: Tensor, cameras: tuple[str, ...]) -> list[Tensor]:
    """The newest frame of every camera ``(H, W, 3)`` of an image with cameras and frames along its channels."""
    return [stacked[-3:].permute(1, 2, 0).clamp(0, 1) for stacked in image.cpu().chunk(len(cameras))]


def idm_gaze(method: Method, transitions: Transitions, which: Tensor) -> Gaze | None:
    """Where the IDM of `method` looks in the windows of the transitions numbered `which`; None if it sees no images."""
    idm = _idm(method)
    window = transitions.with_span(method.lam_span).gather(which.to(transitions.features.device)).window
    if idm is None or window.images is None:
        return None
    kind = "Latent IDM" if isinstance(method, Clam) else "IDM"
    attends = isinstance(idm, SpaceTimeIDM)
    if isinstance(idm, SpaceTimeIDM):
        looks = idm_attention(idm, window).unsqueeze(2).expand(-1, -1, len(_cameras(method)), -1, -1)
        title = f"{kind}: attention of the action token over the patches (last block, mean over heads)"
    else:
        looks = _idm_saliency(idm, window, len(_cameras(method)))
        title = (
            f"{kind}: gradient saliency, how much each pixel moves the latent action, smoothed (a CNN has no attention)"
        )
    rows = []
    for i, number in enumerate(which.tolist()):
        label = "episode {}, step {}".format(*place_of(number, transitions))
        panels = []
        for frame in range(window.images.shape[1]):
            time = frame - method.lam_span.context
            name = "o(t+1)" if time == 1 else "o(t)" if time == 0 else f"o(t−{-time})"
            for camera, image in enumerate(views(window.images[i, frame], _cameras(method))):
                shown = looks[i, frame, camera]
                words = f"{name} {_cameras(method)[camera]}" + (
                    f"\n{float(shown.sum()):.0%} of its attention" if attends else ""
                )
                panels.append(Panel(words, image, shown.cpu()))
        rows.append((label, panels))
    return Gaze(title, rows, smooth=not attends)


def policy_gaze(method: Method, transitions: Transitions, which: Tensor) -> Gaze | None:
    """Where the policy of `method` looks in observations `which`; None if it sees no images."""
    policy = method.actor.policy
    batch = transitions.with_span(Span.of_policy(1)).gather(which.to(transitions.features.device))
    observations, cameras = batch.observation, _cameras(method)
    if observations.images is None:
        return None
    attends = isinstance(policy, ActionTokenPolicy)
    names = [""]
    if isinstance(policy, ActionTokenPolicy):
        maps, _ = policy_attention(policy, observations)
        chunk = maps.shape[1]
        looks = maps[:, sorted({0, chunk - 1}), :, -1]  # the newest frame
        names = ["first action", "last action"] if chunk > 1 else ["action"]
        title = "Policy: attention of the action tokens over the cameras' feature maps (mean over heads and layers)"
    else:
        looks = _policy_saliency(policy, observations, len(cameras)).unsqueeze(1)
        title = "Policy: gradient saliency, how much each pixel moves the output, smoothed (a CNN has no attention)"
    rows = []
    for i, number in enumerate(which.tolist()):
        panels = []
        for camera, image in enumerate(views(observations.images[i], cameras)):
            panels.append(Panel(cameras[camera], image))
            for row, name in enumerate(names):
                shown = looks[i, row, camera]
                panels.append(
                    Panel(
                        f"{name}\n{float(shown.sum()):.0%} of its attention" if attends else "saliency",
                        image,
                        shown.cpu(),
                    )
                )
        rows.append(("episode {}, step {}".format(*place_of(number, transitions)), panels))
    return Gaze(title, rows, smooth=not attends)


def _cameras(method: Method) -> tuple[str, ...]:
    image = method.actor.config.image
    return image.cameras if image else ()


def _idm(method: Method) -> nn.Module | None:
    """What infers latent actions or actions from images; DynaMo's sees embeddings."""
    if isinstance(method, Clam):
        return method.lam.idm
    return method.idm if isinstance(method, Vpt) else None


def _idm_saliency(idm: nn.Module, window: Observations, cameras: int) -> Tensor:
    """``(B, T, cameras, H, W)``."""
    assert window.images is not None

    def last(images: Tensor) -> Tensor:
        outputs: Tensor = idm(Observations(window.state, images, window.timestep))
        return outputs[:, -1]

    return _smoothed(saliency(last, window.images, cameras))


def _policy_saliency(policy: nn.Module, observations: Observations, cameras: int) -> Tensor:
    """``(B, cameras, H, W)``."""
    assert observations.images is not None

    def first(images: Tensor) -> Tensor:
        outputs: Tensor = policy(Observations(observations.state, images, observations.timestep))
        return outputs[:, 0]

    return _smoothed(saliency(first, observations.images, cameras))


def _smoothed(looks: Tensor) -> Tensor:
    """Maps ``(…, H, W)`` as means over about `CELLS` cells each way: single pixels' gradients are noise."""
    size = max(1, min(looks.shape[-2:]) // CELLS)
    pooled = functional.avg_pool2d(looks.flatten(0, -3), size, ceil_mode=True, count_include_pad=False)
    return pooled.view(*looks.shape[:-2], *pooled.shape[-2:])
