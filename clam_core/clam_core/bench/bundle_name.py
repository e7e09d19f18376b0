"""What a committed page calls a bundle."""

from __future__ import annotations

import os
from pathlib import Path

FAMILIAR = 4  # parts that tell one bundle from another, e.g. CELL/SEED/train/bundle
FOREIGN = 2  # parts that belong to the machine and its people, e.g. /home/NAME


def bundle_name(bundle: Path, folder: Path | None = None) -> str:
    """`bundle` as seen from `folder` (None: the current one); of one that lies elsewhere its last parts only, without
    the first ones, so that no page names a path of anybody's machine.
    """
    path, here = (Path(os.path.abspath(place)) for place in (bundle, folder or Path.cwd()))
    if path.is_relative_to(here):
        return path.relative_to(here).as_posix()
    parts = path.parts[1:]
    return "/".join(parts[FOREIGN:][-FAMILIAR:] or parts[-1:])
