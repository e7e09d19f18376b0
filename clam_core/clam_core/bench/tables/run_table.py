"""``clam bench TABLE``: which cells a call asks for, running them, and reporting all that is done of the table."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.definitions import TABLES
from clam_core.bench.tables.pool import Pool, run_cells
from clam_core.bench.tables.records import Known
from clam_core.bench.tables.report import written
from clam_core.bench.tables.run_cell import load_outcome
from clam_core.bench.tables.summary import Entry
from clam_core.bench.tables.table import Request, Table
from clam_core.errors import ClamError, did_you_mean

#: Share of the presets' updates: the paper's need days of two cores, ours are made for them.
BUDGETS = {"cpu": {"paper": 0.01, "recommended": 1.0}, "gpu": {"paper": 1.0, "recommended": 1.0}}
MOST_SEEDS = 10  # of one table: the episode seeds of further ones would be those of other datasets (recipe.py)


@dataclass(frozen=True)
class TableOptions:
    """What of a table to run, and where; None of rows, columns or settings is all of them."""

    settings: tuple[str, ...]
    budget: str = "cpu"
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    seeds: int = 3
    first_seed: int = 0
    episodes: int = 50
    device: str = "auto"
    root: Path = Path("runs/bench")
    out: Path = Path("docs/results")
    pool: Pool = field(default_factory=lambda: Pool(1))
    merge: bool = False  # whether cells that pages in `out` have count as done

    def __post_init__(self) -> None:
        if self.first_seed < 0 or self.first_seed + self.seeds > MOST_SEEDS:
            raise ClamError(
                f"a table has seeds 0 to {MOST_SEEDS - 1}, got --first-seed {self.first_seed} --seeds {self.seeds}"
            )


def find_table(name: str) -> Table:
    """The table called `name`.

    Raises:
        ClamError: there is none, or a package that it needs is missing.
    """
    if name not in TABLES:
        raise ClamError(f"unknown table '{name}': {did_you_mean(name, TABLES)}")
    table = TABLES[name]
    if table.needs and importlib.util.find_spec(table.needs) is None:
        raise ClamError(f"{name} needs the package {table.needs}; docs/calvin.md says how to install it")
    return table


def shares(budget: str) -> dict[str, float]:
    """Setting → share of its preset's updates, of ``cpu``, ``gpu`` or a number for all.

    Raises:
        ClamError: neither.
    """
    if budget in BUDGETS:
        return BUDGETS[budget]
    try:
        share = float(budget)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise ClamError(f"--budget '{budget}': give cpu, gpu, or the share of the updates, above 0 and at most 1")
    return dict.fromkeys(BUDGETS["cpu"], share)


def planned(table: Table, options: TableOptions) -> list[tuple[str, str, Cell]]:
    """Row, column and cell of everything `options` asks for; all of the first seed come first.

    Raises:
        ClamError: an unknown row, column or setting.
    """
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    rows = _chosen(options.rows, table.rows, f"{table.name} has no row")
    columns = _chosen(options.columns, table.columns, f"{table.name} has no column")
    settings = _chosen(options.settings, table.settings, f"{table.name} has no setting")
    return list(_cells(table, options, settings, rows, columns, seeds))


def _chosen(asked: Sequence[str] | None, known: Sequence[str] | dict[str, str], complaint: str) -> list[str]:
    """The names of `known` that are asked for by name or, as the page shows them, by title: ``slide-pot``."""
    titles = {"-".join(title.lower().split()): name for name, title in known.items()} if isinstance(known, dict) else {}
    chosen = list(known) if asked is None else [name if name in known else titles.get(name, name) for name in asked]
    for name in chosen:
        if name not in known:
            raise ClamError(f"{complaint} '{name}': {did_you_mean(name, known)}")
    return chosen


def _cells(
    table: Table,
    options: TableOptions,
    settings: Sequence[str],
    rows: Sequence[str],
    columns: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[tuple[str, str, Cell]]:
    budget = shares(options.budget)
    for seed in seeds:
        for setting in settings:
            request = Request(setting, budget[setting], options.episodes, options.device)
            for column in columns:
                for row in rows:
                    cell = table.cell(row, column, seed, request)
                    if cell is not None:
                        yield row, column, cell


def run_table(table: Table, options: TableOptions) -> Path:
    """Run what is not done yet, write the report of all that is done, and return the report's folder.

    Raises:
        ClamError: cells failed (the others are done, and the same call goes on), or see `planned`.
    """
    started = time.monotonic()
    run_cells(missing(table, options), options.root, options.pool)
    return report(table, options, finished(table, options), time.monotonic() - started)


def missing(table: Table, options: TableOptions) -> list[Cell]:
    """Of what `options` asks for, the cells that are done nowhere that counts."""
    known = _known(table, options)
    return [
        cell
        for row, column, cell in planned(table, options)
        if load_outcome(cell, options.root) is None and known.entry(row, column, cell) is None
    ]


def _known(table: Table, options: TableOptions) -> Known:
    return Known.read(table, options.out) if options.merge else Known(table)


def finished(table: Table, options: TableOptions) -> list[Entry]:
    """Every cell of the table that is done in the folder, or known from the page, whatever this call asked for."""
    entries, known = [], _known(table, options)
    for seed in range(MOST_SEEDS):
        cells = _cells(table, options, table.settings, list(table.rows), list(table.columns), [seed])
        found = [
            entry
            for row, column, cell in cells
            if (entry := _here(row, column, cell, options.root) or known.entry(row, column, cell)) is not None
        ]
        if not found and seed >= options.first_seed + options.seeds:
            break
        entries += found
    return entries


def _here(row: str, column: str, cell: Cell, root: Path) -> Entry | None:
    outcome = load_outcome(cell, root)
    return None if outcome is None else Entry(row, column, cell, outcome, cell.digest())


def report(table: Table, options: TableOptions, entries: Sequence[Entry], seconds: float) -> Path:
    """Write the report; the folder that it is in."""
    settings = dict.fromkeys(entry.cell.setting for entry in entries)
    budget = shares(options.budget)
    cells = {entry.cell: entry.outcome for entry in entries}
    cpu = sum(outcome.cpu_seconds for outcome in cells.values())
    machines = dict.fromkeys(
        str(outcome.machine.get("gpu") or outcome.machine.get("processor")) for outcome in cells.values()
    )
    scale = ", ".join(f"{s}: {budget[s]:g} × the preset's updates" for s in settings)
    facts = {
        "Budget": scale,
        "Machine": f"{', '.join(machines)}; {os.cpu_count()} cores in the one that wrote this page",
        "Time": f"{cpu / 3600:.1f} hours of processor time for {len(cells)} cells, training and evaluation; "
        f"the last call took {seconds / 60:.0f} minutes",
        "Command": f"`clam bench {table.name} --setting {'both' if len(settings) > 1 else next(iter(settings), '')} "
        f"--budget {options.budget} --seeds {options.seeds}"
        + (f" --episodes {options.episodes}" if options.episodes != table.episodes else "")
        + (f" --device {options.device}" if options.device.startswith("cuda") else "")
        + (" --merge`" if options.merge else "`"),
    }
    if table.preset:
        facts = {"Presets": _presets(table, list(cells)), **facts}
    return written(table, entries, facts, options.out, options.root / "results")


def _presets(table: Table, cells: Sequence[Cell]) -> str:
    """What the rows were trained with, in each setting."""
    assert table.preset is not None
    lines = {}
    for cell in cells:
        config, size = cell.config, cell.config.features.image_size
        lines[cell.setting] = (
            f"{cell.setting}: {table.preset(cell.setting, config.device)} ({config.lam.architecture} latent action "
            f"model, {config.policy.architecture} policy with chunks of {config.policy.chunk}, images of {size}×{size})"
        )
    return "; ".join(lines.values())
