"""Pictures of a dataset's page: inside the page itself, in two colours."""

from __future__ import annotations

import base64
import html
import io

from matplotlib.figure import Figure

MINE, THEIRS = "#4269d0", "#efb118"  # this dataset, and the one that it is compared with


def picture(figure: Figure, alt: str) -> str:
    """`figure` as an HTML image that needs no other file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='{html.escape(alt)}' src='data:image/png;base64,{data}'>"
