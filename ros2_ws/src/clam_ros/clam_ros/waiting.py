"""Waiting inside coroutines of the executor, without ever blocking it. All times are wall time [s]."""

from __future__ import annotations

from typing import Any

from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from clam_core.errors import ClamError

STEADY = Clock(clock_type=ClockType.STEADY_TIME)


async def wait_for(node: Node, future: Future, seconds: float) -> bool:
    """Wait until `future` is done, at most `seconds`; True if it is."""
    gate = Future()

    def finish(_: object = None) -> None:
        if not gate.done():
            gate.set_result(None)

    timer = node.create_timer(seconds, finish, clock=STEADY)
    future.add_done_callback(finish)
    await gate
    node.destroy_timer(timer)
    return future.done()


async def sleep(node: Node, seconds: float) -> None:
    """Let the executor work for `seconds`."""
    await wait_for(node, Future(), seconds)


async def call(node: Node, client: Client, request: Any, seconds: float) -> Any:
    """Call a service; wait for it to appear, and then for its answer.

    Raises:
        ClamError: the service does not appear, or does not answer, within `seconds`.
    """
    waited = 0.0
    while not client.service_is_ready():
        if waited > seconds:
            raise ClamError(f"service '{client.srv_name}' did not appear within {seconds:g} s: is its node running?")
        await sleep(node, 0.05)
        waited += 0.05
    future = client.call_async(request)
    if not await wait_for(node, future, seconds):
        client.remove_pending_request(future)
        raise ClamError(f"service '{client.srv_name}' did not answer within {seconds:g} s")
    return future.result()
