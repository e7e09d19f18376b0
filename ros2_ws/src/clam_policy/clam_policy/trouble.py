"""Why no command goes out: said now and then in the log, and shown in diagnostics until there is a sound answer."""

from __future__ import annotations

import traceback

from clam_core.errors import ClamError
from clam_ros.node import Node
from clam_ros.throttle import Throttle


class Trouble:
    """`fault`: what was refused last; `error`: how the policy itself failed. Empty while nothing is wrong.

    Told by the executor's thread and by the one that infers.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.fault = self.error = ""
        self._throttle = Throttle()  # on a busy machine sound answers and refusals come in turns

    def refuse(self, reason: str) -> None:
        """An observation or an answer is not good enough."""
        self.fault = reason  # before it is counted: whoever sees the count may ask why
        self._node.counters["refused"] += 1
        self._throttle.say(self._node.get_logger().warning, f"no command: {reason}")

    def fail(self, error: Exception) -> None:
        """The policy raised something."""
        self.error = reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        self._node.counters["failures"] += 1
        trace = "" if isinstance(error, ClamError) else "\n" + "".join(traceback.format_exception(error))
        self._throttle.say(self._node.get_logger().error, f"no command: {reason}", trace)

    def clear(self) -> None:
        """A sound answer came, or somebody switched the policy."""
        self.fault = self.error = ""
