"""What operators and rollouts ask of the bridge and the recorder, as coroutines."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from std_srvs.srv import Trigger

from clam_core.errors import ClamError
from clam_ros import names
from clam_ros.node import Node
from clam_ros.waiting import call, sleep


@dataclass(frozen=True)
class EpisodeStart:
    """Answer of the bridge to `reset`: episode index, seed, matched subscribers by topic."""

    episode: int
    seed: int
    subscribers: dict[str, int]


class EpisodeClient:
    """Starts episodes and recordings. `timeout` [s] bounds each wait for a service."""

    def __init__(self, node: Node, *, bridge: str, record: bool, timeout: float) -> None:
        self._node = node
        self._timeout = timeout
        self._set_parameters = node.connect(SetParameters, f"{bridge}/set_parameters")
        self._reset = node.connect(Trigger, names.RESET)
        services = (names.RECORD_START, names.RECORD_STOP, names.RECORD_DISCARD) if record else ()
        self._record = {service: node.connect(Trigger, service) for service in services}

    async def wait_until_matched(self, seed: int, expected: dict[str, int]) -> None:
        """Reset until the bridge has matched as many subscribers per topic as `expected`.

        Discovery is not symmetric: without this the first messages of the first episode could miss a recorder
        that is already up. The resets are thrown away.

        Raises:
            ClamError: the subscribers do not appear in time.
        """
        waited, start = 0.0, await self.reset(seed)
        while any(start.subscribers.get(topic, 0) < count for topic, count in expected.items()):
            if waited > self._timeout:
                raise ClamError(
                    f"the bridge sees subscribers {start.subscribers}, expected {expected}: is a node down?"
                )
            await sleep(self._node, 0.1)
            waited += 0.1
            start = await self.reset(seed)

    async def reset(self, seed: int) -> EpisodeStart:
        """Start an episode with `seed`.

        Raises:
            ClamError: the bridge does not answer or refuses.
        """
        value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=seed)
        request = SetParameters.Request(parameters=[Parameter(name="seed", value=value)])
        results = (await call(self._node, self._set_parameters, request, self._timeout)).results
        if not results[0].successful:
            raise ClamError(f"the bridge refuses seed {seed}: {results[0].reason}")
        response = await call(self._node, self._reset, Trigger.Request(), self._timeout)
        if not response.success:
            raise ClamError(f"the bridge cannot reset: {response.message}")
        answer = json.loads(response.message)
        return EpisodeStart(answer["episode"], answer["seed"], answer.get("subscribers", {}))

    async def record_start(self) -> str:
        """Start recording; waits while the recorder does not see every topic published yet.

        Raises:
            ClamError: the recorder still refuses after the time-out.
        """
        waited = 0.0
        while True:
            response = await call(self._node, self._record[names.RECORD_START], Trigger.Request(), self._timeout)
            if response.success:
                return str(response.message)
            if waited > min(self._timeout, 10.0):
                raise ClamError(f"the recorder cannot start: {response.message}")
            await sleep(self._node, 0.1)
            waited += 0.1

    async def record_end(self, *, keep: bool) -> str:
        """Stop (keep) or discard the recording.

        Raises:
            ClamError: the recorder refuses, for example because its disk is full.
        """
        service = names.RECORD_STOP if keep else names.RECORD_DISCARD
        response = await call(self._node, self._record[service], Trigger.Request(), self._timeout)
        if not response.success:
            raise ClamError(f"{service} failed: {response.message}")
        return str(response.message)
