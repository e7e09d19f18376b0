"""The Parquet files of a LeRobot dataset (version 3.0): rows of all episodes, the table of episodes, the tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from clam_core.data import lerobot_format as form

_INDEX = "__index_level_0__"  # how pandas calls the unnamed index that LeRobot's task table has


class RowFiles:
    """Writes the rows of episodes into ``data/``, a new file whenever one has grown to LeRobot's size."""

    def __init__(self, root: Path, limit_mb: float = form.DATA_FILE_MB) -> None:
        self._root, self._limit = root, limit_mb * 2**20
        self._writer: pq.ParquetWriter | None = None
        self._number = -1
        self._path = root

    def append(self, columns: dict[str, pa.Array]) -> dict[str, int]:
        """Add an episode; where it went, as entries of the table of episodes."""
        table = pa.table(columns)
        if self._writer is None or self._path.stat().st_size >= self._limit:
            self.close()
            self._number += 1
            self._path = self._root / form.DATA.format(**place(self._number))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        return {f"data/{name}": value for name, value in place(self._number).items()}

    def close(self) -> None:
        """Finish the last file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def place(number: int) -> dict[str, int]:
    """Chunk and file of the `number`-th file of a kind."""
    return {"chunk_index": number // form.FILES_PER_CHUNK, "file_index": number % form.FILES_PER_CHUNK}


def vectors(values: npt.NDArray[Any]) -> pa.Array:
    """``(N, D)`` as one list of D float32 per row; a plain number where D is 1, as LeRobot declares those."""
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def pictures(encoded: list[bytes]) -> pa.Array:
    """Encoded images as LeRobot embeds them: bytes, and a path that is not used."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": data, "path": f"frame-{i:06d}.png"} for i, data in enumerate(encoded)], kind)


def write_episodes(root: Path, rows: list[dict[str, Any]]) -> None:
    """The table of episodes; arrays become nested lists."""
    number = {f"meta/episodes/{name}": value for name, value in place(0).items()}
    plain = [{name: _plain(value) for name, value in {**row, **number}.items()} for row in rows]
    path = root / form.EPISODES.format(**place(0))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(plain), path)


def write_tasks(root: Path, tasks: list[str]) -> None:
    """The table of tasks, as pandas writes one whose index is the task's words."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), _INDEX: pa.array(tasks, pa.string())})
    numbers = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    words = {"name": None, "field_name": _INDEX, "pandas_type": "unicode", "numpy_type": "object"}
    columns = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    meta = {
        "index_columns": [_INDEX],
        "column_indexes": [{**columns, "metadata": {"encoding": "UTF-8"}}],
        "columns": [{**numbers, "metadata": None}, {**words, "metadata": None}],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    path = root / form.TASKS
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(meta)}), path)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
