"""One recorder to a folder: the lock that recorders and ``clam doctor --recover`` hold while they write there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from clam_core.errors import ClamError

NAME = ".recorder.lock"


def lock_folder(folder: Path) -> IO[str]:
    """Take `folder` to record to, until the returned file is closed, or its process ends however that happens.

    Raises:
        ClamError: another process has it, or the folder cannot be written.
    """
    try:
        return _take(folder)
    except BlockingIOError as error:
        raise ClamError(f"another recorder writes to '{folder}': stop it or choose another `out`") from error
    except OSError as error:
        raise ClamError(f"cannot record to '{folder}' ({error.strerror}): choose another `out`") from error


@contextmanager
def borrowed(folder: Path) -> Iterator[None]:
    """Take `folder` to mend what is there; a lock file that was not there before is not there afterwards.

    Raises:
        ClamError: a recorder has it, or the folder cannot be written.
    """
    new = not (folder / NAME).exists()
    try:
        file = _take(folder)
    except BlockingIOError as error:
        raise ClamError(f"a recorder writes to '{folder}': stop it first") from error
    except OSError as error:
        raise ClamError(f"cannot mend bags in '{folder}' ({error.strerror}): make it writable") from error
    try:
        yield
    finally:
        if new:
            (folder / NAME).unlink(missing_ok=True)
        file.close()


def _take(folder: Path) -> IO[str]:
    """The locked file.

    Raises:
        BlockingIOError: another process has it.
        OSError: it cannot be made.
    """
    import fcntl  # not on every system that imports bags

    while True:
        file = (folder / NAME).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / NAME)):
                return file
        file.close()  # who had it has just deleted it: nobody else would see this lock
