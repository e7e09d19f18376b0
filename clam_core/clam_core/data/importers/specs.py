"""The spec of imported data: a known environment's where the user names one, else what the recordings show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions
from clam_core.envs import ENVS, make_env
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec


@dataclass(frozen=True)
class Seen:
    """What recordings show by themselves; None where they are silent.

    Attributes:
        observation, action: names, units, limits, cameras (after choosing and resizing).
        env, task: what the recordings call it.
        rate: decisions per second [Hz].
        max_steps: transitions of the longest episode.
        spec: the spec that this project wrote into the recordings when it exported them.
    """

    observation: ObservationSpec
    action: ActionSpec
    max_steps: int
    env: str | None = None
    task: str | None = None
    rate: float | None = None
    spec: EnvironmentSpec | None = None


def describe(seen: Seen, options: ImportOptions, what: str) -> EnvironmentSpec:
    """The spec of a dataset made from recordings; `what` names them in errors.

    Raises:
        ClamError: the environment that the user names is unknown, or does not fit; or nobody tells the rate.
    """
    spec = _named(seen, options, what) or _fitting(seen.spec, seen)
    if spec is not None:
        return replace(
            spec,
            task=spec.task if options.env else options.task or spec.task,  # named with its environment, it is canonical
            observation=replace(spec.observation, cameras=seen.observation.cameras),
            rate=options.rate or exact_rate(seen.rate, _fitting(seen.spec, seen)) or spec.rate,
            max_steps=max(spec.max_steps, seen.max_steps),
        )
    rate = options.rate or seen.rate
    if rate is None:
        raise ClamError(f"{what} does not tell its rate; give --rate HZ, or --env and --task of a known environment")
    return EnvironmentSpec(
        env=options.env or seen.env or UNKNOWN,
        task=options.task or seen.task or UNKNOWN,
        observation=seen.observation,
        action=seen.action,
        rate=rate,
        max_steps=seen.max_steps,
    )


def exact_rate(rate: float | None, stored: EnvironmentSpec | None) -> float | None:
    """`rate` [Hz], or that of the spec that was exported, where `rate` is this one as a whole number."""
    return stored.rate if stored is not None and rate == max(1, round(stored.rate)) else rate


def find_spec(env: str, task: str) -> EnvironmentSpec | None:
    """Spec of `task` of environment `env`, None where this machine cannot make it."""
    try:
        environment = make_env(env, task)
    except ClamError:
        return None
    environment.close()
    return environment.spec


def stored_spec(data: Any) -> EnvironmentSpec | None:
    """The spec that an exporter of this project left as JSON, None where there is none, or another one."""
    if not isinstance(data, Mapping):
        return None
    try:
        return EnvironmentSpec.from_json(dict(data))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _named(seen: Seen, options: ImportOptions, what: str) -> EnvironmentSpec | None:
    """The spec of the environment that the user names."""
    if options.env is None:
        return None
    if options.env not in ENVS:
        raise ClamError(f"unknown environment '{options.env}', {did_you_mean(options.env, ENVS)}; or leave --env out")
    task = options.task or seen.task
    if task is None:
        raise ClamError(f"environment '{options.env}' without a task; give --task")
    environment = make_env(options.env, task)
    environment.close()
    if _fitting(environment.spec, seen) is None:
        states, actions = len(seen.observation.names), len(seen.action.names)
        own = len(environment.spec.observation.names), len(environment.spec.action.names)
        raise ClamError(
            f"{what} has {states} state and {actions} action entries, but {options.env} {task} has {own[0]} and "
            f"{own[1]}; name the environment that was recorded, or leave --env out"
        )
    return environment.spec


def _fitting(spec: EnvironmentSpec | None, seen: Seen) -> EnvironmentSpec | None:
    """`spec` if it has as many state and action entries as were seen (no action at all fits too)."""
    if spec is None or len(spec.observation.names) != len(seen.observation.names):
        return None
    return spec if len(seen.action.names) in (0, len(spec.action.names)) else None


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Names of `count` entries that have none of their own: ``state0``, ``state1``, …"""
    return tuple(f"{name}{i}" for i in range(count))


def free_action(names: tuple[str, ...], values: npt.NDArray[Any]) -> ActionSpec:
    """Spec of actions whose limits nobody tells: as wide as the finite rows of `values` ``(N, A)``."""
    fine = values[np.isfinite(values).all(axis=1)] if len(values) else values
    low, high = (fine.min(axis=0), fine.max(axis=0)) if len(fine) else (np.zeros(len(names)),) * 2
    return ActionSpec(names, ("",) * len(names), tuple(map(float, low)), tuple(map(float, high)))


def choose_cameras(sizes: Mapping[str, tuple[int, int]], options: ImportOptions, what: str) -> tuple[CameraSpec, ...]:
    """Cameras to keep of those found, name → (height, width) [pixels], at the size they will have.

    Raises:
        ClamError: the user asks for one that is not there.
    """
    for camera in options.cameras or ():
        if camera not in sizes:
            hint = did_you_mean(camera, sizes) if sizes else "it has none"
            raise ClamError(f"{what} has no camera '{camera}', {hint}")
    kept = sizes if options.cameras is None else options.cameras
    side = options.image_size
    return tuple(CameraSpec(name, side or sizes[name][0], side or sizes[name][1]) for name in kept)


def numbers(values: Any, name: str) -> npt.NDArray[np.float64]:
    """`values` as float64.

    Raises:
        EpisodeError: they are not numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise EpisodeError(f"'{name}' has dtype {array.dtype}, expected numbers")
    return array.astype(np.float64)
