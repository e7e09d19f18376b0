"""One `run` for the main functions of all nodes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from clam_core.errors import ClamError
from clam_ros.node import Node
from clam_ros.stop_signal import StopSignal


def spin_once(executor: SingleThreadedExecutor, node: Node) -> None:
    """Let `executor` work once, with a warning where an answer came too late."""
    try:
        executor.spin_once()
    except InvalidHandle as error:  # a coroutine found its answer after the cleanup of its service
        node.get_logger().warning(f"an answer came too late to be sent: {error}")


def run(node_class: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Main function of a node's process; returns its exit status.

    SIGINT and SIGTERM end the spinning, the node closes what it holds, and the status is 0 (130 for a node
    that had a job to finish). A second signal does not even wait for the closing. A `ClamError` is one log line
    and status 1.
    """
    stop = StopSignal()
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of rcl
        get_logger("clam").error(f"{str(error).partition(', at ')[0]}: check the arguments after --ros-args")
        stop.close()
        return 1
    node: Node | None = None
    try:
        node = node_class()
        node.should_stop = lambda: stop.received
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        stop.wake(executor)
        if not node.autostart():
            node.exit_status = node.interrupted_status if stop.received else 1
        while node.exit_status is None and not stop.received:
            spin_once(executor, node)
        return node.interrupted_status if node.exit_status is None else node.exit_status
    except KeyboardInterrupt:
        return 130
    except ClamError as error:
        get_logger("clam" if node is None else node.get_name()).error(str(error))
        return 1
    except Exception:
        get_logger("clam" if node is None else node.get_name()).error(traceback.format_exc())
        return 1
    finally:
        try:
            if node is not None:
                node.close()
            rclpy.try_shutdown()
            stop.close()
        except KeyboardInterrupt:
            os._exit(130)  # threads that could not be joined would make the interpreter abort
