"""A run is a folder: config.yaml, metrics.jsonl, tensorboard/, checkpoints/, result.json, spec.json, bundle/."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from clam_core.data.store import EpisodeStore
from clam_core.deploy.bundle import save_bundle
from clam_core.deploy.device import resolve_device
from clam_core.errors import ClamError
from clam_core.methods import Method, method_class
from clam_core.methods.base import Datasets
from clam_core.spec import EnvironmentSpec
from clam_core.training.checkpoint import load_checkpoint
from clam_core.training.config import Config, DataConfig
from clam_core.training.load_config import config_from_dict
from clam_core.training.trainer import Trainer
from clam_core.training.transitions import load_episodes


@dataclass(frozen=True)
class OpenedData:
    """Datasets on the device, the environment they all come from, and where they are from."""

    datasets: Datasets
    spec: EnvironmentSpec
    provenance: dict[str, Any]


def open_data(uses: tuple[str, ...], config: DataConfig, device: torch.device) -> OpenedData:
    """Open the datasets of the roles in `uses`; only ``labeled`` is opened with its actions.

    Raises:
        ClamError: a dataset is not named, missing, empty, without needed labels, or of another environment.
    """
    stores: dict[str, list[EpisodeStore]] = {}
    for role in uses:
        paths = getattr(config, role)
        if not paths:
            raise ClamError(f"this method needs a dataset of role '{role}': give data.{role}=DIR")
        stores[role] = [EpisodeStore.open(path, actions=role == "labeled") for path in paths]
    # The task is that of the demonstrations, if there are any: play has none of its own.
    spec = stores["expert" if "expert" in uses else uses[0]][0].info.spec
    for store in (store for of_role in stores.values() for store in of_role):
        other = store.info.spec
        if (other.observation, other.action) != (spec.observation, spec.action):
            raise ClamError(
                f"dataset '{store.path}' of {other.env}/{other.task} has other observations or actions than those "
                f"of {spec.env}/{spec.task}; use datasets of one robot and one set of topics"
            )
    provenance = {
        role: [{"path": str(s.path), "episodes": s.num_episodes, **s.info.provenance} for s in of_role]
        for role, of_role in stores.items()
    }
    datasets = {role: load_episodes(of_role, device) for role, of_role in stores.items()}
    return OpenedData(Datasets(**datasets), spec, provenance)


def train(config: Config, run: Path, *, resume: bool = False) -> dict[str, float]:
    """Train `config.method` into the folder `run`, which ends with a bundle; returns the held-out metrics.

    Raises:
        ClamError: `run` exists (without `resume`) or does not (with it), or bad data.
    """
    method_type = method_class(config.method)
    if run.exists() and not resume:
        raise ClamError(f"run folder '{run}' exists; add --resume to go on with it, or choose another --out")
    if resume and not (run / "config.yaml").is_file():
        raise ClamError(f"nothing to resume in '{run}': no config.yaml there; leave out --resume")
    if resume:
        asked, config = config.method, load_run_config(run)
        if config.method != asked:
            raise ClamError(f"run '{run}' trains '{config.method}', not '{asked}': clam train {config.method} --resume")
    device = resolve_device(config.device)
    torch.manual_seed(config.seed)
    data = open_data(method_type.USES, config.data, device)
    method = method_type(config, data.spec).to(device)
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(_plain(config), sort_keys=False))
    (run / "spec.json").write_text(json.dumps(data.spec.to_json(), indent=2))
    started = time.monotonic()
    metrics = Trainer(method, data.datasets, run, resume=resume).fit()
    provenance = {"config": _plain(config), "data": data.provenance, "metrics": metrics}
    save_bundle(run / "bundle", method.actor, data.spec, config.policy.ensembling_m, provenance)
    result = {
        "method": config.method,
        "metrics": metrics,
        "seconds": time.monotonic() - started,
        "device": str(device),
    }
    (run / "result.json").write_text(json.dumps(result, indent=2))
    return metrics


def load_run_config(run: Path) -> Config:
    """The configuration of a run folder.

    Raises:
        ClamError: `run` is no run folder.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise ClamError(f"'{run}' is not a run folder: it has no config.yaml; give the --out of a `clam train`")
    return config_from_dict(yaml.safe_load(path.read_text()))


def load_method(run: Path, device: torch.device) -> Method:
    """The method of a run with the weights of its newest checkpoint.

    Raises:
        ClamError: `run` is no run folder, or has no checkpoint yet.
    """
    config = load_run_config(run)
    spec = EnvironmentSpec.from_json(json.loads((run / "spec.json").read_text()))
    method = method_class(config.method)(config, spec).to(device)
    if load_checkpoint(run / "checkpoints", method) is None:
        raise ClamError(f"run '{run}' has no checkpoint yet; wait for it, or train again")
    return method.eval()


def _plain(config: Config) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain
