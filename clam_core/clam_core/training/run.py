"""A run is a folder: config.yaml, spec.json, episodes.json, data.json, metrics.jsonl, tensorboard/, checkpoints/,
result.json, bundle/.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from clam_core.data.store import EpisodeStore
from clam_core.deploy.bundle import save_bundle
from clam_core.deploy.device import resolve_device
from clam_core.deploy.policy import Policy
from clam_core.envs import make_env_of
from clam_core.errors import ClamError, did_you_mean
from clam_core.evaluation import evaluate
from clam_core.methods import Method, method_class
from clam_core.methods.base import image_config
from clam_core.methods.stage import Datasets
from clam_core.plain import from_plain, to_plain
from clam_core.spec import EnvironmentSpec
from clam_core.training.checkpoint import load_checkpoint
from clam_core.training.common_spec import common_spec
from clam_core.training.config import Config
from clam_core.training.distributed import Process, join_processes
from clam_core.training.drive import drive, drive_together
from clam_core.training.frames import StoreFrames, open_store_frames
from clam_core.training.lam_from import LamSource, check_lam_from
from clam_core.training.sampler import Sampler
from clam_core.training.stage_run import Steps
from clam_core.training.trainer import Trainer
from clam_core.training.transitions import RawEpisodes, load_episodes
from clam_core.training.views import training_views
from clam_core.whole import write_whole

_log = logging.getLogger(__name__)

EPISODES = "episodes.json"  # `first_numbers`: which episodes were held out
DATA = "data.json"  # `fingerprints`: what the run learned from, whatever lies there later


@dataclass(frozen=True)
class OpenedData:
    """Datasets on the device, the environment they all come from, where they are from, and their `first_numbers`."""

    datasets: Datasets
    spec: EnvironmentSpec
    provenance: dict[str, Any]
    firsts: dict[str, list[int]]


@dataclass(frozen=True)
class Job:
    """What `train` is to do."""

    config: Config
    run: Path
    resume: bool = False
    lam_from: Path | None = None


def open_data(uses: tuple[str, ...], config: Config, device: torch.device) -> OpenedData:
    """Open the datasets of the roles in `uses`; only ``labeled`` is opened with its actions.

    Raises:
        ClamError: a dataset is not named, missing, empty, without needed labels, or of another environment.
    """
    stores: dict[str, list[EpisodeStore]] = {}
    for role in sorted({"unlabeled", "labeled", "expert"} - set(uses)):
        if getattr(config.data, role):
            _log.warning("data.%s is not used: '%s' learns from %s", role, config.method, " and ".join(uses))
    for role in uses:
        paths = getattr(config.data, role)
        if not paths:
            raise ClamError(f"this method needs a dataset of role '{role}': give data.{role}=DIR")
        stores[role] = [EpisodeStore.open(path, actions=role == "labeled") for path in paths]
    # The task is that of the demonstrations, if there are any: play has none of its own.
    spec = common_spec(stores, "expert" if "expert" in uses else uses[0])
    provenance = {
        role: [{"path": str(s.path), "episodes": s.num_episodes, **s.info.provenance} for s in of_role]
        for role, of_role in stores.items()
    }
    firsts = first_numbers(stores)
    frames = load_frames([store for of_role in stores.values() for store in of_role], config, spec, device)
    datasets = {
        role: load_role(of_role, config, spec, device, firsts[role], frames) for role, of_role in stores.items()
    }
    return OpenedData(Datasets(**datasets), spec, provenance, firsts)


def first_numbers(stores: Mapping[str, Sequence[EpisodeStore]]) -> dict[str, list[int]]:
    """Role → number of the first episode of each of its stores, among all episodes of the run; see `RawEpisodes`."""
    first: dict[Path, int] = {}
    count = 0
    for store in (store for of_role in stores.values() for store in of_role):
        if store.path.resolve() not in first:
            first[store.path.resolve()] = count
            count += store.num_episodes
    return {role: [first[store.path.resolve()] for store in of_role] for role, of_role in stores.items()}


def fingerprints(datasets: Datasets) -> dict[str, dict[str, Any]]:
    """Role → number of its episodes, and a digest of their states."""
    found = {}
    for role, episodes in vars(datasets).items():
        if episodes is not None:
            digest = hashlib.blake2b(digest_size=16)
            for states in episodes.states:
                digest.update(str(tuple(states.shape)).encode() + states.cpu().numpy().tobytes())
            found[role] = {"episodes": len(episodes.states), "states": digest.hexdigest()}
    return found


def check_same_data(run: Path, config: Config, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ClamError if the datasets of a run to go on with are others than it began with."""
    if not (run / DATA).is_file():
        return  # a run of an older version, which did not note them
    began = json.loads((run / DATA).read_text())
    for role, now in found.items():
        then = began.get(role, now)
        if then != now:
            paths, counts = ", ".join(getattr(config.data, role)), (then["episodes"], now["episodes"])
            what = f"{counts[0]} episodes then, {counts[1]} now" if counts[0] != counts[1] else "other states"
            raise ClamError(
                f"--resume: data.{role} ({paths}) is not what '{run}' began with ({what}): "
                "put that dataset back, or train anew into another --out"
            )


def load_frames(
    stores: Sequence[EpisodeStore], config: Config, spec: EnvironmentSpec, device: torch.device
) -> StoreFrames | None:
    """The images that `config` looks at; None where it looks at none."""
    image, limit = image_config(config.features, spec.observation), int(config.data.memory_limit_gib * 2**30)
    return open_store_frames(stores, image.cameras if image else (), config.features.image_size, device, limit)


def load_role(
    stores: list[EpisodeStore],
    config: Config,
    spec: EnvironmentSpec,
    device: torch.device,
    firsts: Sequence[int] | None = None,
    frames: StoreFrames | None = None,
) -> RawEpisodes:
    """All episodes of `stores` with what `config` looks at.

    `firsts`: see `first_numbers`. `frames` are images that other roles have in common with this one, see `load_frames`.
    """
    numbers = (
        ()
        if firsts is None
        else tuple(first + i for first, store in zip(firsts, stores, strict=True) for i in range(store.num_episodes))
    )
    frames = frames or load_frames(stores, config, spec, device)
    return load_episodes(stores, device, frame_stack=config.features.frame_stack, numbers=numbers, store_frames=frames)


def train(
    config: Config, run: Path, *, resume: bool = False, until: str | None = None, lam_from: Path | None = None
) -> dict[str, float]:
    """Train `config.method` into the folder `run`, which ends with a bundle; returns the held-out metrics.

    Under ``torchrun`` every process calls this. With `until` training stops after the stage of that name, without a
    bundle; resume it to go on. `lam_from`: a run whose stages before the policy are taken over, see `LamSource`.

    Raises:
        ClamError: `run` exists (without `resume`) or does not (with it), or bad data.
    """
    job = Job(config, run, resume, lam_from)
    method_type, job = _checked(job, until)
    with join_processes(job.config.device) as process:
        return drive(_training(method_type, job, process, until))


def train_together(jobs: Sequence[Job]) -> list[dict[str, float] | Exception]:
    """`train` of several jobs in this process, which must be of one method and one device, see `drive_together`.

    They are trained as a stack, one backward pass for all, if they differ in seed, data and optimization alone, else
    one by one. Returns the held-out metrics of each job, or why it failed.
    """
    device = resolve_device(jobs[0].config.device)
    return drive_together([_job(job, Process(device)) for job in jobs], device)


def _job(job: Job, process: Process) -> Steps:
    method_type, job = _checked(job, None)
    return (yield from _training(method_type, job, process, None))


def _checked(job: Job, until: str | None) -> tuple[type[Method], Job]:
    """The method, and `job` with the configuration that its training has."""
    config, run, resume = job.config, job.run, job.resume
    method_type = method_class(config.method)
    if resume and job.lam_from is not None:
        raise ClamError(f"--resume goes on with '{run}', which has what it took over; leave out --lam-from")
    if run.exists() and not resume:
        if not (run / "config.yaml").is_file():
            raise ClamError(f"folder '{run}' exists and holds no run to go on with; choose another --out, or delete it")
        go_on = "--resume instead of --lam-from" if job.lam_from else "--resume"
        raise ClamError(f"run folder '{run}' exists; add {go_on} to go on with it, or choose another --out")
    if resume and not (run / "config.yaml").is_file():
        raise ClamError(f"nothing to resume in '{run}': no config.yaml there; leave out --resume")
    if resume:
        asked, config = config.method, load_run_config(run)
        if config.method != asked:
            raise ClamError(f"run '{run}' trains '{config.method}', not '{asked}': clam train {config.method} --resume")
    config = method_type.configure(config)
    stages = method_type.stage_names(config)
    if until is not None and until not in stages:
        raise ClamError(f"this training of '{config.method}' has no stage '{until}': {did_you_mean(until, stages)}")
    if job.lam_from is not None:
        check_lam_from(job.lam_from, load_run_config(job.lam_from), config)
    return method_type, replace(job, config=config)


def _training(method_type: type[Method], job: Job, process: Process, until: str | None) -> Steps:
    config, run = job.config, job.run
    torch.manual_seed(config.seed)
    data = open_data(method_type.USES, config, process.device)
    method = method_type(config, data.spec).to(process.device)
    method.sampler = Sampler(config.seed, process.device, process.rank, process.world)
    if process.rank:
        torch.manual_seed(config.seed + process.rank)  # noise and dropout of its own; the weights are drawn already
    method.check(data.datasets)
    source = None
    if job.lam_from is not None:
        source = LamSource.open(job.lam_from, load_run_config(job.lam_from), data.spec)
    found = fingerprints(data.datasets)
    if job.resume:
        check_same_data(run, config, found)  # by every process: none waits for one that refuses
    process.barrier()  # no process may see the run folder of this run as another's
    if process.writes:
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / "spec.json", json.dumps(data.spec.to_json(), indent=2))
        write_whole(run / EPISODES, json.dumps(data.firsts))
        write_whole(run / DATA, json.dumps(found))
    roll_out = _roller(method, config, process) if config.rollouts.every else None
    trainer = Trainer(method, data.datasets, run, process, resume=job.resume, until=until, roll_out=roll_out)
    if source is not None:
        trainer.take_over(source)
        del source
    if process.writes:  # the last: with it the folder is a run that can be resumed
        write_whole(run / "config.yaml", yaml.safe_dump(to_plain(config), sort_keys=False))
    process.barrier()
    metrics = yield from trainer.steps()
    if process.writes and until in (None, method.STAGES[-1]):
        came_from = {} if trainer.lam_from is None else {"lam_from": trainer.lam_from}
        provenance = {"config": to_plain(config), "data": data.provenance, "metrics": metrics, **came_from}
        views = training_views(data.datasets, image.cameras if (image := method.actor.config.image) else ())
        save_bundle(run / "bundle", method.actor, data.spec, config.policy.ensembling_m, provenance, views)
        result = {
            "method": config.method,
            "metrics": metrics,
            "seconds": trainer.seconds,
            "device": str(process.device),
            "processes": process.world,
            **came_from,
        }
        write_whole(run / "result.json", json.dumps(result, indent=2))
    process.barrier()
    return metrics


def _roller(method: Method, config: Config, process: Process) -> Callable[[], dict[str, float]]:
    """Rolls out a copy of the method's actor, on layouts that no evaluation uses."""
    env = make_env_of(method.spec)
    seeds = range(config.rollouts.seed, config.rollouts.seed + config.rollouts.episodes)

    def roll_out() -> dict[str, float]:
        policy = Policy(copy.deepcopy(method.actor), method.spec, process.device, config.policy.ensembling_m, {})
        rollouts = evaluate(env, policy, seeds)
        return {
            "rollout/success_rate": sum(r.success for r in rollouts) / len(rollouts),
            "rollout/return": sum(r.episode_return for r in rollouts) / len(rollouts),
        }

    return roll_out


def load_run_config(run: Path) -> Config:
    """The configuration of a run folder.

    Raises:
        ClamError: `run` is no run folder.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise ClamError(f"'{run}' is not a run folder: it has no config.yaml; give the --out of a `clam train`")
    return from_plain(Config, yaml.safe_load(path.read_text()))


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
