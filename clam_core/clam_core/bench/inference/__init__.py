"""``clam bench inference``: how long a policy takes to answer, as it is and with what could make it faster."""

from clam_core.bench.inference.report import as_lines, written
from clam_core.bench.inference.run import ANSWERS, ROUNDS, Options, run

__all__ = ["ANSWERS", "ROUNDS", "Options", "as_lines", "run", "written"]
