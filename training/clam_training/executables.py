"""``ros2 run clam_training train …``: every command of ``clam`` as an executable that colcon installs."""

from __future__ import annotations

import sys

from clam_core.cli import main
from clam_core.methods import METHODS


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


def train_lam() -> int:
    """``clam train METHOD … --until STAGE`` for the method's first stage, e.g. CLAM's latent action model."""
    method = next((word for word in sys.argv[1:] if word in METHODS), "clam")
    return main(["train", *sys.argv[1:], "--until", METHODS[method].STAGES[0]])


def train_policy() -> int:
    """``clam train METHOD --out RUN --resume``: what comes after `train_lam`."""
    return main(["train", *sys.argv[1:], "--resume"])


def relabel() -> int:
    """``clam relabel``."""
    return _run("relabel")


def evaluate() -> int:
    """``clam eval``."""
    return _run("eval")


def summary() -> int:
    """``clam summary``."""
    return _run("summary")


def bench() -> int:
    """``clam bench``."""
    return _run("bench")
