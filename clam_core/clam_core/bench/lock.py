"""One process at a time makes a cell, a dataset or a file of trials; another that needs it waits, and then finds it."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``.<name>.lock`` beside `path`; it is freed when the process ends, however it does.

    A line says that, and for what, this process waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("another process makes '%s': waiting until it is done", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
