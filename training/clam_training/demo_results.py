"""What a demo folder says: success rates, held-out metrics, learning curves, checks that the data is honest."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED, wilson
from clam_core.training.metrics import read_metrics

LABELS = {
    "clam": ("CLAM", "unlabeled + labeled play + unlabeled expert"),
    "vpt": ("VPT", "labeled play + unlabeled expert"),
    "bc-al": ("BC-AL", "labeled play"),
    "bc-expert": ("BC-Expert (privileged)", "labeled expert"),
}


def collect_results(
    out: Path, methods: Sequence[str], seeds: Mapping[str, int], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Everything the report shows, as plain data for ``results.json``.

    Raises:
        ClamError: the data breaks a promise (a successful play episode, an evaluation seed in training).
    """
    datasets = {name: _dataset(out / "data" / name) for name in ("play", "mixed", "bulk", "expert")}
    return {
        "methods": {name: _method(out, name) for name in methods},
        "datasets": datasets,
        "seconds": dict(seconds),
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
    }


def _method(out: Path, name: str) -> dict[str, Any]:
    episodes = json.loads((out / "rollouts" / f"{name}.json").read_text())["episodes"]
    successes = sum(bool(episode["success"]) for episode in episodes)
    low, high = wilson(successes, len(episodes))
    run = out / "train" / name
    result = json.loads((run / "result.json").read_text())
    relabel = out / "logs" / f"relabel-{name}.log"
    return {
        "episodes": len(episodes),
        "successes": successes,
        "success_rate": successes / len(episodes),
        "low": low,
        "high": high,
        "mean_return": float(np.mean([episode["return"] for episode in episodes])),
        "training_seconds": result["seconds"],
        "metrics": result["metrics"],
        "expert_check": json.loads(relabel.read_text().splitlines()[-1]) if relabel.exists() else {},
        "curves": read_metrics(run),
    }


def _dataset(path: Path) -> dict[str, Any]:
    store = EpisodeStore.open(path, actions=False)
    successes = int(store.episode_success.sum())
    if store.info.kind == "play" and successes:
        raise ClamError(f"'{path}' holds {successes} successful play episodes; play must not solve the task")
    if store.num_episodes and int(store.episode_seeds.max()) >= EVALUATION_SEED:
        raise ClamError(f"'{path}' holds an evaluation seed ({store.episode_seeds.max()}); training must not see those")
    return {"episodes": store.num_episodes, "transitions": store.num_transitions, "successes": successes}


def summary_table(results: Mapping[str, Any]) -> Table:
    """The table of the terminal."""
    table = Table(title="Success through ROS, on layouts that no training saw")
    for column in ("method", "learns from", "success", "95 % interval", "training"):
        table.add_column(column, justify="left" if column in ("method", "learns from") else "right")
    for name, method in results["methods"].items():
        title, data = LABELS[name]
        table.add_row(
            title,
            data,
            f"{method['successes']}/{method['episodes']} = {method['success_rate']:.0%}",
            f"{method['low']:.0%} to {method['high']:.0%}",
            f"{method['training_seconds']:.0f} s",
        )
    total = sum(results["seconds"].values())
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in results["seconds"].items())
    table.caption = f"{stages}; {total / 60:.1f} minutes in all"
    return table
