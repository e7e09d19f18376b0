"""Train, evaluate and grade cells. Whatever interrupts one, the next call goes on where it stopped."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import torch

from clam_core.bench.lock import locked
from clam_core.bench.tables.cell import Cell
from clam_core.bench.train_step import machine
from clam_core.data.store import EpisodeStore
from clam_core.deploy import load_bundle
from clam_core.deploy.device import resolve_device
from clam_core.envs import make_env_of
from clam_core.evaluation import normalized_return, reference_scores, rollout
from clam_core.methods import method_class
from clam_core.plain import from_plain, to_plain
from clam_core.training.config import Config, DataConfig
from clam_core.training.lam_from import deviations, learned_stages
from clam_core.training.metrics import read_lines, read_metrics
from clam_core.training.run import Job, load_method, load_role, load_run_config, train_together
from clam_core.whole import write_whole

SCORED = "kitchen"  # the environment whose rewards are scores


@dataclass(frozen=True)
class Outcome:
    """What a cell gave: per rollout `successes`, `returns` (normalized where the task has reference scores), `scores`.

    `scores` are those of Appendix F, which only the kitchen gives: 1 for success, ½ for partial success, else 0.

    `metrics` are those of training on held-out data; `label_quality` compares the labels that the method gave the
    expert episodes with the true actions, which nothing was trained on. `resumed`: the seconds lack what ran before
    an interruption. `stacked` cells were trained at once; `train_seconds` and `cpu_seconds` are this one's share.
    `lam_of`: the row whose latent action model it took over, see `shared_lam`.
    """

    successes: list[bool]
    returns: list[float]
    metrics: dict[str, float]
    label_quality: dict[str, float]
    train_seconds: float
    evaluate_seconds: float
    cpu_seconds: float
    resumed: bool
    machine: dict[str, Any] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    stacked: int = 1
    lam_of: str | None = None


def load_outcome(cell: Cell, root: Path) -> Outcome | None:
    """The outcome of `cell`, if it has one."""
    path = cell.folder(root) / "outcome.json"
    return Outcome(**json.loads(path.read_text())) if path.is_file() else None


def run_cell(cell: Cell, root: Path, threads: int | None = None) -> Outcome:
    """Run `cell` in its folder, or read what an earlier call left there; its datasets must be made already.

    Raises:
        ClamError: see `train`.
    """
    outcome = run_stack([cell], root, threads)[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_stack(
    cells: Sequence[Cell], root: Path, threads: int | None = None, share_lam: bool = False
) -> list[Outcome | Exception]:
    """`run_cell` of cells of one method whose networks have the same shapes: trained together, evaluated in turn.

    With `share_lam` a cell takes over the latent action model of a trained one, where there is one; see `shared_lam`.

    Returns the outcome of each, or why it failed.
    """
    if threads:
        torch.set_num_threads(threads)
    with contextlib.ExitStack() as until_done:
        for folder in sorted(cell.folder(root) for cell in cells):  # in one order, or two processes wait for each other
            folder.mkdir(parents=True, exist_ok=True)
            until_done.enter_context(locked(folder / "cell"))
        results: dict[Cell, Outcome | Exception] = {}
        for cell in cells:
            done = load_outcome(cell, root)
            if done is not None:
                results[cell] = done
        results |= _make([cell for cell in cells if cell not in results], root, share_lam)
    return [results[cell] for cell in cells]


@dataclass(frozen=True)
class _Trained:
    """See `Outcome`."""

    seconds: float
    cpu_seconds: float
    resumed: bool
    stacked: int


def _make(cells: Sequence[Cell], root: Path, share_lam: bool) -> dict[Cell, Outcome | Exception]:
    """Train `cells` together, then evaluate and grade one after the other; each writes its outcome."""
    if not cells:
        return {}
    begun = {cell: (cell.folder(root) / "cell.json").exists() for cell in cells}
    for cell in cells:
        write_whole(cell.folder(root) / "cell.json", json.dumps(cell.to_json(), indent=1))
    cpu, started = time.process_time(), time.monotonic()
    with _log(cells[0], root):
        trained = _train(cells, root, share_lam)
    count = max(1, len(trained))
    seconds, cpu_seconds = (time.monotonic() - started) / count, (time.process_time() - cpu) / count
    results: dict[Cell, Outcome | Exception] = {}
    for cell in cells:
        with _log(cell, root) as log:
            if count > 1 and cell in trained:
                log.write(
                    f"trained together, in the first one's log: {', '.join(c.folder(root).name for c in trained)}\n"
                )
            try:
                if failure := trained.get(cell):
                    raise failure
                took = (seconds, cpu_seconds, begun[cell], count) if cell in trained else (0.0, 0.0, begun[cell], 1)
                results[cell] = _grade(cell, root, _Trained(*took))
            except Exception as error:
                traceback.print_exc()
                results[cell] = error
    return results


@contextlib.contextmanager
def _log(cell: Cell, root: Path) -> Iterator[TextIO]:
    """What is said on stderr inside goes to the cell's log."""
    with (cell.folder(root) / "log.txt").open("a", buffering=1) as log, contextlib.redirect_stderr(log):
        yield log


def _train(cells: Sequence[Cell], root: Path, share_lam: bool) -> dict[Cell, Exception | None]:
    """Train those of `cells` that are not trained yet; returns for each of these why it failed, if so."""
    waiting = [cell for cell in cells if not (cell.folder(root) / "train" / "result.json").is_file()]
    jobs = {cell: _job(cell, root, share_lam) for cell in waiting}
    if not jobs:
        return {}
    results = zip(jobs, train_together(list(jobs.values())), strict=True)
    return {cell: result if isinstance(result, Exception) else None for cell, result in results}


def _job(cell: Cell, root: Path, share_lam: bool) -> Job:
    run = cell.folder(root) / "train"
    folders = {role: tuple(str(source.folder(root)) for source in sources) for role, sources in cell.data}
    data = from_plain(DataConfig, {**to_plain(cell.config.data), **folders})
    config, resume = replace(cell.config, data=data), (run / "config.yaml").is_file()
    if run.exists() and not resume:
        shutil.rmtree(run)  # killed before it began
    return Job(config, run, resume, shared_lam(cell, config, root) if share_lam and not resume else None)


def shared_lam(cell: Cell, config: Config, root: Path) -> Path | None:
    """The training folder of a trained cell of the same seed that differs from `config` in the policy alone, if any."""
    config, own = method_class(config.method).configure(config), cell.folder(root)
    if not learned_stages(config):
        return None
    for result in sorted(own.parent.glob(f"*-{cell.labels}-labels-seed{cell.seed}-*/train/result.json")):
        if result.parents[1] == own or "lam_from" in json.loads(result.read_text()):
            continue
        other = load_run_config(result.parent)
        alike = (other.method, other.seed, other.data) == (config.method, config.seed, config.data)
        if alike and not deviations(config, other):
            return result.parent
    return None


def _all_metrics(run: Path) -> dict[str, float]:
    """The last value of every held-out metric of every stage; `result.json` has those of the last stage only."""
    metrics: dict[str, float] = {}
    for record in read_metrics(run):
        metrics |= {name: value for name, value in record.items() if "/" in name}
    return metrics


def _grade(cell: Cell, root: Path, trained: _Trained) -> Outcome:
    """Evaluate `cell` and write its outcome."""
    cpu, started = time.process_time(), time.monotonic()
    folder = cell.folder(root)
    rollouts = _evaluate(cell, folder)
    seconds = time.monotonic() - started
    result = json.loads((folder / "train" / "result.json").read_text())
    outcome = Outcome(
        successes=[record["success"] for record in rollouts],
        returns=[record["return"] for record in rollouts],
        metrics=_all_metrics(folder / "train") | result["metrics"],
        label_quality=_label_quality(cell, root, folder / "train"),
        train_seconds=trained.seconds,
        evaluate_seconds=seconds,
        cpu_seconds=trained.cpu_seconds + time.process_time() - cpu,
        machine=machine(resolve_device(cell.config.device)),
        resumed=trained.resumed,
        lam_of=_row_of(result.get("lam_from")),
        scores=[record["score"] for record in rollouts if "score" in record],
        stacked=trained.stacked,
    )
    write_whole(folder / "outcome.json", json.dumps(asdict(outcome), indent=1))
    return outcome


def _row_of(run: str | None) -> str | None:
    """The row of the cell that was trained in `run`; see `Cell.folder`."""
    return None if run is None else Path(run).parent.name.rpartition("-labels-")[0].rpartition("-")[0]


def _evaluate(cell: Cell, folder: Path) -> list[dict[str, Any]]:
    """All rollouts; those that `rollouts.jsonl` does not hold yet are made, and appended one by one."""
    path = folder / "rollouts.jsonl"
    records = read_lines(path) if path.is_file() else []
    missing = range(cell.first_seed + len(records), cell.first_seed + cell.episodes)
    policy = load_bundle(folder / "train" / "bundle", cell.config.device)
    # The cell's task, not the bundle's: that of a policy which saw play alone is whatever the play was of.
    with path.open("w") as file, contextlib.closing(make_env_of(policy.spec, cell.env, cell.task)) as env:
        for record in records:
            file.write(json.dumps(record) + "\n")
        for seed in missing:
            rolled = rollout(env, policy, seed)
            value = rolled.episode_return
            if reference_scores(cell.env, cell.task):
                value = normalized_return(cell.env, cell.task, value)
            record = {"seed": seed, "success": rolled.success, "return": value}
            records.append(record | {"score": rolled.best_reward} if cell.env == SCORED else record)
            file.write(json.dumps(records[-1]) + "\n")
            file.flush()
    return records


def _label_quality(cell: Cell, root: Path, run: Path) -> dict[str, float]:
    """R² of the method's labels for the expert episodes it imitated; empty for methods that label nothing."""
    expert = dict(cell.data).get("expert", ())
    if not expert or cell.config.method == "lapa":
        return {}
    method = load_method(run, resolve_device(cell.config.device))
    stores = [EpisodeStore.open(source.folder(root), actions=True) for source in expert]
    episodes = load_role(stores, method.config, method.spec, resolve_device(cell.config.device))
    return method.grounding(method.transitions(episodes, method.span))
