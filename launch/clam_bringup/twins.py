"""Whether nodes of the same names live already: two graphs in one place would fight over every topic."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence

from clam_bringup.graph import Node
from clam_core.errors import ClamError

DISCOVERY = 4.5  # [s] to find those that live: most take 0.2, one that missed the first call speaks up every 3
ENDING = 4.0  # [s] in which those of a graph that was just stopped may end
LOOK = 0.1  # [s]


def refuse_twins(nodes: Sequence[Node], *, within: str = "", discovery: float = DISCOVERY) -> None:
    """Look around for `discovery` [s], in the ROS domain of this process. `within`: namespace around those of `nodes`.

    Raises:
        ClamError: nodes of these names live, and still do after a while.
    """
    if importlib.util.find_spec("rclpy") is None:
        return  # then there are no ROS nodes either; who needs rclpy says so
    wanted = {full_name(node, within) for node in nodes}
    alive = _alive(wanted, discovery)
    if not alive:
        return
    first, *more = sorted(alive)
    others = f" and {len(more)} more of these" if more else ""
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    raise ClamError(
        f"node '{first}'{others} runs already in ROS domain {domain}, two would fight: stop what started it "
        "(a killed graph's nodes need some seconds to end), or set another ROS_DOMAIN_ID, or another namespace:=…"
    )


def full_name(node: Node, within: str = "") -> str:
    """With its namespaces, as the graph of ROS knows it."""
    parts = (*within.split("/"), *node.namespace.split("/"), node.name)
    return "/" + "/".join(part for part in parts if part)


def _alive(wanted: set[str], discovery: float) -> set[str]:
    """Those of `wanted` that live, as a node sees them that is there only for this."""
    from rclpy.context import Context
    from rclpy.node import Node as RosNode

    context, name = Context(), f"_clam_launch_{os.getpid()}"
    try:
        context.init([], initialize_logging=False)  # installs no signal handlers, and writes no log
        looking = RosNode(
            name, context=context, use_global_arguments=False, enable_rosout=False, start_parameter_services=False
        )
    except RuntimeError as error:
        reason = str(error).partition(", at ")[0]
        raise ClamError(f"ROS cannot start here ({reason}): check ROS_DOMAIN_ID and RMW_IMPLEMENTATION") from error
    try:
        found = _seen(looking, wanted)
        end = time.monotonic() + discovery
        while not found and time.monotonic() < end:
            time.sleep(LOOK)
            found = _seen(looking, wanted)
        end = time.monotonic() + ENDING
        while found and time.monotonic() < end:
            time.sleep(LOOK)
            found = _seen(looking, wanted)
        looking.destroy_node()
        return found
    finally:
        context.try_shutdown()


def _seen(looking: object, wanted: set[str]) -> set[str]:
    pairs = looking.get_node_names_and_namespaces()  # type: ignore[attr-defined]
    return wanted & {f"{namespace.rstrip('/')}/{name}" for name, namespace in pairs}
