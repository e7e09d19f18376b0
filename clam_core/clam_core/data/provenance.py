"""Where a dataset comes from: command, software versions, time."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def software_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python, clam-core and those of `packages` that are installed."""
    found = {"python": platform.python_version()}
    for package in ("clam-core", "numpy", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance(source: str, packages: Iterable[str] = ()) -> dict[str, Any]:
    """What every dataset says about its making; `source` names the kind of making."""
    return {
        "source": source,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": software_versions(packages),
    }
