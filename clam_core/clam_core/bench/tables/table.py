"""What a table is: rows and columns, and for each place in it the cells that fill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.paper import PAPER, Numbers


@dataclass(frozen=True)
class Request:
    """What to run: one setting, with `budget` times its updates and `episodes` rollouts per cell."""

    setting: str
    budget: float = 1.0
    episodes: int = 50
    device: str = "auto"


#: (row, column, seed, request) → the cell; None where the table has nothing there.
CellOf = Callable[[str, str, int, Request], Cell | None]


@dataclass(frozen=True)
class Table:
    """A table or curve of the paper.

    Attributes:
        rows, columns: short name → title.
        metric: ``success``, ``score`` (Appendix F's 0, ½, 1), ``normalized_return``, or the names of training
            metrics shown as rows (`measures`).
        average: whether a column with the mean over the columns makes sense.
        curve: the axis of the columns, for figures.
        settings: those that make sense for it.
        needs: package that must be importable.
        episodes: rollouts per cell, where the caller names no number.
        references: rows that the page compares all others with; it then also says what each row took.
        preset: (setting, device) → the preset of all rows, where they share one.
        notes: what a reader must know to compare ours with the paper's.
    """

    name: str
    title: str
    rows: dict[str, str]
    columns: dict[str, str]
    cell: CellOf
    metric: str = "success"
    average: bool = False
    curve: str | None = None
    settings: tuple[str, ...] = ("paper", "recommended")
    needs: str | None = None
    episodes: int = 50
    references: tuple[str, ...] = ()
    preset: Callable[[str, str], str] | None = None
    measures: dict[str, str] = field(default_factory=dict)
    notes: str = ""

    @property
    def paper(self) -> Numbers:
        """The paper's numbers; empty for figures, which print none."""
        return PAPER.get(self.name, {})
