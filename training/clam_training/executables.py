"""``ros2 run clam_training train …``: every command of ``clam`` as an executable that colcon installs."""

from __future__ import annotations

import sys

from clam_core.cli import main


def _run(command: str) -> int:
    return main([command, *sys.argv[1:]])


def generate() -> int:
    """``clam generate``."""
    return _run("generate")


def import_data() -> int:
    """``clam import``."""
    return _run("import")


def inspect() -> int:
    """``clam inspect``."""
    return _run("inspect")


def train() -> int:
    """``clam train``."""
    return _run("train")


def relabel() -> int:
    """``clam relabel``."""
    return _run("relabel")


def evaluate() -> int:
    """``clam eval``."""
    return _run("eval")
