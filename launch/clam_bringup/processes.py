"""Child processes with names: prefixed output, one way to stop them all, and no orphan left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

#: Seconds that children get after SIGINT and after SIGTERM, before the next signal. On a busy machine a process that
#: has imported torch takes up to 12 to end.
PATIENCE = {signal.SIGINT: 20.0, signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}


class Processes:
    """Started with `start`; `run`, which must follow, returns when all have ended.

    The first end of a process in `vital`, the first SIGINT or SIGTERM to this process, or `stop` ends all:
    SIGINT, then SIGTERM, then SIGKILL. A further signal to this process skips the rest of the current wait.
    """

    def __init__(self) -> None:
        self.vital: set[str] = set()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []
        self._events: SimpleQueue[tuple[str, int] | None] = SimpleQueue()  # an ended process, or None: stop
        self._print_lock = threading.Lock()
        self._handlers = {
            number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def start(self, name: str, command: Sequence[str], *, vital: bool = False) -> None:
        """Start a process; each line that it prints comes out as ``[name] line``."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C in a terminal reaches only this process, which passes it on once
        )
        self._processes[name] = process
        if vital:
            self.vital.add(name)
        reader = threading.Thread(target=self._read, args=(name, process), daemon=True)
        self._readers.append(reader)
        for thread in (reader, threading.Thread(target=self._wait, args=(name, process), daemon=True)):
            thread.start()

    def stop(self) -> None:
        """End all processes; may be called from a signal handler."""
        self._events.put(None)

    def run(self) -> int:
        """Wait for the end of all; returns the first exit status that is not 0 (a signal: 128 + number)."""
        alive, status = set(self._processes), 0
        signals, deadline = list(PATIENCE), float("inf")
        try:
            while alive:
                event = self._next_event(deadline)
                if event is not None:
                    name, code = event
                    alive.discard(name)
                    self._report(name, code)
                    status = status or code
                    if name not in self.vital or len(signals) < len(PATIENCE):
                        continue
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
        """An ended process; None when it is time for the next signal."""
        try:
            timeout = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
            return self._events.get(timeout=timeout)
        except Empty:
            return None

    def _bury(self) -> None:
        """Kill what the processes themselves started and left, then print what is still in the pipes."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for reader in self._readers:
            reader.join(timeout=1.0)

    def _wait(self, name: str, process: subprocess.Popen[str]) -> None:
        code = process.wait()
        self._events.put((name, code if code >= 0 else 128 - code))

    def _read(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._print(f"[{name}] {line}")

    def _report(self, name: str, code: int) -> None:
        if code:
            self._print(f"[{name}] ended with status {code}\n")

    def _print(self, text: str) -> None:
        with self._print_lock:
            sys.stdout.write(text)
            sys.stdout.flush()
