"""The package `mujoco`, imported late and missed helpfully."""

from __future__ import annotations

from typing import Any

from clam_core.errors import ClamError


def import_mujoco(what: str) -> Any:
    """The mujoco module, for `what`, which the error names.

    Raises:
        ClamError: it is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise ClamError(f"{what} needs MuJoCo ({error}): pip install mujoco, or make setup") from error
    return mujoco
