"""Policy node: observations in, action chunks and commands out, from a bundle."""

from __future__ import annotations

import math
import time
import traceback

from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from clam_core.deploy import Policy, load_bundle
from clam_core.errors import ClamError
from clam_policy.policy_runner import PolicyRunner, Refused, Sample
from clam_policy.worker import Worker
from clam_ros import names
from clam_ros.messages import ChunkWriter, CommandWriter, MessageRefused, StateReader
from clam_ros.node import ERROR, OK, WARN, Node, run
from clam_ros.qos import STREAM

MODES = ("lockstep", "realtime")


class PolicyNode(Node):
    """Callbacks check and hand over; a worker thread infers and publishes.

    Lockstep: every observation, in order; stamps are simulated and say nothing about age. Realtime: the
    newest observation wins, old ones are refused, and a gap begins a new episode. After a fault no command
    goes out until inputs are sound.
    """

    def __init__(self) -> None:
        super().__init__("policy")
        self.declare("bundle", "", "Folder of the bundle (required).")
        self.declare("device", "auto", "Torch device: auto, cpu, cuda, …")
        self.declare("mode", "realtime", "Stamps are wall time, or simulated time in lockstep.", choices=MODES)
        self.declare("chunk", 0, "Use only the first k actions of a chunk; 0: the bundle's.", low=0)
        self.declare("ensembling_m", math.nan, "Temporal ensembling weights exp(-m*i); nan: the bundle's.")
        self.declare("enabled", True, "Enabled at activation; switch later with policy/enable.")
        self.declare("observation_timeout", 1.0, "Realtime: a longer gap ends the episode [s].", low=0.001)
        self.declare("max_observation_age", 0.5, "Realtime: older observations are refused [s].", low=0.001)
        self._enabled = False
        self._worker: Worker[Sample] | None = None

    def load(self) -> Policy:
        """The policy of parameter `bundle`; tests put a fake in its place."""
        if not self.value("bundle"):
            raise ClamError("parameter 'bundle' is empty: give the folder that `clam train` wrote, RUN/bundle")
        m, chunk = self.value("ensembling_m"), self.value("chunk")
        policy = load_bundle(
            self.value("bundle"),
            device=self.value("device"),
            ensembling_m=None if math.isnan(m) else m,
            chunk=chunk or None,
        )
        if policy.cameras:
            raise ClamError(
                f"bundle '{self.value('bundle')}' looks through cameras ({', '.join(policy.cameras)}); this node only "
                "subscribes to observation/state so far: run the bundle with `clam eval`"
            )
        return policy

    def configure(self) -> None:
        """Load the bundle, create topics, start the worker."""
        policy = self.load()
        spec = policy.spec
        self._lockstep = self.value("mode") == "lockstep"
        self._timeout, self._max_age = self.value("observation_timeout"), self.value("max_observation_age")
        self._runner = PolicyRunner(
            policy,
            size=len(spec.observation.names),
            actions=len(spec.action.names),
            rate=spec.rate,
            gap=None if self._lockstep else self._timeout,
        )
        self._reader = StateReader(spec.observation.names)
        self._chunk_writer = ChunkWriter(spec.action.names, policy.chunk, spec.rate)
        self._command_writer = CommandWriter(spec.action.names)
        self._fault, self._error = "", ""
        self._observed: float | None = None
        self._forget = False
        self._enabled = self.value("enabled")
        self._chunk_publisher = self.publish(JointTrajectory, names.ACTION_CHUNK, STREAM)
        self._command_publisher = self.publish(JointTrajectory, names.COMMAND, STREAM)
        self.subscribe(JointState, names.OBSERVATION, self._on_observation, STREAM)
        self.serve(SetBool, names.POLICY_ENABLE, self._on_enable)
        self._worker = Worker(self._infer, self._on_error, latest_only=not self._lockstep)
        m = policy.ensembler.m
        ensembling = "off" if m is None else f"m = {m:g}"
        what = f"chunk {policy.chunk}, ensembling {ensembling}, {self.value('mode')}"
        self.get_logger().info(f"{spec.env}/{spec.task}: {what}")

    def activate(self) -> None:
        """Begin anew with the next observation."""
        self._forget = True

    def cleanup(self) -> None:
        """Stop the worker."""
        worker, self._worker = self._worker, None
        if worker is not None and not worker.close(timeout=5.0):
            self.get_logger().warning("inference did not end within 5 s")

    def diagnose(self) -> tuple[bytes, str]:
        """Error while the policy fails, warning while inputs are refused or absent."""
        if self._worker is not None:
            self.counters["observations skipped"] = self._worker.skipped
        if not self.active or not self._enabled:
            return OK, "disabled" if self.active else "inactive"
        if self._error:
            return ERROR, f"no command: {self._error}"
        if self._fault:
            return WARN, f"no command: {self._fault}"
        silent = None if self._observed is None else time.monotonic() - self._observed
        if silent is None or (not self._lockstep and silent > self._timeout):
            return WARN, "no observation yet" if silent is None else f"no observation for {silent:.1f} s"
        return OK, "commanding"

    # Executor thread ----------------------------------------------------------------------------------------

    def _on_observation(self, message: JointState) -> None:
        if not self.active or not self._enabled or self._worker is None:
            return
        self._observed = time.monotonic()
        try:
            read = self._reader.read(message)
            self._check_age(read.stamp)
        except (MessageRefused, Refused) as refusal:
            self._refuse(f"observation refused: {refusal}")
            return
        self._worker.submit(Sample(read.stamp, read.state, read.episode, read.step))

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data and not self._enabled:
            self._forget = True  # before enabling: what was remembered is of another situation
        self._enabled = request.data
        self._fault = self._error = ""
        response.success, response.message = True, "enabled" if request.data else "disabled"
        return response

    def _check_age(self, stamp: int) -> None:
        if self._lockstep:
            return
        age = (self.get_clock().now().nanoseconds - stamp) / 1e9
        if age > self._max_age:
            raise Refused(f"it is {age:.3f} s old, at most {self._max_age:g} s is allowed")
        if age < -self._max_age:
            raise Refused(f"its stamp lies {-age:.3f} s in the future: synchronize clocks or set use_sim_time")

    # Worker thread ------------------------------------------------------------------------------------------

    def _infer(self, sample: Sample) -> None:
        if self._forget:
            self._forget = False
            self._runner.reset()
        begin = time.perf_counter()
        try:
            answer = self._runner.answer(sample)
            if not self._lockstep:
                answer = self._runner.answer(sample, self.get_clock().now().nanoseconds)
        except Refused as refusal:
            self._refuse(str(refusal))
            return
        if not self._enabled or not self.active:
            return  # disabled during inference
        if self._chunk_publisher.get_subscription_count():
            self._chunk_publisher.publish(self._chunk_writer.message(answer.stamp, answer.chunk))
        self._command_publisher.publish(self._command_writer.message(answer.stamp, answer.action))
        self._fault = self._error = ""
        self.counters["commands"] += 1
        self.counters["inference last [us]"] = round((time.perf_counter() - begin) * 1e6)

    def _on_error(self, error: Exception) -> None:
        """The policy itself failed: say it, forget the episode, go on with the next observation."""
        if not self.context.ok():
            return  # shut down under the inference
        self.counters["failures"] += 1
        self._forget = True
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if reason != self._error:
            trace = "" if isinstance(error, ClamError) else "\n" + "".join(traceback.format_exception(error))
            self.get_logger().error(f"no command: {reason}{trace}")
        self._error = reason

    def _refuse(self, reason: str) -> None:
        self.counters["refused"] += 1
        if not self._fault:
            self.get_logger().warning(f"no command: {reason}")
        self._fault = reason


def main() -> int:
    """Console script."""
    return run(PolicyNode)


if __name__ == "__main__":
    raise SystemExit(main())
