"""What the cells of all tables have in common: whose the episode seeds are, and how a row becomes a cell."""

from __future__ import annotations

from dataclasses import dataclass

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.rows import Row
from clam_core.bench.tables.sources import Source
from clam_core.bench.tables.table import Request
from clam_core.evaluation import EVALUATION_SEED

#: First episode seed of each kind; a thousand apart for each seed of a table, and all below those of evaluation.
PLAY, EXPERT, MIXED = 10_000, 20_000, 100_000
SEED_STEP = 1_000


@dataclass(frozen=True)
class Seeds:
    """First episode seed of each kind of data, and of the layouts of the rollouts."""

    play: int
    expert: int
    mixed: int
    layouts: int


EVALUATED = Seeds(PLAY, EXPERT, MIXED, EVALUATION_SEED)
#: Of comparisons that choices are made by: no dataset and no layout of theirs is any table's.
TUNING = Seeds(400_000, 410_000, 420_000, 600_000)


def new_cell(
    env: str,
    slug: str,
    row: Row,
    task: str,
    seed: int,
    request: Request,
    data: tuple[tuple[str, tuple[Source, ...]], ...],
    extra: tuple[str, ...] = (),
    seeds: Seeds = EVALUATED,
) -> Cell:
    """A cell of `row` called `slug`: its rollouts are on layouts of this seed of the table alone."""
    config = row.config(request.setting, seed, request.budget, (f"device={request.device}", *extra))
    first = seeds.layouts + SEED_STEP * seed
    return Cell(request.setting, slug, env, task, seed, config, data, request.episodes, first, request.budget)
