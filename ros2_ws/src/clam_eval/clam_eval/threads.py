"""Work that takes long, beside an executor that must go on: an e-stop is heard by it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clam_ros.node import Node
from clam_ros.waiting import sleep

T = TypeVar("T")


async def in_thread(node: Node, work: Callable[[], T]) -> T:
    """What `work` returns or raises."""
    with ThreadPoolExecutor(1, "work") as thread:
        future = thread.submit(work)
        while not future.done():
            await sleep(node, 0.02)
    return future.result()
