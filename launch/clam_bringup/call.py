"""Call a service of a running node, print its answer; the exit status is 0 only if it says success.

The service says itself which kind it is: std_srvs/Trigger takes no value, std_srvs/SetBool takes true or false.
ROS_DOMAIN_ID is that of the nodes. Where there is a system ROS 2, this is the same:

  ros2 service call /estop_reset std_srvs/srv/Trigger
  ros2 service call /torque std_srvs/srv/SetBool "{data: true}"

Examples:
  clam-call estop_reset
  clam-call torque true
  clam-call policy/enable false
  clam-call home && clam-call record/start            # `home`, `ready` and `sleep` answer when the arm is there
  clam-call reset --namespace left                    # of a graph that was started with namespace:=left
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from clam_bringup.hidden_node import LOOK, hidden_node
from clam_core.errors import ClamError, did_you_mean

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node

TRIGGER, SET_BOOL = "std_srvs/srv/Trigger", "std_srvs/srv/SetBool"
ESTOP = "/estop"  # must reach whoever offers it
DISCOVERY = 1.0  # [s] in which whoever else offers a service is seen
GONE = 3.0  # [s] without its service a node has ended; shorter gaps are discovery's
VALUES = {"true": True, "false": False}


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        name = full_name(parsed.service, parsed.namespace)
        success, message = call(name, VALUES.get(parsed.value or ""), parsed.timeout)
    except ClamError as error:
        print(f"clam-call: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not success:
        print(f"clam-call: {name} failed: {message or 'it does not say why'}", file=sys.stderr)
        return 1
    print(message or "done")
    return 0


def full_name(service: str, namespace: str = "") -> str:
    """Name of `service` as the graph of ROS knows it; one that begins with a slash is in no other namespace."""
    parts = service.split("/") if service.startswith("/") else [*namespace.split("/"), *service.split("/")]
    return "/" + "/".join(part for part in parts if part)


def call(name: str, value: bool | None = None, timeout: float = 10.0) -> tuple[bool, str]:
    """Call service `name` with `value` (None: it takes none); whether it says success, and its message.

    The service is waited for up to `timeout` [s], its answer for as long as it lives. An e-stop is called at once, and
    again where one more node turns out to offer it.

    Raises:
        ClamError: there is no such service, it is of another kind, or its node ended before the answer.
    """
    with _looking() as (node, executor):
        kind = _find(node, name, timeout)
        request = _request(name, kind, value)
        client = node.create_client(_type(kind), name)
        end = time.monotonic() + timeout
        while not client.service_is_ready():
            if time.monotonic() > end:
                raise ClamError(f"nobody answers to service '{name}' any more: is its node still alive?")
            time.sleep(LOOK)
        success, message = _answer(executor, client, name, request)
        if name.endswith(ESTOP) and (servers := _servers(node, name)) > 1:
            again, _ = _answer(executor, client, name, request)
            success = success and again
            message += f"; {servers} nodes offer {name}, all of them were called: stop all but one of these"
        return success, message


def _answer(executor: Executor, client: Any, name: str, request: Any) -> tuple[bool, str]:
    answer = client.call_async(request)
    seen = time.monotonic()
    while not answer.done():
        executor.spin_until_future_complete(answer, timeout_sec=LOOK)
        seen = time.monotonic() if client.service_is_ready() else seen
        if time.monotonic() - seen > GONE and not answer.done():
            raise ClamError(f"the node of service '{name}' ended before it answered: what it was doing is unknown")
    result: Any = answer.result()
    return bool(result.success), str(result.message)


def _servers(node: Node, name: str) -> int:
    """How many nodes offer service `name`, as soon as these are several; nodes may have one name."""
    end = time.monotonic() + DISCOVERY
    while (count := sum(name in services for services in _offered(node))) < 2 and time.monotonic() < end:
        time.sleep(LOOK)
    return count


def _find(node: Node, name: str, timeout: float) -> str:
    """Kind of the service, once it is seen."""
    end = time.monotonic() + timeout
    while True:
        known = _served(node)
        if name in known:
            break
        if time.monotonic() > end:
            raise ClamError(_missing(name, [found for found, kind in known.items() if kind in (TRIGGER, SET_BOOL)]))
        time.sleep(LOOK)
    if known[name] not in (TRIGGER, SET_BOOL):
        raise ClamError(f"service '{name}' is a {known[name]}; clam-call calls {TRIGGER} and {SET_BOOL}")
    return known[name]


def _served(node: Node) -> dict[str, str]:
    """Kind of every service that a node offers; those that are only asked for are not among them."""
    return {service: kind for services in _offered(node) for service, kind in services.items()}


def _offered(node: Node) -> Iterator[dict[str, str]]:
    """Of each node what it offers."""
    for name, namespace in node.get_node_names_and_namespaces():
        with suppress(RuntimeError):  # it has just ended
            services = node.get_service_names_and_types_by_node(name, namespace)
            yield {service: kinds[0] for service, kinds in services}


def _missing(name: str, others: list[str]) -> str:
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    if not others:
        return f"no service '{name}' in ROS domain {domain}, nor any other: start the nodes, or set their ROS_DOMAIN_ID"
    return f"no service '{name}' in ROS domain {domain}, {did_you_mean(name, others)}"


def _request(name: str, kind: str, value: bool | None) -> Any:
    if kind == SET_BOOL and value is None:
        raise ClamError(f"service '{name}' wants a value: clam-call {name} true, or false")
    if kind == TRIGGER and value is not None:
        raise ClamError(f"service '{name}' takes no value: clam-call {name}")
    return _type(kind).Request() if value is None else _type(kind).Request(data=value)


def _type(kind: str) -> Any:
    from std_srvs.srv import SetBool, Trigger

    return {TRIGGER: Trigger, SET_BOOL: SetBool}[kind]


@contextmanager
def _looking() -> Iterator[tuple[Node, Executor]]:
    """A hidden node with an executor."""
    try:
        from rclpy.executors import SingleThreadedExecutor
    except ImportError as error:
        raise ClamError(f"clam-call needs rclpy ({error}): run make setup, or source ROS 2") from error
    with hidden_node("clam_call") as node:
        executor = SingleThreadedExecutor(context=node.context)
        executor.add_node(node)
        try:
            yield node, executor
        finally:
            executor.shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clam-call", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("service", metavar="SERVICE", help="its name, e.g. estop_reset or policy/enable")
    parser.add_argument("value", nargs="?", choices=tuple(VALUES), help="for a SetBool")
    parser.add_argument("--namespace", default="", help="of the nodes (default: none)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="longest wait for the service (10 s); its answer may take longer",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
