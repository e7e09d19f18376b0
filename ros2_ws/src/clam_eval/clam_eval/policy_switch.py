"""Another bundle for the policy node that runs, by its lifecycle: down, parameter `bundle`, up again."""

from __future__ import annotations

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from std_srvs.srv import SetBool

from clam_core.errors import ClamError
from clam_eval.asking import ask
from clam_ros import names
from clam_ros.node import Node
from clam_ros.waiting import call

#: Parameters of the policy node that change what a bundle does.
EXECUTION = ("chunk", "ensembling_m", "receding_horizon")
#: Where a transition leads.
LEADS_TO = {
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
}


class PolicySwitch:
    """Client of the node `policy`. `timeout` [s] bounds each answer; loading a bundle takes some."""

    def __init__(self, node: Node, policy: str, timeout: float) -> None:
        self._node, self._policy, self._timeout = node, policy, timeout
        self._get_state = node.connect(GetState, f"{policy}/get_state")
        self._change_state = node.connect(ChangeState, f"{policy}/change_state")
        self._set_parameters = node.connect(SetParameters, f"{policy}/set_parameters")
        self._get_parameters = node.connect(GetParameters, f"{policy}/get_parameters")
        self._enable = node.connect(SetBool, names.POLICY_ENABLE)

    async def load(self, bundle: str) -> None:
        """The policy has `bundle`, and is active but disabled.

        Raises:
            ClamError: the node does not answer, or refuses.
        """
        if await self._state() == State.PRIMARY_STATE_ACTIVE:
            await self._change(Transition.TRANSITION_DEACTIVATE)
        if await self._state() == State.PRIMARY_STATE_INACTIVE:
            await self._change(Transition.TRANSITION_CLEANUP)
        await self._set("bundle", ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=bundle))
        await self._set("enabled", ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=False))
        await self._change(Transition.TRANSITION_CONFIGURE)
        await self._change(Transition.TRANSITION_ACTIVATE)

    async def is_active(self, seconds: float | None = None) -> bool:
        """Whether there is something that can be enabled; `seconds` bound the wait instead of `timeout`."""
        return await self._state(seconds) == State.PRIMARY_STATE_ACTIVE

    async def enable(self, on: bool, seconds: float | None = None) -> str:
        """Enable or disable the policy; what it answers if it refuses, else an empty text.

        Raises:
            ClamError: it does not answer within `seconds`, or `timeout` without them.
        """
        request = SetBool.Request(data=on)  # may be said twice: on while it is on is granted, and checks are shared
        response = await ask(self._node, self._enable, request, seconds or self._timeout)
        said = " ".join(str(response.message).split())
        return "" if response.success else said or "the policy refuses without a reason"

    async def execution(self) -> dict[str, str]:
        """How the node executes every bundle: its parameters `EXECUTION`, as text because one may be nan.

        Raises:
            ClamError: it does not answer, or lacks one of them.
        """
        request = GetParameters.Request(names=list(EXECUTION))
        response = await ask(self._node, self._get_parameters, request, self._timeout)
        if len(response.values) != len(EXECUTION):  # one unknown name makes the whole answer empty
            raise ClamError(f"the policy node lacks one of {', '.join(EXECUTION)}: start that of this version")
        values = [
            value.integer_value if value.type == ParameterType.PARAMETER_INTEGER else value.double_value
            for value in response.values
        ]
        return {name: f"{value:g}" for name, value in zip(EXECUTION, values, strict=True)}

    def let_go(self) -> None:
        """Disable it without waiting for an answer."""
        if self._enable.service_is_ready():
            self._enable.call_async(SetBool.Request(data=False))

    async def _state(self, seconds: float | None = None) -> int:
        response = await ask(self._node, self._get_state, GetState.Request(), seconds or self._timeout)
        return int(response.current_state.id)

    async def _change(self, transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        try:
            done = bool((await call(self._node, self._change_state, request, self._timeout)).success)
        except ClamError:  # an answer may be lost; what counts is the state
            done = await self._state() == LEADS_TO[transition]
        if not done:
            raise ClamError(f"node '{self._policy}' refuses to change its state: its log says why")

    async def _set(self, name: str, value: ParameterValue) -> None:
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        (result,) = (await ask(self._node, self._set_parameters, request, self._timeout)).results
        if not result.successful:
            raise ClamError(f"node '{self._policy}' refuses its parameter '{name}': {result.reason}")
