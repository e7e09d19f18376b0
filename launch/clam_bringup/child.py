"""One node process of the runner: ``python -m clam_bringup.child PACKAGE EXECUTABLE [argument …]``."""

from __future__ import annotations

import ctypes
import signal
import sys
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution

from clam_core.errors import ClamError, did_you_mean

PR_SET_PDEATHSIG = 1


def find_executable(package: str, executable: str) -> EntryPoint:
    """The console script of an installed distribution.

    Raises:
        ClamError: the distribution is not installed, or has no such console script.
    """
    try:
        scripts = distribution(package).entry_points.select(group="console_scripts")
    except PackageNotFoundError as error:
        raise ClamError(f"package '{package}' is not installed; run make setup") from error
    for script in scripts:
        if script.name == executable:
            return script
    raise ClamError(f"package '{package}' has no executable '{executable}': {did_you_mean(executable, scripts.names)}")


def main() -> int:
    """Run the executable in this process; it gets SIGINT when the runner dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    _, package, executable, *arguments = sys.argv
    try:
        function = find_executable(package, executable).load()
        sys.argv = [executable, *arguments]
        return int(function() or 0)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
