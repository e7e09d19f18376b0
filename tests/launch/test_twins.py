"""A second graph of the same nodes in one ROS domain is refused; one in another place, or after the first, is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy (make setup, or a system ROS 2)")

import rclpy

from clam_bringup.claims import Claims
from clam_bringup.graph import Node
from clam_bringup.twins import ENDING, claim, full_name
from clam_core.errors import ClamError

from ..conftest import nodes_of

TIMEOUT = 180.0  # [s] generous: the machine may be busy
DISCOVERY = 60.0  # [s] who is found ends the wait
SIM = [sys.executable, "-m", "clam_bringup.runner", "sim", "env:=gym", "task:=Pendulum-v1"]
BRIDGE = Node("clam_sim", "sim_bridge", "sim_bridge")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``begin("namespace:=x")`` starts the graph `sim` and waits for its first words; also its log."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"sim.{len(processes)}.log"
        with log.open("w") as file:
            processes.append(subprocess.Popen([*SIM, *arguments], stdout=file, stderr=subprocess.STDOUT))
        end = time.monotonic() + TIMEOUT
        while "20 Hz" not in log.read_text():
            assert processes[-1].poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        return processes[-1], log

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT)


def test_a_second_graph_is_refused_by_name_in_the_same_place_only(begin: Any, domain: int) -> None:
    first, _ = begin()
    second = subprocess.run(SIM, capture_output=True, text=True, timeout=TIMEOUT)
    assert second.returncode == 1 and second.stdout == "" and second.stderr.count("\n") == 1, second.stderr
    assert f"node '/sim_bridge' runs already in ROS domain {domain}" in second.stderr
    assert f"stop process {first.pid} " in second.stderr and "namespace:=" in second.stderr
    begin("namespace:=other")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_graph_that_was_just_stopped_or_killed_is_not_in_the_way(begin: Any, number: int) -> None:
    first, _ = begin()
    os.kill(nodes_of(first.pid)["sim_bridge"] if number == signal.SIGKILL else first.pid, number)
    first.wait(TIMEOUT)
    begin()


def test_a_node_that_is_about_to_end_is_waited_for_and_one_that_stays_is_named() -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("sim_bridge", namespace="/here", context=context)
        claim([BRIDGE], discovery=0.2).close()
        began = time.monotonic()
        with pytest.raises(ClamError, match=r"'/here/sim_bridge' runs already.*stop what started it"):
            claim([BRIDGE], within="/here", discovery=DISCOVERY)
        assert time.monotonic() - began >= ENDING
        node.destroy_node()
        claim([BRIDGE], within="/here", discovery=0.2).close()
    finally:
        rclpy.shutdown(context=context)


def test_a_claim_lasts_while_a_process_has_it_and_frees_all_names_when_one_is_taken(domain: int) -> None:
    claims = claim([BRIDGE], discovery=0.0)
    heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=claims.files)
    claims.close()
    other = Node("p", "e", "a")  # comes before the bridge, and is free again when that is refused
    with pytest.raises(ClamError, match=f"'/sim_bridge' runs already in ROS domain {domain}.*process {os.getpid()} "):
        claim([BRIDGE, other], discovery=0.0)
    claim([other], discovery=0.0).close()
    claim([BRIDGE], within="/elsewhere", discovery=0.0).close()
    heir.communicate(timeout=TIMEOUT)
    claim([BRIDGE], discovery=0.0).close()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    with pytest.raises(ClamError, match=r"cannot note in .* which nodes run .*: set TMPDIR"):
        Claims("0").take(["/a"], patience=0.0)


def test_a_folder_that_others_may_write_to_and_a_link_in_it_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    claims, thesis = Claims("0"), tmp_path / "thesis.tex"
    thesis.write_text("300 pages")
    claims.folder.mkdir(mode=0o700)
    (claims.folder / "0.a").symlink_to(thesis)
    with pytest.raises(ClamError, match="set TMPDIR"):
        claims.take(["/a"], patience=0.0)
    claims.folder.chmod(0o777)
    with pytest.raises(ClamError, match="others may write there"):
        claims.take(["/b"], patience=0.0)
    assert thesis.read_text() == "300 pages"


def test_a_domain_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    with pytest.raises(ClamError, match=r"ROS cannot start here .*check ROS_DOMAIN_ID") as caught:
        claim([BRIDGE])
    assert "\n" not in str(caught.value)


def test_names_have_all_their_namespaces() -> None:
    assert full_name(BRIDGE) == "/sim_bridge"
    assert full_name(Node("p", "e", "n", namespace="a/b/"), "/c") == "/c/a/b/n"
    assert full_name(Node("p", "e", "n", namespace="/a/b"), "/c") == "/a/b/n"
