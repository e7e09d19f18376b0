"""One cell of a table: a method trained once, with one seed, on one task; and where its evidence lies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clam_core.bench.tables.sources import Source
from clam_core.plain import to_plain
from clam_core.training.config import Config


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
        skipped = {"decoder"} if config.grounding.training != "afterwards" else set()
        return sum(stages[name].updates for name in method.STAGES if name not in skipped)

    def to_json(self) -> dict[str, Any]:
        """Plain values: everything that decides what comes out."""
        return to_plain(self)

    def folder(self, root: Path) -> Path:
        """Its run folder below the folder of all benchmarks; other numbers, other folder."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:8]
        name = f"{self.method}-{self.labels}-labels-seed{self.seed}-{digest}"
        return root / "cells" / self.setting / f"{self.env}-{self.task}" / name
