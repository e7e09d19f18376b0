"""The paper's tables and figures, run and reported beside the paper's numbers."""

from clam_core.bench.tables.definitions import TABLES
from clam_core.bench.tables.pool import Pool
from clam_core.bench.tables.run_table import TableOptions, find_table, missing, planned, run_table
from clam_core.bench.tables.table import Table

__all__ = ["TABLES", "Pool", "Table", "TableOptions", "find_table", "missing", "planned", "run_table"]
