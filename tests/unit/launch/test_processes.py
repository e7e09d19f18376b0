"""Processes of shells: which are started again, and that all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("clam_bringup", reason="needs clam_bringup (make setup)")

from clam_bringup import processes as module
from clam_bringup.processes import Processes


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESPAWN_DELAY", 0.1)


class Shell:
    """A process that writes down its number at each start, and then does as told."""

    def __init__(self, file: Path, then: str = "exec sleep 600") -> None:
        self.file = file
        self.command = ["sh", "-c", f"echo $$ >> {file}; {then}"]

    def started(self, times: int) -> int:
        """Wait until it was started so often; its process id."""
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            lines = self.file.read_text().split() if self.file.exists() else []
            if len(lines) >= times:
                return int(lines[times - 1])
            time.sleep(0.02)
        raise AssertionError(f"not started {times} times")


def beside(work: Callable[[], None], processes: Processes) -> threading.Thread:
    """`work` in a thread; whatever comes of it, the processes end, and so does the test."""

    def guarded() -> None:
        try:
            work()
        finally:
            processes.stop()

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread


def test_a_process_that_a_signal_ended_is_started_again_and_the_others_live_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    processes, camera, arm = Processes(), Shell(tmp_path / "camera"), Shell(tmp_path / "arm")
    processes.start("camera", camera.command, vital=True, respawn=True)
    processes.start("arm", arm.command, vital=True)
    seen: list[int] = []

    def kill() -> None:
        for times in (1, 2):
            os.kill(camera.started(times), signal.SIGKILL)
        seen.append(camera.started(3))
        os.kill(arm.started(1), 0)
        seen.append(len(arm.file.read_text().split()))

    thread = beside(kill, processes)
    assert processes.run() == 128 + signal.SIGINT, "how the shells end; what came again is no failure"
    thread.join()
    assert len(seen) == 2 and seen[1] == 1
    assert capfd.readouterr().out.count("[camera] was ended by signal 9: it starts again in 0.1 s") == 2
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_one_that_ends_by_itself_is_not_started_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    processes, camera, arm = Processes(), Shell(tmp_path / "camera", "exit 3"), Shell(tmp_path / "arm")
    processes.start("arm", arm.command, vital=True)
    processes.start("camera", camera.command, vital=True, respawn=True)
    assert processes.run() == 3, "a wrong parameter would only be wrong again: it ends the graph"
    assert len(camera.file.read_text().split()) == 1
    said = capfd.readouterr().out
    assert "[camera] ended with status 3" in said and "[arm] ended with status 130" in said, "each end is said"


def test_the_end_of_a_vital_process_or_a_stop_ends_all_also_while_one_waits_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESPAWN_DELAY", 600.0)
    for number, end in enumerate(("arm", "stop")):
        processes = Processes()
        camera, arm = Shell(tmp_path / f"camera{number}", "kill -9 $$"), Shell(tmp_path / f"arm{number}")
        processes.start("camera", camera.command, vital=True, respawn=True)
        processes.start("arm", arm.command, vital=True)

        def finish(processes: Processes = processes, arm: Shell = arm, end: str = end) -> None:
            deadline = time.monotonic() + 60.0
            while not processes._due and time.monotonic() < deadline:
                time.sleep(0.02)
            if end == "arm":
                os.kill(arm.started(1), signal.SIGTERM)
                while processes._due and time.monotonic() < deadline:
                    time.sleep(0.02)

        thread = beside(finish, processes)
        assert processes.run() == 128 + (signal.SIGTERM if end == "arm" else signal.SIGINT)
        thread.join()
        assert len(camera.file.read_text().split()) == 1


@pytest.mark.parametrize(
    ("ignored", "job", "status"),
    [("INT", "true", 0), ("INT", "exit 3", 3), ("INT TERM", "true", 137), ("INT", "", 143)],
    ids=["after a job", "after a failed job", "it has to be killed", "stopped by hand"],
)
def test_one_that_is_only_slow_to_end_spoils_no_job_that_ended_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str, job: str, status: int
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        monkeypatch.setitem(module.PATIENCE, number, 0.5)
    processes, policy = Processes(), Shell(tmp_path / "policy", f"trap '' {ignored}; touch {tmp_path}/ready; sleep 600")
    processes.start("policy", policy.command, vital=True)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    if job:
        processes.start("job", ["sh", "-c", job], vital=True)
    else:
        processes.stop()
    assert processes.run() == status


@pytest.mark.parametrize("outlet", ["closed", "full", "latin-1"])
def test_a_process_goes_on_where_nobody_can_take_what_it_says(outlet: str, tmp_path: Path) -> None:
    """More than a pipe holds, to a reader that has gone, a full disk, or a terminal that lacks the characters."""
    program = (
        "import sys; from clam_bringup.processes import Processes; processes = Processes();"
        "processes.start('talker', ['sh', '-c', sys.argv[1]]); sys.exit(processes.run())"
    )
    words = f"i=0; while [ $i -lt 20000 ]; do echo 'a → b'; i=$((i+1)); done; touch {tmp_path}/done"
    command = [sys.executable, "-c", program, words]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1" if outlet == "latin-1" else "utf-8"}
    with open("/dev/full" if outlet == "full" else tmp_path / "log", "w") as file:
        out = subprocess.PIPE if outlet == "closed" else file
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
    if process.stdout is not None:
        process.stdout.close()
    process.wait(timeout=120)
    assert (tmp_path / "done").exists()
    assert outlet != "latin-1" or (tmp_path / "log").read_text().count("[talker] a ? b\n") == 20000
