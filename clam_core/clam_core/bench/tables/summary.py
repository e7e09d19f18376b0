"""What a table's cells say together: an estimate of every place, by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.statistics import Difference, Estimate, average, difference, estimate, values_of
from clam_core.bench.tables.table import Table

#: Setting, row and column.
_Place = tuple[str, str, str]
AVERAGE = "average"


@dataclass(frozen=True)
class Entry:
    """A cell, where it stands in the table, and what it gave; `digest` of what was run, None where nobody noted it.

    `record`: where it was read from a page, all that stood there.
    """

    row: str
    column: str
    cell: Cell
    outcome: Outcome
    digest: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


class Summary:
    """Estimates of every place of a table, by setting."""

    def __init__(self, table: Table, entries: Sequence[Entry]) -> None:
        self.table = table
        self.settings = [s for s in table.settings if any(e.cell.setting == s for e in entries)]
        self.seeds = len({entry.cell.seed for entry in entries})
        self._values: dict[_Place, list[list[float]]] = {}
        self._successes: dict[_Place, list[list[float]]] = {}
        for entry in entries:
            place = (entry.cell.setting, entry.row, entry.column)
            self._values.setdefault(place, []).append(values_of(table, entry.row, entry.outcome))
            self._successes.setdefault(place, []).append([float(success) for success in entry.outcome.successes])

    def at(self, setting: str, row: str, column: str) -> Estimate | None:
        """The estimate at a place, or of a row's average over all columns; None where something is missing."""
        columns = self._columns(self._values, setting, row, column)
        if columns is None:
            return None
        return average(columns) if column == AVERAGE else estimate(self.table.metric, columns[0])

    def success(self, setting: str, row: str, column: str) -> Estimate | None:
        """The success rate at a place, whatever the table's metric; see `at`."""
        columns = self._columns(self._successes, setting, row, column)
        if columns is None:
            return None
        return average(columns) if column == AVERAGE else estimate("success", columns[0])

    def difference(self, setting: str, row: str, other: str, column: str) -> Difference | None:
        """`row` minus the row `other` at a place; see `at`."""
        ours = self._columns(self._values, setting, row, column)
        theirs = self._columns(self._values, setting, other, column)
        return difference(ours, theirs) if ours and theirs else None

    def _columns(
        self, values: dict[_Place, list[list[float]]], setting: str, row: str, column: str
    ) -> list[list[list[float]]] | None:
        """Column → seed → values of a place, all columns for the average; None where something is missing."""
        names = list(self.table.columns) if column == AVERAGE else [column]
        found = [values.get((setting, row, name), []) for name in names]
        return found if all(found) else None

    def paper(self, row: str, column: str) -> tuple[float, float] | None:
        """The paper's number at a place; of an average, the mean of the columns (no spread is printed)."""
        numbers = self.table.paper.get(row, {})
        if column != AVERAGE:
            return numbers.get(column)
        if any(name not in numbers for name in self.table.columns):
            return None
        return float(np.mean([numbers[name][0] for name in self.table.columns])), 0.0
