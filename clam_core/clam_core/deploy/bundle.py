"""A bundle is a folder, ``bundle.json`` and ``weights.safetensors``: all that a policy needs to run anywhere.

``views.safetensors``, where a policy looks through cameras, is what these saw in training: `clam doctor BUNDLE` and
``policy/enable`` compare it with what they see now. Bundles of before have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from clam_core.bundle_file import FORMAT_VERSION, read_description
from clam_core.deploy.camera_view import CameraView
from clam_core.deploy.device import resolve_device
from clam_core.deploy.policy import Policy
from clam_core.errors import ClamError
from clam_core.models.actor import Actor, ActorConfig
from clam_core.plain import from_plain, to_plain
from clam_core.spec import EnvironmentSpec
from clam_core.whole import whole_folder

VIEWS = "views.safetensors"
VIEW_NUMBERS = ("threshold", "right", "wrong")


def save_bundle(
    folder: Path,
    actor: Actor,
    spec: EnvironmentSpec,
    ensembling_m: float | None,
    provenance: dict[str, Any],
    views: Mapping[str, CameraView] | None = None,
) -> None:
    """Write a bundle atomically; an older one in its place is replaced. `views`: camera → what it saw in training."""
    description = {
        "format_version": FORMAT_VERSION,
        "spec": spec.to_json(),
        "actor": to_plain(actor.config),
        "normalization": {name: value.tolist() for name, value in actor.features.state_dict().items()},
        "ensembling_m": ensembling_m,
        "provenance": provenance,
        "views": {name: {key: getattr(view, key) for key in VIEW_NUMBERS} for name, view in (views or {}).items()},
    }
    with whole_folder(folder) as partial:
        (partial / "bundle.json").write_text(json.dumps(description, indent=2))
        weights = {name: value.detach().cpu().contiguous() for name, value in actor.state_dict().items()}
        save_file(weights, partial / "weights.safetensors")
        if views:
            pictures = {name: np.ascontiguousarray(view.pictures) for name, view in views.items()}
            safetensors.numpy.save_file(pictures, partial / VIEWS)


def load_bundle(
    path: Path | str, device: str = "auto", *, ensembling_m: float | None = None, chunk: int | None = None
) -> Policy:
    """The policy of a bundle. `ensembling_m` and `chunk` (use only the first k actions) override the bundle's.

    Raises:
        ClamError: no bundle there, another format version, damaged files, a chunk longer than the bundle's.
    """
    folder = Path(path)
    description = read_description(folder)
    actor = Actor(from_plain(ActorConfig, description["actor"]))
    try:
        actor.load_state_dict(load_file(folder / "weights.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ClamError(f"weights of bundle '{folder}' cannot be read ({reason}); export it again") from error
    m = description["ensembling_m"] if ensembling_m is None else ensembling_m
    policy = Policy(
        actor,
        EnvironmentSpec.from_json(description["spec"]),
        resolve_device(device),
        m,
        description["provenance"],
    )
    if chunk is not None:
        policy.shorten_chunk(chunk)
    return policy


def load_views(path: Path | str) -> dict[str, CameraView]:
    """Camera → what it saw in training; empty for a policy without cameras, and for a bundle of before.

    Raises:
        ClamError: the pictures are damaged.
    """
    folder = Path(path)
    if not (folder / VIEWS).is_file():
        return {}
    try:
        numbers = json.loads((folder / "bundle.json").read_text())["views"]
        pictures = safetensors.numpy.load_file(folder / VIEWS)
        views = {
            name: CameraView(pictures[name], **{key: float(numbers[name][key]) for key in VIEW_NUMBERS})
            for name in numbers
        }
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ClamError(
            f"'{folder}/{VIEWS}' cannot be read ({reason}); export the bundle again, or delete it"
        ) from error
    for name, view in views.items():
        if view.pictures.dtype != np.uint8 or view.pictures.ndim != 4 or view.pictures.shape[-1] != 3:
            raise ClamError(
                f"'{folder}/{VIEWS}' has no pictures of camera '{name}'; export the bundle again, or delete it"
            )
    return views
