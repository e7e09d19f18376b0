"""Processes that share work out, and that end when the one that started them does."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def process_pool(workers: int, initializer: Callable[..., None] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """`workers` spawned processes, each of which calls `initializer` with `arguments` first.

    Without more ado the workers of a killed process would finish what they are at: half an hour of a core, and a lock
    that the next call waits for.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (initializer, arguments))


def _start(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in spawned processes only"
    parent.join()
    os._exit(1)
