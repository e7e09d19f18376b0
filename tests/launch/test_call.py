"""`clam-call` over real DDS: the value that arrives, the answer, and everything that can be asked wrongly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy (make setup, or a system ROS 2)")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Empty, SetBool, Trigger

from clam_bringup import call as module
from clam_bringup.call import call, full_name, main
from clam_core.errors import ClamError

TIMEOUT = 60.0  # [s] generous: the machine may be busy


class Server:
    """A node with services, spun by a thread; `answers` are what they say next, `heard` what arrived."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("server", context=self.context)
        self.heard: list[bool | None] = []
        self.success, self.message = True, "as you wish"
        self.asked = threading.Event()
        self.free = threading.Event()  # to answer
        self.free.set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def serve(self, kind: Any, name: str) -> None:
        self.node.create_service(kind, name, self._answer)

    def _answer(self, request: Any, response: Any) -> Any:
        self.heard.append(getattr(request, "data", None))
        self.asked.set()
        self.free.wait(TIMEOUT)
        if not self._stop.is_set():
            response.success, response.message = self.success, self.message
        return response

    def _spin(self) -> None:
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self.node)
        with suppress(RuntimeError):  # InvalidHandle: the node was destroyed while it answered
            while not self._stop.is_set():
                executor.spin_once(timeout_sec=0.05)
        executor.shutdown()

    def close(self) -> None:
        self._stop.set()
        self.free.set()
        self._thread.join(TIMEOUT)
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def make_server() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def make() -> Server:
        servers.append(Server())
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_a_trigger_answers_and_its_failure_is_one_line_and_an_exit_status(make_server: Any, capsys: Any) -> None:
    server = make_server()
    server.serve(Trigger, "estop_reset")
    assert main(["estop_reset", "--timeout", "60"]) == 0
    assert capsys.readouterr().out == "as you wish\n"
    server.success, server.message = False, "hold the arm first"
    assert main(["/estop_reset", "--timeout", "60"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "clam-call: /estop_reset failed: hold the arm first\n")
    assert server.heard == [None, None]


def test_an_e_stop_reaches_two_drivers_of_one_name_and_says_so(make_server: Any, capsys: Any) -> None:
    servers = make_server(), make_server()
    for server in servers:
        server.serve(Trigger, "estop")
    assert main(["estop", "--timeout", "60"]) == 0
    assert all(server.asked.wait(TIMEOUT) for server in servers)
    assert "2 nodes offer /estop, all of them were called" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_value_arrives_in_its_namespace_only(make_server: Any, capsys: Any, value: str) -> None:
    left, right = make_server(), make_server()
    left.serve(SetBool, "/left/policy/enable")
    right.serve(SetBool, "/right/policy/enable")
    left.message = ""
    assert main(["policy/enable", value, "--namespace", "left", "--timeout", "60"]) == 0
    assert capsys.readouterr().out == "done\n"
    assert (left.heard, right.heard) == ([value == "true"], [])


def test_what_is_asked_wrongly_is_one_line_and_changes_nothing(make_server: Any, capsys: Any) -> None:
    server = make_server()
    for kind, name in ((Trigger, "home"), (SetBool, "torque"), (Empty, "nothing")):
        server.serve(kind, name)
    call("/home", timeout=TIMEOUT)  # all of them are known now
    for asked, said in (
        (["torque"], "service '/torque' wants a value: clam-call /torque true, or false"),
        (["home", "true"], "service '/home' takes no value"),
        (["nothing"], "service '/nothing' is a std_srvs/srv/Empty; clam-call calls std_srvs/srv/Trigger"),
    ):
        assert main([*asked, "--timeout", "60"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("clam-call: error: ") and said in error and error.count("\n") == 1
    assert main(["hime", "--timeout", "10"]) == 1
    error = capsys.readouterr().err
    assert "no service '/hime'" in error and "did you mean '/home'? Valid: /home, /torque\n" in error
    assert server.heard == [None]


def test_nobody_is_there(domain: int) -> None:
    with pytest.raises(ClamError, match=f"no service '/home' in ROS domain {domain}, nor any other: start the nodes"):
        call("/home", timeout=0.2)


def test_a_service_that_others_wait_for_too_is_none(make_server: Any, capsys: Any) -> None:
    server = make_server()
    server.serve(Trigger, "home")
    server.node.create_client(Trigger, "estop")
    call("/home", timeout=TIMEOUT)
    assert main(["estop", "--timeout", "10"]) == 1
    assert "no service '/estop'" in (error := capsys.readouterr().err) and error.endswith("valid: /home\n")


def test_a_service_that_comes_later_is_waited_for(make_server: Any) -> None:
    server = make_server()
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(call("/ready", timeout=TIMEOUT)))
    caller.start()
    time.sleep(0.5)  # so that it usually looks in vain at first
    server.serve(Trigger, "ready")
    caller.join(2 * TIMEOUT)
    assert answers == [(True, "as you wish")]


def test_a_node_that_ends_before_it_answers_is_not_waited_for(make_server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "GONE", 0.5)
    server = make_server()
    server.serve(Trigger, "home")
    server.free.clear()
    failures: list[ClamError] = []

    def ask() -> None:
        with pytest.raises(ClamError) as caught:
            call("/home", timeout=TIMEOUT)
        failures.append(caught.value)

    caller = threading.Thread(target=ask)
    caller.start()
    assert server.asked.wait(TIMEOUT)
    server.node.destroy_node()  # as if its process were gone
    caller.join(TIMEOUT)
    assert failures and "'/home' ended before it answered" in str(failures[0])


def test_names() -> None:
    assert full_name("estop") == full_name("/estop") == full_name("/estop", "left") == "/estop"
    assert full_name("record/start", "/left/") == "/left/record/start"


def test_a_value_that_is_none_is_refused(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["torque", "on"])
    assert "choose from" in capsys.readouterr().err
