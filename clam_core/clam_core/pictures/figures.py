"""Figures as PNG files: written whole, without a display."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.figure import Figure

TRUTH, OWN, TRIVIAL = "#222222", "#4269d0", "#efb118"  # what was, what the networks say, what knows nothing
DPI = 100


def write_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    write_bytes(buffer.getvalue(), path)


def write_bytes(data: bytes, path: Path) -> None:
    """Write `data` to `path`, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_bytes(data)
    os.replace(partial, path)
