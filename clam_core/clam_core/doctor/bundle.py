"""All checks of a bundle against a live ROS graph, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from clam_core.deploy.camera_view import CameraView
from clam_core.doctor import cameras, graph
from clam_core.doctor.finding import Check, Finding, run_checks
from clam_core.doctor.heard import Heard, Needs
from clam_core.doctor.inference import Chunked, inference
from clam_core.doctor.joints import joints
from clam_core.doctor.machine import disk
from clam_core.spec import Observation


def examine(
    needs: Needs,
    heard: Heard,
    policy: Chunked,
    views: Mapping[str, CameraView],
    observation: Observation | None = None,
) -> list[Finding]:
    """Everything that was found. `observation`: what the policy would be shown now; None: something blank."""
    shown = blank(needs) if observation is None else observation
    checks: list[Check] = [
        _named(check, needs, heard)
        # Joints first: another robot's state comes at another rate too, which is not the cause.
        for check in (joints, graph.topics, graph.clock, graph.stamps, cameras.images, graph.command)
    ]
    checks.insert(5, _named(cameras.views, needs, heard, views))
    return run_checks([*checks, _named(inference, needs, policy, shown), disk])


def blank(needs: Needs) -> Observation:
    """Zeros, as large as an observation."""
    spec = needs.spec.observation
    pictures = {camera.name: np.zeros((camera.height, camera.width, 3), np.uint8) for camera in spec.cameras}
    return {"state": np.zeros(len(spec.names)), **pictures}


def _named(check: Callable[..., Iterable[Finding]], *arguments: object) -> Check:
    """`check` of `arguments`, under its own name: a check that itself fails is a finding with it."""

    def run() -> Iterable[Finding]:
        return list(check(*arguments))

    run.__name__ = check.__name__
    return run
