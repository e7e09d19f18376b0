"""The course of one attempt (Appendix F): policy off, arm ready, scene reset, policy on, budget, policy off, score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from clam_core.errors import ClamError
from clam_eval.plan import Trial
from clam_eval.rollout import Phase, Rollout

LOOK = 0.02  # [s] between two looks at a running rollout
RETRY = 1.0  # [s] between two attempts to enable a policy that is not ready


class Robot(Protocol):
    """What an attempt needs of the graph. Every coroutine raises `ClamError` when it cannot do what it says."""

    def now(self) -> float:
        """Steady clock [s]."""

    async def sleep(self, seconds: float) -> None:
        """Let everything else work."""

    def not_ready(self) -> str:
        """Why no rollout can begin; empty if it can."""

    def fault(self) -> str:
        """What is wrong while one runs; empty if nothing is."""

    def estopped(self) -> bool:
        """Whether somebody has pressed the e-stop, here or at the robot."""

    def barred(self) -> bool:
        """Whether somebody has stopped the arm, or taken its torque, since `release`: a person may be at it."""

    def release(self) -> None:
        """Nobody is at the arm: a person said so, or there is none."""

    def disturbed(self) -> bool:
        """Whether the arm was commanded since the last call, although the policy is off."""

    async def stop(self) -> str:
        """E-stop; what went wrong, or an empty text. Never raises."""

    async def disable(self) -> None:
        """The policy sends nothing any more."""

    async def load(self, contender: int) -> None:
        """The policy node has this bundle, and is active but disabled."""

    async def to_ready(self) -> None:
        """The arm is at its ready pose. It does not move there while it is barred."""

    async def reset_scene(self, trial: Trial) -> None:
        """A simulator places the things; at a real robot nothing happens."""

    async def enable(self) -> str:
        """Let the policy command; what it answers if it refuses, else an empty text."""

    def running(self) -> None:
        """From now on it runs: pictures are kept."""


@dataclass(frozen=True)
class Spent:
    """Seconds: of the rollout itself, of waiting for the operator, and of all else."""

    rollout: float
    operator: float
    overhead: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: round(value, 2) for name, value in vars(self).items()}


async def conduct(
    robot: Robot, rollout: Rollout, trial: Trial, *, patience: float, say: Callable[[str], None]
) -> Spent:
    """Carry out an attempt until `rollout` is over. What goes wrong on the way makes it invalid.

    Args:
        patience: longest wait for a graph that is not ready [s].
        say: is told in words what is waited for; nothing when the wait is over.
    """
    begin, waited, ran = robot.now(), 0.0, 0.0
    try:
        waited += await _prepare(robot, rollout, trial, patience, say)
        waited += await _person(robot, rollout, Phase.SCENE, say)
        await _enable(robot, rollout, patience, say)
        if rollout.phase is Phase.RUNNING:
            robot.running()
        started = robot.now()
        await _run(robot, rollout)
        ran = robot.now() - started
    except ClamError as error:
        rollout.invalidate(str(error))
    await _stop(robot, rollout, say)
    waited += await _person(robot, rollout, Phase.SCORING, say)
    return Spent(ran, waited, robot.now() - begin - ran - waited)


async def _prepare(robot: Robot, rollout: Rollout, trial: Trial, patience: float, say: Callable[[str], None]) -> float:
    """The time that this waited for a person [s]."""
    await _disable(robot, rollout, patience, say)  # else what was stopped while it was on would go on when it may
    waited = await _until_ready(robot, rollout, patience, say)
    if rollout.phase is Phase.PREPARING:  # an operator may have stopped it
        await robot.load(trial.contender)
    waited += await _to_ready(robot, rollout, say)
    if rollout.phase is Phase.PREPARING:
        await robot.reset_scene(trial)
    rollout.prepared()
    return waited


async def _disable(robot: Robot, rollout: Rollout, patience: float, say: Callable[[str], None]) -> None:
    """A policy node that died or hangs is waited for: nothing can begin without it, nor before it is off."""
    begin, said = robot.now(), False
    while rollout.phase is Phase.PREPARING:
        try:
            await robot.disable()
            break
        except ClamError as error:
            if robot.now() - begin > patience:
                raise
            arm, said = robot.not_ready(), True
            say(f"{error}; {arm}" if arm else str(error))
            await robot.sleep(RETRY)
    if said:
        say("")


async def _to_ready(robot: Robot, rollout: Rollout, say: Callable[[str], None]) -> float:
    """A person is told why the arm cannot get there, and says when it may try again. The time that he took [s]."""
    waited = 0.0
    while rollout.phase is Phase.PREPARING:
        try:
            await robot.to_ready()
            break
        except ClamError as error:
            rollout.bar()
            if rollout.phase is Phase.PREPARING:
                raise
            say(f"{error}; bring it back, then say that nobody is at it")
        begin = robot.now()
        while rollout.phase is Phase.BARRED:
            await robot.sleep(0.1)
        waited += robot.now() - begin
        say("")
    return waited


async def _until_ready(robot: Robot, rollout: Rollout, patience: float, say: Callable[[str], None]) -> float:
    begin, barred = robot.now(), False
    while rollout.phase in (Phase.PREPARING, Phase.BARRED):
        reason = robot.not_ready()
        if robot.barred():
            rollout.bar()
            barred = True
        if not reason and rollout.phase is Phase.PREPARING:
            break
        say(reason)
        if robot.now() - begin > patience:
            raise ClamError(f"not ready within {patience:g} s: {reason}")
        await robot.sleep(0.1)
    if not rollout.rules.by_person:
        robot.release()  # there is nobody to ask
    say("")
    return robot.now() - begin if barred and rollout.rules.by_person else 0.0


async def _enable(robot: Robot, rollout: Rollout, patience: float, say: Callable[[str], None]) -> None:
    begin = robot.now()
    if rollout.phase is Phase.ENABLING and rollout.rules.by_person:
        await robot.to_ready()  # who reset the scene may have pushed it
    while rollout.phase is Phase.ENABLING:
        if robot.barred():  # nothing may begin by itself when that ends
            raise ClamError("the arm was stopped before the policy began")
        refusal = await robot.enable()
        if not refusal:
            rollout.enabled(robot.now())
            say("")
        elif robot.now() - begin > patience:
            raise ClamError(f"the policy was not ready within {patience:g} s: {refusal}")
        else:
            say(f"not ready: {refusal}")
            await robot.sleep(RETRY)


async def _run(robot: Robot, rollout: Rollout) -> None:
    while rollout.phase is Phase.RUNNING:
        if robot.estopped():  # a person stopped the policy: that is no fault of the robot
            rollout.abort(robot.now(), "e-stop")
        rollout.look(robot.now(), robot.fault())
        if rollout.phase is Phase.RUNNING:
            await robot.sleep(LOOK)


async def _stop(robot: Robot, rollout: Rollout, say: Callable[[str], None]) -> None:
    """Whatever happened, the policy is off afterwards. What was scored by then stays scored."""
    try:
        await robot.disable()
    except ClamError as error:
        say(f"{error}{await _stop_arm(robot) if rollout.rules.by_person else ''}")
        rollout.invalidate(str(error))


async def _stop_arm(robot: Robot) -> str:
    """Somebody may go to the scene now. What came of the e-stop."""
    return "; " + (await robot.stop() or "e-stop: the arm holds until estop_reset is called")


async def _person(robot: Robot, rollout: Rollout, phase: Phase, say: Callable[[str], None]) -> float:
    """Wait while a person is asked, who may be at the scene: the arm must not move. The time that took [s]."""
    begin = robot.now()
    robot.disturbed()  # what was before nobody was at the scene is of no concern
    while rollout.phase is phase:
        if robot.disturbed():
            say(await robot.stop() or "e-stop: somebody commands the arm, which shall be still")
        await robot.sleep(0.05)
    return robot.now() - begin
