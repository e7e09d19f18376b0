"""Works through the plan: attempts at each trial until one is scored, a line for each; table and video wall."""

from __future__ import annotations

import time
from typing import Any

from clam_core.errors import ClamError
from clam_eval.conduct import Spent, conduct
from clam_eval.desk import Desk
from clam_eval.evaluation import Evaluation
from clam_eval.health import Health
from clam_eval.plan import Trial
from clam_eval.report import write_report
from clam_eval.results_file import check_execution, scored
from clam_eval.robot_client import RobotClient
from clam_eval.rollout import Phase, Rollout
from clam_eval.threads import in_thread
from clam_ros.node import Node

GIVEN_UP = 2  # trials in a row without a score: something is broken, and not the policies
TICK = 0.05  # [s]
LAST_VIDEOS = 120.0  # [s] for them to be written


class Session:
    """From the start of the process to its end; `rollout` is the attempt under way, or the last one."""

    def __init__(self, node: Node, evaluation: Evaluation, robot: RobotClient, health: Health, desk: Desk) -> None:
        self._node, self._evaluation, self._robot, self._health, self._desk = node, evaluation, robot, health, desk
        self.rollout: Rollout | None = None

    async def run(self) -> int:
        """All of the plan that has no score yet. Returns the exit status: 0 when everything has one.

        Raises:
            ClamError: the graph does not fit the evaluation, or nothing gets a score any more.
        """
        node, results, given_up = self._node, self._evaluation.results, 0
        await self._robot.check_task(node.value("task"))
        execution = await self._robot.execution()
        check_execution(results, execution)
        software = self._evaluation.software
        results.append("session", software=software, operator=node.value("operator"), execution=execution)
        for trial in self._evaluation.plan:
            if trial.index in scored(results.lines):
                continue
            given_up = 0 if await self._score(trial) else given_up + 1
            if given_up >= GIVEN_UP:
                why = "" if self.rollout is None else self.rollout.reason
                raise ClamError(f"{given_up} rollouts in a row got no score ({why}): mend that, and start again")
        return await self._finish()

    async def _score(self, trial: Trial) -> bool:
        """Attempts at a trial until one is scored; False if none was."""
        lines = self._evaluation.results.lines
        for _ in range(self._node.value("repeats") + 1):
            if not self._node.active:
                raise ClamError("the evaluator was deactivated: start it again to go on")
            attempts = sum(line["type"] == "invalid" and line["index"] == trial.index for line in lines)
            if await self._attempt(trial, attempts + 1):
                return True
        self._node.get_logger().error(f"rollout {trial.index + 1} is left without a score")
        return False

    async def _attempt(self, trial: Trial, attempt: int) -> bool:
        evaluation = self._evaluation
        results, pictures = evaluation.results, evaluation.pictures
        bundle = evaluation.contenders[trial.contender]
        self.rollout = rollout = Rollout(evaluation.rules, bundle.rate)
        self._desk.begin(trial, rollout, attempt, len(evaluation.plan))
        spent = await conduct(self._robot, rollout, trial, patience=evaluation.patience, say=self._desk.say)
        film = pictures.cut() if pictures is not None else []
        facts: dict[str, Any] = {"index": trial.index, "layout": trial.layout, "seed": trial.seed, "attempt": attempt}
        facts |= {"bundle": bundle.digest, "steps": rollout.steps}
        facts |= {"commands": rollout.commands, "hiccups": self._health.hiccups, "seconds": spent.as_json()}
        if rollout.phase is Phase.INVALID:
            results.append("invalid", **facts, reason=rollout.reason)
            self._log(trial, f"invalid after {rollout.steps} steps: {rollout.reason}", spent, worse=True)
            return False
        video = {"video": f"rollout_{trial.index:04d}.mp4"} if film else {}
        facts |= {"score": rollout.score, "ended": rollout.ended, "scored_by": evaluation.scored_by}
        results.append("rollout", **facts, simulator_score=rollout.simulator_score, **video)
        self._log(trial, f"score {rollout.score:g} after {rollout.steps} steps ({rollout.ended})", spent)
        if pictures is not None and film:
            pictures.write(video["video"], film, bundle.rate)
            self._photograph(trial, film[0])
        return True

    def _photograph(self, trial: Trial, jpeg: bytes) -> None:
        """Of a scored rollout: before one that was spoiled, the scene may have been wrong."""
        try:
            if self._evaluation.placements is not None:
                self._evaluation.placements.photograph(trial, jpeg)
        except OSError as error:
            self._node.get_logger().warning(f"no photograph of the placement: {error}")

    def _log(self, trial: Trial, text: str, spent: Spent, *, worse: bool = False) -> None:
        """Never which bundle it was."""
        line = f"rollout {trial.index + 1} of {len(self._evaluation.plan)}: {text}; overhead {spent.overhead:.1f} s"
        self._node.counters["invalid" if worse else "scored"] += 1
        self._node.counters["overhead last [ms]"] = round(1e3 * spent.overhead)
        if worse:
            self._node.get_logger().warning(line)
        else:
            self._node.get_logger().info(line)

    async def _finish(self) -> int:
        """Table and video wall."""
        results, pictures = self._evaluation.results, self._evaluation.pictures
        folder, end, known = results.path.parent, time.monotonic() + LAST_VIDEOS, -1
        while pictures is not None and pictures.writing and time.monotonic() < end:
            await self._robot.sleep(TICK)
        while known != len(results.lines):  # the last score may be corrected while this is written
            known = len(results.lines)
            summary, missing = await in_thread(self._node, lambda: write_report(folder))
        for line in missing:
            self._node.get_logger().warning(line)
        left = summary.planned - sum(len(bundle.scores) for bundle in summary.bundles)
        if not (left and self._evaluation.rules.by_person):  # who goes on scoring shall not know who leads
            print((folder / "report.md").read_text(), flush=True)
        if left:
            self._node.get_logger().error(f"{left} rollouts have no score: start again to try them again")
        return 1 if left else 0
