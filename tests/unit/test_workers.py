"""Processes that share work out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clam_core.workers import process_pool

FOREVER = """
import sys, time, os
from collections.abc import Callable
from pathlib import Path
from clam_core.workers import process_pool

def busy(path):
    Path(path + ".part").write_text(str(os.getpid()))
    os.rename(path + ".part", path)
    time.sleep(3600)

if __name__ == "__main__":
    with process_pool(1) as pool:
        pool.submit(busy, sys.argv[1]).result()
"""

_started: list[str] = []


def remember(word: str) -> None:
    _started.append(word)


def remembered() -> list[str]:
    return _started


def test_every_process_is_started_with_the_arguments() -> None:
    with process_pool(1, remember, "here") as pool:
        assert pool.submit(remembered).result() == ["here"]
        assert pool.submit(os.getpid).result() != os.getpid()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    program, pid_file = tmp_path / "forever.py", tmp_path / "pid"
    program.write_text(FOREVER)
    parent = subprocess.Popen([sys.executable, str(program), str(pid_file)], stderr=subprocess.DEVNULL)
    try:
        _wait_until(pid_file.exists)
        worker = int(pid_file.read_text())
        assert _alive(worker)
        parent.send_signal(how)
        parent.wait(60)
        _wait_until(lambda: not _alive(worker))
    finally:
        parent.kill()
        parent.wait()


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"  # a zombie waits for whoever adopted it
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)
