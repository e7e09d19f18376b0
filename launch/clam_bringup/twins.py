"""Whether nodes of the same names live already: two graphs in one place would fight over every topic.

Those that a graph on this machine started are known by their locks, at once and however busy the machine is; ROS is
asked for the others (another machine's, `ros2 run`'s).
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clam_bringup.claims import Claims, Taken
from clam_bringup.graph import Node
from clam_bringup.hidden_node import LOOK, hidden_node
from clam_core.errors import ClamError

if TYPE_CHECKING:
    from rclpy.node import Node as RosNode

DISCOVERY = 1.0  # [s] to find those that live: most take 0.2
ENDING = 4.0  # [s] in which those of a graph that was just stopped may end


def claim(nodes: Sequence[Node], *, within: str = "", discovery: float = DISCOVERY) -> Claims:
    """Take the names of `nodes` in the ROS domain of this process, after a look around of `discovery` [s].

    `within`: namespace around those of `nodes`. The names are free again once the result is closed.

    Raises:
        ClamError: nodes of these names live, and still do after a while.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    wanted = {full_name(node, within) for node in nodes}
    claims = Claims(domain)
    try:
        claims.take(wanted, ENDING)
    except Taken as taken:
        process = f"process {taken.pid}" if taken.pid else "what started it"
        raise _refusal(taken.name, domain, process) from None
    try:
        if importlib.util.find_spec("rclpy") is None:
            return claims  # then there are no ROS nodes either; who needs rclpy says so
        alive = sorted(_alive(wanted, discovery))
        if alive:
            others = f" and {len(alive) - 1} more of these" if len(alive) > 1 else ""
            raise _refusal(alive[0], domain, "what started it", others)
    except BaseException:
        claims.close()
        raise
    return claims


def _refusal(name: str, domain: str, process: str, others: str = "") -> ClamError:
    return ClamError(
        f"node '{name}'{others} runs already in ROS domain {domain}, two would fight: stop {process} "
        "(a killed graph's nodes need some seconds to end), or set another ROS_DOMAIN_ID, or another namespace:=…"
    )


def full_name(node: Node, within: str = "") -> str:
    """With its namespaces, as the graph of ROS knows it; an absolute one does not lie `within` another."""
    within = "" if node.namespace.startswith("/") else within
    parts = (*within.split("/"), *node.namespace.split("/"), node.name)
    return "/" + "/".join(part for part in parts if part)


def _alive(wanted: set[str], discovery: float) -> set[str]:
    """Those of `wanted` that live, as a node sees them that is there only for this."""
    with hidden_node("clam_launch") as looking:
        found = _seen(looking, wanted)
        end = time.monotonic() + discovery
        while not found and time.monotonic() < end:
            time.sleep(LOOK)
            found = _seen(looking, wanted)
        end = time.monotonic() + ENDING
        while found and time.monotonic() < end:
            time.sleep(LOOK)
            found = _seen(looking, wanted)
        return found


def _seen(looking: RosNode, wanted: set[str]) -> set[str]:
    pairs = looking.get_node_names_and_namespaces()
    return wanted & {f"{namespace.rstrip('/')}/{name}" for name, namespace in pairs}
