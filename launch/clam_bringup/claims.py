"""Names of nodes that graphs on this machine have taken: seen at once, where ROS discovery takes its time."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clam_bringup.hidden_node import LOOK
from clam_core.errors import ClamError


class Taken(Exception):
    """Another graph has the name `name`; process `pid` started it ('' if it does not say)."""

    def __init__(self, name: str, pid: str) -> None:
        super().__init__(name)
        self.name, self.pid = name, pid


class Claims:
    """A locked file for each name, in this ROS domain: until `close`, and while a process lives that inherited it.

    Only graphs of one user see each other's: nobody else may write into the folder, or a prepared link there would be
    written to. Files stay, locks end with their processes however these end.
    """

    def __init__(self, domain: str) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"clam-nodes-{os.getuid()}"
        self.domain = domain
        self.files: list[int] = []

    def take(self, names: Iterable[str], patience: float) -> None:
        """Take all `names`, or none; wait up to `patience` [s] for those that somebody has.

        Raises:
            Taken: somebody still has one of them.
            ClamError: no files can be made there.
        """
        end = time.monotonic() + patience
        self._check_folder()
        try:
            for name in sorted(names):
                self._take(name, end)
        except BaseException:
            self.close()
            raise

    def _check_folder(self) -> None:
        """Make it; nobody else may write there."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            state = self.folder.lstat()
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
                raise PermissionError(0, "others may write there")
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> ClamError:
        return ClamError(f"cannot note in '{self.folder}' which nodes run ({error.strerror}): set TMPDIR")

    def _take(self, name: str, end: float) -> None:
        path = self.folder / f"{self.domain}.{name.strip('/').replace('/', '.')}"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        self.files.append(file)
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() >= end:
                raise Taken(name, os.pread(file, 32, 0).decode(errors="replace"))
            time.sleep(LOOK)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Free the names, once no other process has them either."""
        while self.files:
            os.close(self.files.pop())

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
