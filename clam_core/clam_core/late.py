"""Console scripts that import what they run late: a Ctrl-C while libraries load is one line, and no traceback."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

INTERRUPTED = 130  # what shells say of a process that SIGINT ended


def late(module: str) -> Callable[[], int]:
    """The function ``main`` of `module`, which is imported when it is called."""

    def main() -> int:
        try:
            return int(importlib.import_module(module).main() or 0)
        except KeyboardInterrupt:
            print(f"{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
            return INTERRUPTED

    main.__module__ = module  # it stands for that module's
    return main
