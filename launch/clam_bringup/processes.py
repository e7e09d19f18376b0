"""Child processes with names: prefixed output, one way to stop them all, and no orphan left behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from clam_bringup.graph import RESPAWN_DELAY

#: Seconds that children get after SIGINT and after SIGTERM, before the next signal. On a busy machine a process that
#: has imported torch takes up to 12 to end.
PATIENCE = {signal.SIGINT: 20.0, signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}


class Processes:
    """Started with `start`; `run`, which must follow, returns when all have ended.

    After one in `vital` that ended well, one that is only slow to end (it takes a SIGTERM) is no failure.

    The first end of a process in `vital`, the first SIGINT or SIGTERM to this process, or `stop` ends all:
    SIGINT, then SIGTERM, then SIGKILL. A further signal to this process skips the rest of the current wait. A process
    with `respawn` that a signal ended before that is started again after `RESPAWN_DELAY`. All have the open files
    `inherited`.
    """

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self.vital: set[str] = set()
        self._inherited = tuple(inherited)
        self._commands: dict[str, Sequence[str]] = {}
        self._respawning: set[str] = set()
        self._due: dict[str, float] = {}  # when an ended process is started again
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []
        #: An ended process with its exit status (of a signal: −number), or None: stop.
        self._events: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
        self._print_lock = threading.Lock()
        self._handlers = {
            number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def start(self, name: str, command: Sequence[str], *, vital: bool = False, respawn: bool = False) -> None:
        """Start a process; each line that it prints comes out as ``[name] line``."""
        self._commands[name] = command
        if vital:
            self.vital.add(name)
        if respawn:
            self._respawning.add(name)
        self._spawn(name)

    def _spawn(self, name: str) -> None:
        """In the main thread, whose end is the death that a child hears of (see `clam_bringup.child`)."""
        process = subprocess.Popen(
            self._commands[name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            pass_fds=self._inherited,
            start_new_session=True,  # Ctrl-C in a terminal reaches only this process, which passes it on once
        )
        self._processes[name] = process
        reader = threading.Thread(target=self._read, args=(name, process), daemon=True)
        self._readers.append(reader)
        for thread in (reader, threading.Thread(target=self._wait, args=(name, process), daemon=True)):
            thread.start()

    def stop(self) -> None:
        """End all processes; may be called from a signal handler."""
        self._events.put(None)

    def run(self) -> int:
        """Wait for the end of all; returns the first exit status that is a failure's (a signal: 128 + number)."""
        alive, status, done = set(self._processes), 0, False
        signals, deadline = list(PATIENCE), math.inf
        try:
            while alive:
                try:
                    event = self._next_event(min([deadline, *self._due.values()]))
                except Empty:
                    self._start_again()
                    if time.monotonic() < deadline:
                        continue
                    event = None
                stopping = len(signals) < len(PATIENCE)
                if event is not None:
                    name, code = event
                    if code < 0 and name in self._respawning and not stopping:
                        self._put_off(name, -code)
                        continue
                    alive.discard(name)
                    slow = done and len(signals) == 1 and code == -signal.SIGTERM
                    reported = self._report(name, code)
                    status = status or (0 if slow else reported)
                    if name not in self.vital or stopping:
                        continue
                    done = code == 0
                alive -= self._due.keys()
                self._due.clear()
                if not alive or not signals:
                    break
                number = signals.pop(0)
                deadline = time.monotonic() + PATIENCE[number]
                for name in alive:
                    self._processes[name].send_signal(number)
        finally:
            self._bury()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        return status

    def _next_event(self, deadline: float) -> tuple[str, int] | None:
        """What happened; raises `Empty` when nothing did before `deadline`."""
        timeout = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        return self._events.get(timeout=timeout)

    def _put_off(self, name: str, number: int) -> None:
        with suppress(ProcessLookupError):  # what it had started and left
            os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._print(f"[{name}] was ended by signal {number}: it starts again in {RESPAWN_DELAY:g} s\n")
        self._due[name] = time.monotonic() + RESPAWN_DELAY

    def _start_again(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            self._spawn(name)

    def _bury(self) -> None:
        """Kill what the processes themselves started and left, then print what is still in the pipes."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for reader in self._readers:
            reader.join(timeout=1.0)

    def _wait(self, name: str, process: subprocess.Popen[str]) -> None:
        self._events.put((name, process.wait()))

    def _read(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._print(f"[{name}] {line}")

    def _report(self, name: str, code: int) -> int:
        """The exit status as a shell has it."""
        status = code if code >= 0 else 128 - code
        if status:
            self._print(f"[{name}] ended with status {status}\n")
        return status

    def _print(self, text: str) -> None:
        """To whom reads it, if anybody does: a full disk, or a `head` that has seen enough, must not stop the nodes."""
        with self._print_lock, suppress(OSError, ValueError):
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
            sys.stdout.flush()
