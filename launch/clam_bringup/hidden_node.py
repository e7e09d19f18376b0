"""A node that is there only to look around, and that nobody else looks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clam_core.errors import ClamError

if TYPE_CHECKING:
    from rclpy.node import Node

LOOK = 0.1  # [s] between two looks


@contextmanager
def hidden_node(of: str) -> Iterator[Node]:
    """A node of program `of`, in a context of its own: it installs no signal handlers, and writes no log.

    Raises:
        ImportError: there is no rclpy.
        ClamError: ROS cannot start.
    """
    from rclpy.context import Context
    from rclpy.node import Node

    context = Context()
    try:
        try:
            context.init([], initialize_logging=False)
            node = Node(
                f"_{of}_{os.getpid()}",
                context=context,
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
            )
        except RuntimeError as error:
            reason = str(error).partition(", at ")[0]
            raise ClamError(f"ROS cannot start here ({reason}): check ROS_DOMAIN_ID and RMW_IMPLEMENTATION") from error
        yield node
        node.destroy_node()
    finally:
        context.try_shutdown()
