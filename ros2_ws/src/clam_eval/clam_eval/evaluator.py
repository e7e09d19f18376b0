"""Evaluation node: scored rollouts of one bundle or several, one after the other, on the robot that runs."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float32
from trajectory_msgs.msg import JointTrajectory

from clam_core.data.provenance import software_versions
from clam_core.errors import ClamError
from clam_eval.conduct import Spent, conduct
from clam_eval.contender import parse_paths, read_contenders
from clam_eval.correction import Corrections
from clam_eval.desk import Desk
from clam_eval.health import Health
from clam_eval.parameters import declare_parameters
from clam_eval.pictures import Pictures
from clam_eval.placement import Placements
from clam_eval.plan import Trial, make_plan
from clam_eval.report import VIDEOS, write_report
from clam_eval.results_file import Identity, ResultsFile, check_execution, check_scorer, scored
from clam_eval.robot_client import RobotClient
from clam_eval.rollout import Phase, Rollout, Rules
from clam_eval.threads import in_thread
from clam_ros import names
from clam_ros.node import OK, WARN, Node, run
from clam_ros.qos import LATEST, STREAM

GIVEN_UP = 2  # trials in a row without a score: something is broken, and not the policies
TICK = 0.05  # [s]
LINGER = 0.2  # [s] before the client of a request that nobody waits for may go
LAST_VIDEOS = 120.0  # [s] for them to be written


class Evaluator(Node):
    """Adapter between the plan, `conduct`, the results file and topics. Ends with status 0 when all is scored."""

    interrupted_status = 130

    def __init__(self) -> None:
        super().__init__("evaluator")
        declare_parameters(self)
        self._results: ResultsFile | None = None
        self._pictures: Pictures | None = None
        self._placements: Placements | None = None
        self._desk: Desk | None = None
        self._rollout: Rollout | None = None

    # Lifecycle ----------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Read the bundles, open the results, create topics, clients and the page."""
        self.cleanup()  # an attempt that failed may have left something
        if not self.value("task"):
            raise ClamError("parameter 'task' is empty: name what is evaluated, for example reach-block")
        simulated = self.value("robot") == "mujoco"
        if self.value("scorer") == "simulator" and not simulated:
            raise ClamError("scorer is 'simulator', but a real robot is scored by a person: leave it out")
        by_person = self.value("scorer") == "person" or not simulated
        self._rules = Rules(self.value("steps"), by_person, self.value("stop_at_success") and not by_person)
        self._patience = math.inf if by_person else float(self.value("patience"))
        self._open(Path(self.value("out")))
        self._listen(simulated)
        shown = self._placements if by_person else None
        assert self._results is not None
        corrections = Corrections(self._results, self.value("operator"))
        self._desk = Desk(self, self._robot, shown, corrections, page=by_person)

    def _open(self, out: Path) -> None:
        self._contenders = read_contenders(parse_paths(self.value("bundle"), self.value("bundles")))
        for one in self._contenders:
            if one.task != self.value("task"):
                self.get_logger().warning(f"a bundle was trained on '{one.task}', the task is '{self.value('task')}'")
        keys = ("task", "robot", "seed", "rollouts", "steps")
        early, values = self._rules.stop_at_success, {key: self.value(key) for key in keys}
        identity = Identity(**values, stop_at_success=early, bundles=self._contenders)
        self._software = software_versions(("clam_eval", "torch", "mujoco"))
        self._results = ResultsFile(out, identity, {"software": self._software})
        self._scored_by = "person" if self._rules.by_person else "simulator"
        check_scorer(self._results, self._scored_by)
        if self._results.torn:
            self.get_logger().warning(f"an unfinished line was cut off the results: {self._results.torn[:80]}")
        self._plan = make_plan(len(self._contenders), identity.rollouts, identity.seed)
        camera = self.value("camera")
        self._pictures = Pictures(out / VIDEOS) if camera else None
        self._placements = Placements(out / "placements", identity.task, camera) if camera else None

    def _listen(self, simulated: bool) -> None:
        here, camera = self.get_namespace().rstrip("/"), self.value("camera")
        policy, arm = (f"{here}/{self.value(name)}" for name in ("policy", "arm"))
        self._health = Health(policy=policy, arm=arm, watch=f"{here}/watch", camera=camera)
        self._robot = RobotClient(
            self,
            self._health,
            self._contenders,
            policy=self.value("policy"),
            simulated=simulated,
            started=self._on_start,
        )
        self.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self.subscribe(JointTrajectory, names.COMMAND, self._on_command, STREAM)
        if simulated:
            self.subscribe(Float32, names.SCORE, self._on_score, STREAM)
        if camera:
            topic = names.COMPRESSED.format(name=camera)
            self.subscribe(CompressedImage, topic, self._on_picture, LATEST, raw=True)
        self.every(TICK, self._tick)

    def activate(self) -> None:
        """Work through the plan."""
        self.start_job(self._work)

    def deactivate(self) -> None:
        """The policy shall not go on without us, nor what we have begun."""
        if self._desk is not None:
            self._robot.let_go()
            time.sleep(LINGER)
        if self._rollout is not None:
            self._rollout.invalidate("the evaluator was deactivated")

    def cleanup(self) -> None:
        """Close files, threads and the page."""
        desk, self._desk = self._desk, None
        pictures, self._pictures = self._pictures, None
        placements, self._placements = self._placements, None
        results, self._results = self._results, None
        for part in (desk, pictures, placements, results):
            if part is not None:
                part.close()

    def diagnose(self) -> tuple[bytes, str]:
        """A warning while something is waited for."""
        if not self.active or self._desk is None:
            return OK, "inactive"
        return (WARN, self._desk.message) if self._desk.message else (OK, self._desk.title)

    # Work ---------------------------------------------------------------------------------------------------

    async def _work(self) -> int:
        assert self._results is not None
        results, given_up = self._results, 0
        await self._robot.check_task(self.value("task"))
        execution = await self._robot.execution()
        check_execution(results, execution)
        results.append("session", software=self._software, operator=self.value("operator"), execution=execution)
        for trial in self._plan:
            if trial.index in scored(results.lines):
                continue
            given_up = 0 if await self._score(trial, results) else given_up + 1
            if given_up >= GIVEN_UP:
                raise ClamError(f"{given_up} rollouts in a row got no score: mend what /diagnostics says, start again")
        return await self._finish(results)

    async def _score(self, trial: Trial, results: ResultsFile) -> bool:
        """Attempts at a trial until one is scored; False if none was."""
        for _ in range(self.value("repeats") + 1):
            if not self.active:
                raise ClamError("the evaluator was deactivated: start it again to go on")
            attempts = sum(line["type"] == "invalid" and line["index"] == trial.index for line in results.lines)
            if await self._attempt(trial, attempts + 1, results):
                return True
        self.get_logger().error(f"rollout {trial.index + 1} is left without a score")
        return False

    async def _attempt(self, trial: Trial, attempt: int, results: ResultsFile) -> bool:
        assert self._desk is not None
        rate = self._contenders[trial.contender].rate
        self._rollout = rollout = Rollout(self._rules, rate)
        self._desk.begin(trial, rollout, attempt, len(self._plan))
        spent = await conduct(self._robot, rollout, trial, patience=self._patience, say=self._desk.say)
        pictures = self._pictures.cut() if self._pictures is not None else []
        facts: dict[str, Any] = {"index": trial.index, "layout": trial.layout, "seed": trial.seed, "attempt": attempt}
        facts |= {"bundle": self._contenders[trial.contender].digest, "steps": rollout.steps}
        facts |= {"commands": rollout.commands, "hiccups": self._health.hiccups, "seconds": spent.as_json()}
        if rollout.phase is Phase.INVALID:
            results.append("invalid", **facts, reason=rollout.reason)
            self._log(trial, f"invalid after {rollout.steps} steps: {rollout.reason}", spent, worse=True)
            return False
        video = {"video": f"rollout_{trial.index:04d}.mp4"} if pictures else {}
        facts |= {"score": rollout.score, "ended": rollout.ended, "scored_by": self._scored_by}
        results.append("rollout", **facts, simulator_score=rollout.simulator_score, **video)
        self._log(trial, f"score {rollout.score:g} after {rollout.steps} steps ({rollout.ended})", spent)
        if self._pictures is not None and pictures:
            self._pictures.write(video["video"], pictures, rate)
            self._photograph(trial, pictures[0])
        return True

    def _photograph(self, trial: Trial, jpeg: bytes) -> None:
        """Of a scored rollout: before one that was spoiled, the scene may have been wrong."""
        try:
            if self._placements is not None:
                self._placements.photograph(trial, jpeg)
        except OSError as error:
            self.get_logger().warning(f"no photograph of the placement: {error}")

    def _log(self, trial: Trial, text: str, spent: Spent, *, worse: bool = False) -> None:
        """Never which bundle it was."""
        line = f"rollout {trial.index + 1} of {len(self._plan)}: {text}; overhead {spent.overhead:.1f} s"
        self.counters["invalid" if worse else "scored"] += 1
        self.counters["overhead last [ms]"] = round(1e3 * spent.overhead)
        if worse:
            self.get_logger().warning(line)
        else:
            self.get_logger().info(line)

    async def _finish(self, results: ResultsFile) -> int:
        """Table and video wall."""
        folder, end, known = results.path.parent, time.monotonic() + LAST_VIDEOS, -1
        while self._pictures is not None and self._pictures.writing and time.monotonic() < end:
            await self._robot.sleep(TICK)
        while known != len(results.lines):  # the last score may be corrected while this is written
            known = len(results.lines)
            summary, missing = await in_thread(self, lambda: write_report(folder))
        self._complain(missing)
        left = summary.planned - sum(len(bundle.scores) for bundle in summary.bundles)
        if not (left and self._rules.by_person):  # who goes on scoring shall not know who leads
            print((folder / "report.md").read_text(), flush=True)
        if left:
            self.get_logger().error(f"{left} rollouts have no score: start again to try them again")
        return 1 if left else 0

    def _complain(self, lines: list[str]) -> None:
        for line in lines:
            self.get_logger().warning(line)

    # Topics and timer ---------------------------------------------------------------------------------------

    def _on_start(self) -> None:
        if self._pictures is not None and self._rollout is not None:
            self._pictures.roll(self._rollout.rate)
            self._pictures.look(time.monotonic())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            facts = {item.key: item.value for item in status.values}
            self._health.hear(status.name, int.from_bytes(status.level, "little"), status.message, facts, now)

    def _on_command(self, _: JointTrajectory) -> None:
        self._robot.commanded()
        if self._rollout is not None:
            self._rollout.command(time.monotonic())

    def _on_score(self, message: Float32) -> None:
        self._robot.score = message.data
        if self._rollout is not None:
            self._rollout.simulator_says(float(message.data))

    def _on_picture(self, data: bytes) -> None:
        if self._pictures is not None:
            self._pictures.message(data)
        self._health.picture(time.monotonic())

    def _tick(self) -> None:
        now = time.monotonic()
        if self._pictures is not None:
            self._pictures.look(now)
            self._complain(self._pictures.failures())
        if self._desk is not None:
            self._desk.tick(now, self._pictures)


def main() -> int:
    """Console script."""
    return run(Evaluator)


if __name__ == "__main__":
    raise SystemExit(main())
