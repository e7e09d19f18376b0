"""Figures as PNG files: written whole, without a display."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from clam_core.whole import write_whole

TRUTH, OWN, TRIVIAL = "#222222", "#4269d0", "#efb118"  # what was, what the networks say, what knows nothing
DPI = 100


def write_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    write_whole(path, buffer.getvalue())
