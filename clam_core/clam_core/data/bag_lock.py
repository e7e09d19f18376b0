"""One recorder to a folder: the lock that recorders and ``clam doctor --recover`` hold while they write there."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from clam_core.errors import ClamError

NAME = ".recorder.lock"


def lock_folder(folder: Path) -> IO[str]:
    """Take `folder` until the returned file is closed, or its process ends however that happens.

    Raises:
        ClamError: another process has it, or the folder cannot be written.
    """
    import fcntl  # not on every system that imports bags

    try:
        file = (folder / NAME).open("w")
    except OSError as error:
        raise ClamError(f"cannot record to '{folder}' ({error.strerror}): choose another `out`") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ClamError(f"another recorder writes to '{folder}': stop it or choose another `out`") from error
    return file
