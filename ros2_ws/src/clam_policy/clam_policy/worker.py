"""A thread that works off samples, so that inference never holds up the executor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Worker(Generic[T]):
    """Calls `work` for submitted items, in order, on its own thread.

    With `latest_only` a waiting item is replaced by a newer one, and counted in `skipped`. What `work` raises
    ends up in `failed`, and the thread goes on.
    """

    def __init__(self, work: Callable[[T], None], failed: Callable[[Exception], None], *, latest_only: bool) -> None:
        self._work = work
        self._failed = failed
        self._items: deque[T] = deque(maxlen=1 if latest_only else None)
        self._changed = threading.Condition()
        self._closing = False
        self.skipped = 0
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Hand over an item; never blocks on the work."""
        with self._changed:
            if self._items.maxlen is not None and self._items:
                self.skipped += 1
            self._items.append(item)
            self._changed.notify()

    def forget(self) -> None:
        """Drop what waits; the item in work is finished."""
        with self._changed:
            self._items.clear()

    def close(self, timeout: float) -> bool:
        """Forget what waits, let the item in work finish, at most `timeout` [s]; True if the thread ended."""
        with self._changed:
            self._closing = True
            self._items.clear()
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._items and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                item = self._items.popleft()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)
