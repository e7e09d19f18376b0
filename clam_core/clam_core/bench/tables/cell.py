"""One cell of a table: a method trained once, with one seed, on one task; and where its evidence lies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clam_core.bench.tables.sources import Source
from clam_core.errors import ClamError
from clam_core.plain import from_plain, to_plain
from clam_core.training.config import Config

#: Value of every key when it was new: a digest leaves it out, so that a cell from before the key has the same one. A
#: key that is new today is added here with its default; what stands here stays, also where a default changes.
FIRST: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("first_values.json").read_text())


@dataclass(frozen=True)
class Cell:
    """What is trained, on what, and how it is judged. Tables share cells: table 6's last row is table 5's CLAM.

    Attributes:
        setting: ``paper`` or ``recommended``.
        method: the row's short name, e.g. ``mlp-clam``.
        config: all numbers of the training; its data folders are left empty, `data` names them.
        data: role → datasets.
        episodes: evaluation rollouts, from seed `first_seed` on.
        budget: share of the preset's updates.
    """

    setting: str
    method: str
    env: str
    task: str
    seed: int
    config: Config
    data: tuple[tuple[str, tuple[Source, ...]], ...]
    episodes: int
    first_seed: int
    budget: float

    @property
    def labels(self) -> int:
        """Labeled episodes."""
        return sum(source.episodes for source in dict(self.data).get("labeled", ()))

    def updates(self) -> int:
        """Updates of all its stages."""
        from clam_core.methods import method_class

        method = method_class(self.config.method)
        config = method.configure(self.config)
        stages = {
            "lam": config.lam_training, "idm": config.lam_training, "encoder": config.lam_training,
            "decoder": config.grounding_training, "latent_policy": config.policy_training,
            "policy": config.grounding_training if config.method == "lapa" else config.policy_training,
        }  # fmt: skip
        return sum(stages[name].updates for name in method.stage_names(config))

    def to_json(self) -> dict[str, Any]:
        """Plain values: everything that decides what comes out."""
        return to_plain(self)

    def digest(self) -> str:
        """Of all that decides what comes out, wherever it runs; see `FIRST`."""
        wanted = self.to_json()
        wanted["config"] = _changed(wanted["config"], FIRST["config"])
        wanted["config"].pop("device", None)
        wanted["data"] = [[role, [_changed(one, FIRST["source"]) for one in many]] for role, many in wanted["data"]]
        return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]

    def folder(self, root: Path) -> Path:
        """Its run folder below the folder of all benchmarks; other numbers, other folder.

        A cell that was made before a configuration had all of today's keys is the same cell, if the new keys have
        their defaults here.
        """
        wanted = self.to_json()
        parent = root / "cells" / self.setting / f"{self.env}-{self.task}"
        name = f"{self.method}-{self.labels}-labels-seed{self.seed}"
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
        folder = parent / f"{name}-{digest}"
        if not folder.exists():
            for path in sorted(parent.glob(f"{name}-*/cell.json")):
                if _completed(path) == wanted:
                    return path.parent
        return folder


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The entries of `values` that differ from `defaults`."""
    changed = {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}
    for key, value in changed.items():
        if isinstance(value, dict):
            changed[key] = _changed(value, defaults.get(key, {}))
    return changed


def _completed(path: Path) -> dict[str, Any] | None:
    """A stored cell with today's defaults for keys that it lacks; None if it has keys that are no more."""
    stored: dict[str, Any] = json.loads(path.read_text())
    try:
        stored["config"] = to_plain(from_plain(Config, stored["config"]))
        stored["data"] = [[role, [to_plain(from_plain(Source, one)) for one in many]] for role, many in stored["data"]]
    except ClamError:
        return None
    return stored
