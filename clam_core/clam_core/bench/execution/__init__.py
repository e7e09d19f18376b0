"""``clam bench execution``: ways of executing a bundle's action chunks, beside each other on the same layouts."""

from clam_core.bench.execution.report import as_lines, written
from clam_core.bench.execution.run import Options, run
from clam_core.bench.execution.setup import ENSEMBLING, FIRST_MOVE

__all__ = ["ENSEMBLING", "FIRST_MOVE", "Options", "as_lines", "run", "written"]
