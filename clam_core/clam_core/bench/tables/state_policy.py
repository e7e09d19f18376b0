"""What a policy of states is best trained with: switches beside the preset, on tasks and layouts of no other table."""

from __future__ import annotations

from dataclasses import replace

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.metaworld import metaworld_cell
from clam_core.bench.tables.recipe import TUNING
from clam_core.bench.tables.rows import STATE_ROWS, Row
from clam_core.bench.tables.table import Request, Table

#: What `recommended/state` was tuned on, beside Assembly at first.
TASKS = {
    "box-close": "Box Close",
    "basketball": "Basketball",
    "stick-push": "Stick Push",
    "pick-place-wall": "Pick Place Wall",
}
METHODS = ("mlp-clam", "vpt", "bc-expert")
#: What all rows have but those that are about it, whatever the preset says: so a row stays what it was.
PLAIN = ("policy.error_unit=range", "policy.chunk=1")
CHANGES = {
    "": ("", ()),
    "-spread": (", errors in units of the actions' spread", ("policy.error_unit=spread",)),
    "-chunk": (", chunks of five, ensembled", ("policy.chunk=5", "policy.ensembling_m=0.5")),
}


def _row(method: str, change: str) -> Row:
    of, (title, overrides) = STATE_ROWS[method], CHANGES[change]
    return replace(of, title=of.title + title, overrides=(*PLAIN, *overrides))


ROWS = {method + change: _row(method, change) for method in METHODS for change in CHANGES}

NOTE = (
    "A comparison to choose by: its tasks, play, demonstrations and layouts are no other table's. 50 labeled play "
    "episodes of which none succeeds, 1,000 unlabeled ones of all skills, 50 demonstrations, as in table4. Rows say "
    "what they change of `recommended/state`."
)


def _cell(slug: str, task: str, seed: int, request: Request) -> Cell:
    return metaworld_cell(slug, ROWS[slug], task, seed, request, seeds=TUNING)


STATE_POLICY = Table(
    "state-policy", "What a policy of states is trained with: success rate",
    {name: row.title for name, row in ROWS.items()}, TASKS, _cell,
    average=True, settings=("recommended",), references=METHODS, notes=NOTE,
)  # fmt: skip
