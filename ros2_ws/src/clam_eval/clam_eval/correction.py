"""A score that was wrong: a line that corrects it, never an edit. `ros2 run clam_eval correct FOLDER ROLLOUT SCORE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_eval.results_file import ResultsFile, read_results, scored

SCORES = (0.0, 0.5, 1.0)


class Corrections:
    """Of the newest score in `results`, by `operator`."""

    def __init__(self, results: ResultsFile, operator: str) -> None:
        self._results, self._operator = results, operator

    @property
    def last(self) -> str:
        """What can be corrected, in words; empty before a person has scored anything."""
        index, lines = self._newest, self._results.lines
        return "" if index is None else f"rollout {index + 1}: {scored(lines)[index]['score']:g}"

    def correct(self, score: float) -> str:
        """The newest score was to be `score`; what stands against that, or an empty text."""
        if self._newest is None:
            return "no person has scored anything yet"
        try:
            correct(self._results, self._newest, score, self._operator)
        except ClamError as error:
            return str(error)
        return ""

    @property
    def _newest(self) -> int | None:
        lines = (line for line in reversed(self._results.lines) if line["type"] == "rollout")
        return next((line["index"] for line in lines if line["scored_by"] == "person"), None)


def correct(results: ResultsFile, index: int, score: float, operator: str) -> None:
    """Write that `score` is that of the scored rollout `index`, which counts from 0.

    Raises:
        ClamError: it has no score, or a simulator's, or the file cannot be written.
    """
    line = scored(results.lines).get(index)
    if line is None:
        raise ClamError(f"rollout {index + 1} has no score yet: only a score that is there can be corrected")
    if line["scored_by"] != "person":
        raise ClamError(f"rollout {index + 1} was scored by the simulator: a person does not correct it")
    results.append("correction", index=index, score=score, was=line["score"], operator=operator)


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script; returns 0, or 1 after one line that names the error."""
    parser = argparse.ArgumentParser(prog="correct", description="Correct the score of a rollout that a person scored.")
    parser.add_argument("folder", type=Path, help="the `out` of the evaluation, which must not run")
    parser.add_argument("rollout", type=int, help="its number, as the page showed it: 1 is the first")
    parser.add_argument("score", type=float, choices=SCORES)
    parser.add_argument("--operator", default="", help="who says so")
    options: Any = parser.parse_args(arguments)
    try:
        results = ResultsFile(options.folder, read_results(options.folder)[0], {})
        try:
            correct(results, options.rollout - 1, options.score, options.operator)
        finally:
            results.close()
    except ClamError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    print(f"rollout {options.rollout} has score {options.score:g} now; `report` writes the table anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
