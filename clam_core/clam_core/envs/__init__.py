"""Environments by name. A simulator is imported only when one of its environments is made."""

from __future__ import annotations

import importlib
from typing import Any, cast

from clam_core.envs.base import Environment, Step
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import EnvironmentSpec

#: Environment name → ``module:class``. A class takes ``(task, **options)``.
ENVS: dict[str, str] = {
    "metaworld": "clam_core.envs.metaworld:MetaWorld",
    "gym": "clam_core.envs.gym:Gym",
    "dmcontrol": "clam_core.envs.dmcontrol:DmControl",
    "calvin": "clam_core.envs.calvin:Calvin",
    "kitchen": "clam_core.envs.kitchen:Kitchen",
}


def make_env(env: str, task: str, **options: Any) -> Environment:
    """The environment `env` doing `task`. Options are the class's own, e.g. ``image_size`` of Meta-World.

    Raises:
        ClamError: no such environment or task (the line names the nearest valid one), or a missing simulator.
    """
    if env not in ENVS:
        raise ClamError(f"unknown environment '{env}', {did_you_mean(env, ENVS)}")
    module, _, name = ENVS[env].partition(":")
    try:
        environment_class = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ClamError(f"environment '{env}' cannot be loaded ({error}); install its simulator") from error
    return cast(Environment, environment_class(task, **options))


def make_env_of(spec: EnvironmentSpec, env: str | None = None, task: str | None = None) -> Environment:
    """The environment that `spec` describes, with its cameras; `env` and `task` override the spec's.

    Raises:
        ClamError: see `make_env`; or the environment cannot show the spec's cameras.
    """
    return make_env(env or spec.env, task or spec.task, **camera_options(spec))


def camera_options(spec: EnvironmentSpec) -> dict[str, Any]:
    """What `make_env` needs to show the cameras of `spec`: ``camera`` and ``image_size``, or nothing if it has none.

    Raises:
        ClamError: they are not square, or of several sizes.
    """
    cameras = spec.observation.cameras
    if not cameras:
        return {}
    size = cameras[0].height
    if any((camera.height, camera.width) != (size, size) for camera in cameras):
        seen = ", ".join(f"{camera.name} {camera.width}x{camera.height}" for camera in cameras)
        raise ClamError(f"an environment shows square cameras of one size, this policy sees {seen}; use another policy")
    return {"camera": ",".join(camera.name for camera in cameras), "image_size": size}


__all__ = ["ENVS", "Environment", "Step", "camera_options", "make_env", "make_env_of"]
