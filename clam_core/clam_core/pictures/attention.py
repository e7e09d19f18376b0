"""Where in the image attention looks, read off the networks while they run; and a gradient saliency for CNNs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clam_core.models.action_token import ActionTokenPolicy, ImageStem
from clam_core.models.observations import Observations
from clam_core.models.resnet import ResNet18
from clam_core.models.space_time import SpaceTimeBlock
from clam_core.models.space_time_lam import SpaceTimeIDM
from clam_core.models.transformer import Attention


@contextmanager
def recorded_attention(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """The attention weights ``(..., heads, L, S)`` of each of `modules` at each of its calls, newest last.

    `modules` are `Attention` or ``nn.MultiheadAttention``. The modules compute what they always do, bit for bit: a
    hook looks at their inputs.
    """
    weights: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], options: dict[str, Any], _: Any) -> None:
        if isinstance(module, Attention):
            query, key, _, *mask = inputs
            weights[module].append(module.weights(query, key, *mask))
            return
        forward: Callable[..., tuple[Tensor, Tensor]] = module.forward  # past the hooks
        weights[module].append(forward(*inputs, **options | {"need_weights": True, "average_attn_weights": False})[1])

    handles = [module.register_forward_hook(record, with_kwargs=True) for module in weights]
    try:
        yield weights
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def idm_attention(idm: SpaceTimeIDM, window: Observations) -> Tensor:
    """How much the action token of each frame looks at each patch in the last block ``(B, T, rows, columns)``.

    The mean over heads; what a frame's map lacks to one, the action token looks at itself.
    """
    assert window.images is not None
    block = idm.encoder.blocks[-1]
    assert isinstance(block, SpaceTimeBlock)
    with recorded_attention([block.spatial]) as weights:
        idm(window)
    (looks,) = weights[block.spatial]  # (B, T, heads, 1, 1 + N)
    rows, columns = (size // idm.patch_size for size in window.images.shape[-2:])
    return looks.mean(2)[:, :, 0, 1:].reshape(*looks.shape[:2], rows, columns)


@torch.no_grad()
def policy_attention(policy: ActionTokenPolicy, observations: Observations) -> tuple[Tensor, Tensor]:
    """How much every action token looks at every cell of the cameras' feature maps, and at the state.

    Action tokens look at the stems' tokens and those at the cells: the product of both, with the mean over heads and
    layers. Returns ``(B, K, cameras, frame_stack, rows, columns)`` and ``(B, K)``, together one for every token.
    """
    assert observations.images is not None
    stems = [stem.attention for stem in policy.stems if isinstance(stem, ImageStem)]
    crosses = [layer.multihead_attn for layer in policy.decoder.layers if isinstance(layer, nn.TransformerDecoderLayer)]
    with recorded_attention([*stems, *crosses]) as weights:
        policy(observations)
    tokens, stack = policy.config.stem_tokens, policy.frame_stack
    looks = torch.stack([weights[cross][0].mean(1) for cross in crosses]).mean(0)  # (B, K, memory)
    size = ResNet18.output_size(*observations.images.shape[-2:])
    maps = []
    for camera, stem in enumerate(stems):
        cells = weights[stem][0].mean(1).reshape(len(looks), stack, tokens, -1)
        first = camera * stack * tokens
        from_here = looks[:, :, first : first + stack * tokens].reshape(*looks.shape[:2], stack, tokens)
        maps.append(torch.einsum("bkft,bftc->bkfc", from_here, cells).reshape(*from_here.shape[:3], *size))
    return torch.stack(maps, dim=2), looks[:, :, len(stems) * stack * tokens :].sum(-1)


def saliency(function: Callable[[Tensor], Tensor], images: Tensor, cameras: int) -> Tensor:
    """How much each pixel moves outputs ``(B, D)``: images ``(B, …, C, H, W)`` → ``(B, …, cameras, H, W)``.

    The root of the summed squares of the derivatives of all outputs by all colours and stacked frames of the pixel.
    """
    images = images.detach().requires_grad_()
    outputs = function(images)
    total = torch.zeros_like(images)
    for column in outputs.unbind(1):
        (gradient,) = torch.autograd.grad(column.sum(), images, retain_graph=True)
        total += gradient.square()
    apart = total.reshape(*total.shape[:-3], cameras, -1, *total.shape[-2:])
    return apart.sum(-3).sqrt()
