"""What decides about the results of rollouts besides their seeds: asked of the nodes that know it."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.parameter import parameter_value_to_python

from clam_core.bundle_file import DESCRIPTION, WEIGHTS
from clam_core.errors import ClamError
from clam_ros.node import Node
from clam_ros.waiting import call

OF_POLICY, OF_BRIDGE = ("bundle", "chunk", "ensembling_m", "receding_horizon"), ("env", "task")
PATIENCE = 5.0  # [s] for nodes that may be somebody else's, without these parameters


class SettingClient:
    """Reads parameters of policy node and bridge."""

    def __init__(self, node: Node, *, policy: str, bridge: str) -> None:
        self._node = node
        self._clients = [
            (node.connect(GetParameters, f"{name}/get_parameters"), parameters)
            for name, parameters in ((policy, OF_POLICY), (bridge, OF_BRIDGE))
        ]

    async def read(self) -> dict[str, Any]:
        """The parameters by name, as JSON values, None where no node has one; `weights` is a digest of the bundle's.

        Training anew into the same folder gives other weights.
        """
        setting: dict[str, Any] = {}
        for client, parameters in self._clients:
            setting.update(await self._ask(client, parameters))
        if setting["bundle"]:
            setting["bundle"] = str(Path(setting["bundle"]).absolute())
            setting["weights"] = digest(Path(setting["bundle"]))
        return setting

    async def _ask(self, client: Client, names: tuple[str, ...]) -> dict[str, Any]:
        try:
            answer = await call(self._node, client, GetParameters.Request(names=list(names)), PATIENCE)
        except ClamError:
            return dict.fromkeys(names)
        # One unknown name makes the whole answer empty.
        values = [parameter_value_to_python(value) for value in answer.values] or [None] * len(names)
        return {name: json_value(value) for name, value in zip(names, values, strict=True)}


def json_value(value: Any) -> Any:
    """`value`, None for an empty text and for nan, which is not equal to itself."""
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def digest(bundle: Path) -> str | None:
    """Of what the bundle's files say; None where they are not on this machine."""
    content = hashlib.sha256()
    try:
        for name in (DESCRIPTION, WEIGHTS):
            content.update((bundle / name).read_bytes())
    except OSError:
        return None
    return content.hexdigest()[:12]
