"""Services that may be asked twice: an answer is lost when its server does not know the reader of it yet."""

from __future__ import annotations

import time
from typing import Any

from rclpy.client import Client

from clam_core.errors import ClamError
from clam_ros.node import Node
from clam_ros.waiting import call

TRY = 10.0  # [s] for one answer: a busy machine may need some


async def ask(node: Node, client: Client, request: Any, seconds: float) -> Any:
    """Call a service until it answers; it must do no harm that it hears the same request twice.

    Raises:
        ClamError: no answer within `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            return await call(node, client, request, min(TRY, max(left, 0.1)))
        except ClamError:
            if left <= TRY:
                raise
