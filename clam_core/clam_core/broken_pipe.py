"""The end of a command whose output nobody reads any more, as with ``| head``."""

from __future__ import annotations

import os
import select
import sys

STATUS = 141  # as shells have it for a process that SIGPIPE ended


def leave(error: BrokenPipeError) -> int:
    """Let what is still to be written vanish, so that the interpreter's own last flush does not fail; the status.

    Raises:
        BrokenPipeError: `error`, where it was another pipe than the output's, such as a worker's.
    """
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0)):
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return STATUS
