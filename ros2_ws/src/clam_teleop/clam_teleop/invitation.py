"""What the node prints: addresses of the page, and the first of them as a QR code for a headset's or phone's camera."""

from __future__ import annotations

import io
from collections.abc import Sequence

import segno


def invitation(scheme: str, addresses: Sequence[str], port: int, token: str) -> str:
    """Lines for a terminal."""
    urls = [f"{scheme}://{address}:{port}/{token}/" for address in addresses]
    picture = io.StringIO()
    segno.make(urls[0], error="l", micro=False).terminal(picture, compact=True)
    return "\n".join(["open one of these pages; whoever has this address can move the arm", *urls, picture.getvalue()])
