"""Evaluation node: scored rollouts of one bundle or several, one after the other, on the robot that runs."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float32
from trajectory_msgs.msg import JointTrajectory

from clam_eval.correction import Corrections
from clam_eval.desk import Desk
from clam_eval.evaluation import Evaluation, open_evaluation
from clam_eval.health import Health
from clam_eval.parameters import declare_parameters
from clam_eval.robot_client import RobotClient
from clam_eval.rollout import Rollout
from clam_eval.session import TICK, Session
from clam_ros import names
from clam_ros.node import OK, WARN, Node
from clam_ros.qos import LATEST, STREAM
from clam_ros.run import run

LINGER = 0.2  # [s] before the client of a request that nobody waits for may go


class Evaluator(Node):
    """Adapter between topics and `clam_eval.session`. Ends with status 0 when all is scored."""

    interrupted_status = 130

    def __init__(self) -> None:
        super().__init__("evaluator")
        declare_parameters(self)
        self._evaluation: Evaluation | None = None
        self._desk: Desk | None = None
        self._session: Session | None = None

    # Lifecycle ----------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Read the bundles, open the results, create topics, clients and the page."""
        self.cleanup()  # an attempt that failed may have left something
        self._evaluation = evaluation = open_evaluation(self)
        self._listen(evaluation)
        by_person = evaluation.rules.by_person
        corrections = Corrections(evaluation.results, self.value("operator"))
        shown = evaluation.placements if by_person else None
        self._desk = desk = Desk(self, self._robot, shown, corrections, page=by_person)
        self._session = Session(self, evaluation, self._robot, self._health, desk)

    def _listen(self, evaluation: Evaluation) -> None:
        here, camera = self.get_namespace().rstrip("/"), self.value("camera")
        simulated = self.value("robot") == "mujoco"
        policy, arm = (f"{here}/{self.value(name)}" for name in ("policy", "arm"))
        self._health = Health(policy=policy, arm=arm, watch=f"{here}/watch", camera=camera)
        self._robot = RobotClient(
            self,
            self._health,
            evaluation.contenders,
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
        """Work through the plan; refused while the attempt of before is still ending."""
        assert self._session is not None
        self.start_job(self._session.run)

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
        evaluation, self._evaluation = self._evaluation, None
        for part in (desk, evaluation):
            if part is not None:
                part.close()

    def diagnose(self) -> tuple[bytes, str]:
        """A warning while something is waited for."""
        if not self.active or self._desk is None:
            return OK, "inactive"
        return (WARN, self._desk.message) if self._desk.message else (OK, self._desk.title)

    # Topics and timer ---------------------------------------------------------------------------------------

    @property
    def _rollout(self) -> Rollout | None:
        return None if self._session is None else self._session.rollout

    def _on_start(self) -> None:
        pictures = None if self._evaluation is None else self._evaluation.pictures
        if pictures is not None and self._rollout is not None:
            pictures.roll(self._rollout.rate)
            pictures.look(time.monotonic())

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
        if self._evaluation is not None and self._evaluation.pictures is not None:
            self._evaluation.pictures.message(data)
        self._health.picture(time.monotonic())

    def _tick(self) -> None:
        now = time.monotonic()
        pictures = None if self._evaluation is None else self._evaluation.pictures
        if pictures is not None:
            pictures.look(now)
            for line in pictures.failures():
                self.get_logger().warning(line)
        if self._desk is not None:
            self._desk.tick(now, pictures)


def main() -> int:
    """Console script."""
    return run(Evaluator)


if __name__ == "__main__":
    raise SystemExit(main())
