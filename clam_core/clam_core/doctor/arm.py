"""Whether a bundle commands this arm at all, by names alone: what is known before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from clam_core.doctor.joints import listed
from clam_core.envs.kitchen_spec import ACTION
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec


def check_arm(bundle: str, spec: EnvironmentSpec, joints: Sequence[str] = ACTION.names) -> None:
    """Whether `bundle`, of `spec`, commands `joints`; without them those of the WidowX, real and simulated.

    Raises:
        ClamError: it commands others, as a bundle of another environment does.
    """
    if set(spec.action.names) != set(joints):
        raise ClamError(
            f"bundle '{bundle}' is of another robot ({spec.env}/{spec.task}): it commands {listed(spec.action.names)}, "
            f"this arm has {listed(joints)}; take a bundle of this robot, or `clam eval` for this one"
        )
