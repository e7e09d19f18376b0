"""The graph of a robot as an attempt needs it (`clam_eval.conduct.Robot`): services that are called and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rcl_interfaces.srv import GetParameters
from std_srvs.srv import Trigger

from clam_core.errors import ClamError
from clam_eval.asking import ask
from clam_eval.contender import Contender, check_unchanged
from clam_eval.health import Health
from clam_eval.plan import Trial
from clam_eval.policy_switch import PolicySwitch
from clam_eval.threads import in_thread
from clam_ros.episode_client import EpisodeClient
from clam_ros.node import Node
from clam_ros.waiting import call, sleep

ANSWER, MOVE, LOAD = 15.0, 90.0, 120.0  # [s] for an answer, for the arm to be ready, for a bundle to be loaded
TRIES, PAUSE = 5, 1.0  # of the way to the ready pose, and [s] between: late measurements stop a move
SETTLED = 5.0  # [s] for the score of a scene that was just reset
STILL = 0.5  # [s] after the policy was switched off, commands that were on their way have come


class RobotClient:
    """`simulated`: node `kitchen` stands in for the robot and resets its scene itself.

    `blind`: the bundle is loaded anew before each rollout, also if it is the same one, so that the time this takes
    says nothing. `started` is called when the policy begins to command.
    """

    def __init__(
        self,
        node: Node,
        health: Health,
        contenders: Sequence[Contender],
        *,
        policy: str,
        simulated: bool,
        started: Callable[[], None],
    ) -> None:
        self._node, self._health, self._contenders = node, health, contenders
        self._policy = PolicySwitch(node, policy, LOAD)
        self._ready = node.connect(Trigger, "ready")
        self._estop = node.connect(Trigger, "estop")
        self._kitchen = EpisodeClient(node, bridge="kitchen", record=False, timeout=ANSWER) if simulated else None
        self._kitchen_task = node.connect(GetParameters, "kitchen/get_parameters") if simulated else None
        self._blind, self._loaded = len(contenders) > 1, -1
        self._started = started
        self._still: float | None = None  # since when nobody shall command the arm
        self._disturbed = False
        #: The newest score of the simulator; the node fills it in.
        self.score: float | None = None

    def now(self) -> float:
        """See `Robot`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Robot`."""
        await sleep(self._node, seconds)

    def not_ready(self) -> str:
        """See `Robot`."""
        return self._health.not_ready(self.now())

    def fault(self) -> str:
        """See `Robot`."""
        return self._health.fault(self.now())

    def estopped(self) -> bool:
        """See `Robot`."""
        return self._health.estopped()

    def barred(self) -> bool:
        """See `Robot`."""
        return self._health.barred()

    def release(self) -> None:
        """See `Robot`."""
        self._health.release()

    def disturbed(self) -> bool:
        """See `Robot`."""
        disturbed, self._disturbed = self._disturbed, False
        return disturbed

    def commanded(self) -> None:
        """Somebody commanded the arm; the node tells it."""
        self._disturbed |= self._still is not None and self.now() - self._still > STILL

    async def disable(self) -> None:
        """See `Robot`."""
        self._policy.let_go()  # at once: any of the answers below may be late
        try:
            refusal = await self._policy.enable(False, ANSWER) if await self._policy.is_active(ANSWER) else ""
        except ClamError as error:
            raise ClamError(f"nobody says that the policy is off ({error}): start its node again") from error
        if refusal:
            raise ClamError(f"the policy cannot be disabled: {refusal}")
        self._still, self._disturbed = self.now(), False

    async def load(self, contender: int) -> None:
        """See `Robot`."""
        if self._blind or self._loaded != contender or not await self._policy.is_active():
            self._loaded, bundle = -1, self._contenders[contender]
            await in_thread(self._node, lambda: check_unchanged(bundle))
            await self._policy.load(bundle.path)
            self._loaded = contender

    async def to_ready(self) -> None:
        """See `Robot`."""
        why = ""
        for _ in range(TRIES):
            if self.barred():  # that it obeys again, already or soon, must not let it go on
                raise ClamError("the arm did not get to its ready pose: its e-stop was pressed, or its torque taken")
            try:
                response = await call(self._node, self._ready, Trigger.Request(), MOVE)
            except ClamError as error:
                why = str(error)
                continue
            if response.success:
                return
            why = response.message
            await self.sleep(PAUSE)
        raise ClamError(f"the arm did not get to its ready pose: {why}")

    async def reset_scene(self, trial: Trial) -> None:
        """See `Robot`. Scores that come afterwards are of the new scene."""
        if self._kitchen is None:
            return
        await self._kitchen.reset(trial.seed)
        self.score, end = None, self.now() + SETTLED
        while self.score != 0.0:  # scores come in order: after a 0, none is of the scene before
            if self.now() > end:
                said = "publishes no score" if self.score is None else f"gives {self.score:g} before the policy moves"
                raise ClamError(f"the simulator {said}: is it of this version?")
            await self.sleep(0.05)

    async def enable(self) -> str:
        """See `Robot`."""
        self._health.begin(self.now())
        self._still = None
        return await self._policy.enable(True)

    def running(self) -> None:
        """See `Robot`."""
        self._health.begin(self.now())
        self._started()

    async def check_task(self, task: str) -> None:
        """Raises `ClamError` when the simulator has another task, and so another rule."""
        if self._kitchen_task is not None:
            request = GetParameters.Request(names=["task"])
            response = await ask(self._node, self._kitchen_task, request, LOAD)
            theirs = response.values[0].string_value
            if theirs != task:
                raise ClamError(
                    f"the kitchen's task is '{theirs}', that of the evaluation '{task}': start both with one"
                )

    async def execution(self) -> dict[str, str]:
        """How the policy node executes bundles; see `PolicySwitch`."""
        return await self._policy.execution()

    async def stop(self) -> str:
        """E-stop; what went wrong, or an empty text."""
        self._policy.let_go()
        try:
            response = await ask(self._node, self._estop, Trigger.Request(), ANSWER)
        except ClamError as error:
            return f"e-stop: {error}: stop the arm at the robot"
        return "" if response.success else f"e-stop: {response.message}: stop the arm at the robot"

    def let_go(self) -> None:
        """The policy shall not go on without us."""
        self._policy.let_go()
