"""Label a dataset with a run's latent actions (VPT: with its inverse dynamics model), and say how good they are.

The labels are a Zarr store of their own: data/latent_action (CLAM), data/action (decoded, environment units),
meta/episode_ends (last transition of each episode). If DATASET has true actions they are used only for
what is printed: R² and error as in training; of each entry of the action, in its unit, mean and root mean square of
label − truth.

Examples:
  clam relabel runs/clam data/expert --out data/expert-labels
  clam relabel runs/vpt data/expert --json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from clam_core.data.exporting import new_folder
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import check_free
from clam_core.deploy.device import resolve_device
from clam_core.errors import ClamError
from clam_core.methods.base import Method
from clam_core.methods.clam import Clam
from clam_core.training.common_spec import RATES
from clam_core.training.diagnostics import effective_dimension
from clam_core.training.run import load_method, load_role
from clam_core.training.transitions import Transitions

NAME = "relabel"
HELP = "latent (or VPT) action labels for a dataset, with their quality"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam relabel``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="run folder of `clam train`")
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset to label")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the labels there (Zarr)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the quality as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam relabel``."""
    if arguments.out:
        check_free(arguments.out)
    device = resolve_device(arguments.device)
    method = load_method(arguments.run_folder, device)
    store = EpisodeStore.open(arguments.dataset, actions=EpisodeStore.open(arguments.dataset, actions=False).labeled)
    if store.info.spec.observation != method.spec.observation:
        raise ClamError(f"'{arguments.dataset}' has other observations than run '{arguments.run_folder}' learned from")
    rate, own = store.info.spec.rate, method.spec.rate
    if abs(rate - own) > RATES * own:
        raise ClamError(
            f"'{arguments.dataset}' has {rate:.3g} Hz, run '{arguments.run_folder}' learned what happens in a step at "
            f"{own:.3g} Hz: import or generate it at that rate"
        )
    transitions = method.transitions(load_role([store], method.config, method.spec, device), method.span)
    labels = _labels(method, transitions)
    quality = method.grounding(transitions) | _errors(method, transitions, labels["action"])
    if "latent_action" in labels:
        quality["latent/effective_dimension"] = effective_dimension(labels["latent_action"])
    if arguments.out:
        _write(arguments.out, labels, np.cumsum(transitions.lengths))
    if arguments.json:
        print(json.dumps(quality))
    else:
        for name, value in quality.items():
            print(f"{name:40s} {value:.4f}")
    return 0


def _labels(method: Method, transitions: Transitions) -> dict[str, torch.Tensor]:
    labels = {"action": method.actor.unscale(method.label_all(transitions))}
    if isinstance(method, Clam):
        labels["latent_action"] = method.latent_actions(transitions.with_span(method.lam_span))
    return labels


def _errors(method: Method, transitions: Transitions, actions: torch.Tensor) -> dict[str, float]:
    """Of each entry of the action, in its unit; a policy cannot average out the mean."""
    if transitions.targets is None:
        return {}
    error = actions - method.actor.unscale(transitions.targets)
    found = {"mean": error.mean(0), "rms": error.square().mean(0).sqrt()}
    return {
        f"error/{kind}/{name}": float(value)
        for kind, values in found.items()
        for name, value in zip(method.spec.action.names, values, strict=True)
    }


def _write(out: Path, labels: dict[str, Any], ends: Any) -> None:
    with new_folder(out) as partial:
        group = zarr.open_group(str(partial), mode="w")
        for name, values in labels.items():
            group.create_dataset(f"data/{name}", data=values.cpu().numpy())
        group.create_dataset("meta/episode_ends", data=np.asarray(ends, dtype=np.int64))
