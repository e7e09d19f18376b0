"""Algorithm 1, lines 14 to 18, for any policy: what is minimized, which weights are trained, and where they begin."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.action_token import ActionTokenPolicy
from clam_core.models.encoders import IdmEncoder
from clam_core.models.observations import Observations
from clam_core.models.policy import MlpPolicy
from clam_core.training.diagnostics import masked_mse
from clam_core.training.transitions import Batch


def imitation_loss(policy: Callable[[Observations], Tensor], batch: Batch, unit: Tensor | None = None) -> Tensor:
    """Algorithm 1, line 17: squared error of the predicted chunk, in `unit` ``(A,)`` of each entry."""
    assert batch.target is not None
    return masked_mse(policy(batch.observation), batch.target, batch.mask, None if unit is None else unit**-2)


def trained_modules(policy: nn.Module) -> list[nn.Module]:
    """What policy training trains: all of it, or all but a frozen encoder."""
    if isinstance(policy, MlpPolicy) and policy.config.freeze_encoder:
        return [policy.trunk, policy.head]
    return [policy]


def prepare_policy(policy: nn.Module, idm: nn.Module | None) -> None:
    """Before policy training: pretrained ResNets, or the image encoder of `idm` (Section 3.2), where asked for."""
    if isinstance(policy, ActionTokenPolicy):
        policy.load_pretrained()
    encoder = getattr(policy, "encoder", None)
    if not isinstance(encoder, IdmEncoder):
        return
    if idm is None:
        raise ClamError(
            "policy.encoder=idm, but this method has no latent IDM to take it from; use policy.encoder=impala"
        )
    own = encoder.idm.state_dict()
    shared = {name: value for name, value in idm.state_dict().items() if own[name].shape == value.shape}
    encoder.idm.load_state_dict(own | shared)  # all but the head, whose size depends on the latent space
