"""Importers by format. A format's library is imported only when one of its recordings is opened."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from clam_core.data.importing import ImportOptions, Source
from clam_core.errors import ClamError

#: Format → ``module:function``. A function takes ``(path, ImportOptions)`` and gives a `Source`.
IMPORTERS: dict[str, str] = {
    "minari": "clam_core.data.importers.minari:open_minari",
    "d4rl": "clam_core.data.importers.d4rl:open_d4rl",
    "calvin": "clam_core.data.importers.calvin:open_calvin",
    "tdmpc2": "clam_core.data.importers.tdmpc2:open_tdmpc2",
    "lerobot": "clam_core.data.importers.lerobot:open_lerobot",
}


def open_source(format_name: str, path: Path, options: ImportOptions) -> Source:
    """The recordings at `path`, opened as `format_name`.

    Raises:
        ClamError: the format's library is missing, or `path` is not of this format.
    """
    module, _, name = IMPORTERS[format_name].partition(":")
    try:
        opener = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ClamError(f"format '{format_name}' cannot be read ({error}); install what is missing") from error
    return cast(Source, opener(path, options))
