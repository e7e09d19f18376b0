"""Pictures of the page, on a laptop and in the emulated headset: python -m clam_teleop.take_pictures URL FOLDER"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from clam_core.errors import ClamError
from clam_teleop.emulated_headset import Browser, start_session, wait_for_banner

SIZE, BOARD = (1120, 560), (600, 400)  # pixels
COLOURS = 64
MOMENT = 3000  # [ms] until all is drawn


def take_pictures(url: str, folder: Path) -> None:
    """Write teleop_page.png and teleop_headset.png.

    Raises:
        ClamError: no browser, or the page does not open.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Browser() as browser:
        page = browser.page(emulated=False, size=SIZE)
        page.goto(url)
        wait_for_banner(page, "ready")
        page.wait_for_timeout(MOMENT)
        _save(page, folder / "teleop_page.png")
        page.context.close()
        page = browser.page(size=BOARD)
        page.goto(url)
        wait_for_banner(page, "ready")
        page.evaluate("() => { emulated.device.fovy = 0.6; }")  # look at the board
        start_session(page)
        page.evaluate("() => { document.body.style.visibility = 'hidden'; }")  # what the headset covers
        page.evaluate("() => { document.querySelector('canvas').style.visibility = 'visible'; }")
        page.wait_for_timeout(MOMENT)
        _save(page, folder / "teleop_headset.png")


def _save(page: Any, path: Path) -> None:
    """As a small file: few colours are enough."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.quantize(COLOURS).save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="take_pictures", description=__doc__)
    parser.add_argument("url", help="what the node prints")
    parser.add_argument("folder", type=Path)
    parsed = parser.parse_args(arguments)
    try:
        take_pictures(parsed.url, parsed.folder)
    except ClamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
