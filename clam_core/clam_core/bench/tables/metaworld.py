"""Cells on Meta-World: four tasks of the paper, and what their data are."""

from __future__ import annotations

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.paper import ASSEMBLY, BIN, PEG, SHELF
from clam_core.bench.tables.recipe import EVALUATED, SEED_STEP, Seeds, new_cell
from clam_core.bench.tables.rows import Row, roles_of
from clam_core.bench.tables.sources import Source
from clam_core.bench.tables.table import Request

METAWORLD = {
    ASSEMBLY: "Assembly",
    BIN: "Bin Picking",
    PEG: "Peg Insert Side",
    SHELF: "Shelf Place",
}

UNLABELED, EXPERTS = 1_000, 50


def metaworld_cell(
    slug: str,
    row: Row,
    task: str,
    seed: int,
    request: Request,
    *,
    labels: int = 50,
    label_kind: str = "play",
    experts: int = EXPERTS,
    unlabeled: int = UNLABELED,
    image_size: int | None = None,
    extra: tuple[str, ...] = (),
    seeds: Seeds = EVALUATED,
) -> Cell:
    """A cell on Meta-World: 1,000 unlabeled episodes of all skills, labeled play, unlabeled experts (Section 5)."""

    def source(kind: str, episodes: int, first: int) -> Source:
        return Source("metaworld", task, kind, episodes, first, image_size)

    own = SEED_STEP * seed
    data = roles_of(
        row,
        unlabeled=(source("mixed", unlabeled, seeds.mixed),),
        labeled=(source(label_kind, labels, seeds.play + own),),
        expert=(source("expert", experts, seeds.expert + own),),
    )
    return new_cell("metaworld", slug, row, task, seed, request, data, extra, seeds)
