"""Policy node: observations in, action chunks and commands out, from a bundle."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from clam_core.deploy import Policy, load_bundle
from clam_core.deploy.bundle import load_views
from clam_core.errors import ClamError
from clam_policy.assembly import Assembly, state_topic
from clam_policy.bundle_check import IMAGES, needs_of
from clam_policy.gate import Examination, Gate
from clam_policy.inference import Inference
from clam_policy.observation_join import ExactJoin, Join, NearestJoin, Together
from clam_policy.policy_runner import PolicyRunner, Refused
from clam_policy.sender import Sender
from clam_policy.supervision import Supervision
from clam_policy.switch import Switch
from clam_policy.trouble import Trouble
from clam_policy.worker import Worker
from clam_ros import names
from clam_ros.images import stamp_of
from clam_ros.messages import MessageRefused
from clam_ros.node import ERROR, OK, WARN, Node
from clam_ros.qos import LATEST, STREAM
from clam_ros.run import run
from clam_ros.stamps import to_ns

MODES = ("lockstep", "realtime")
ASK = 0.2  # [s] between looks at whether a policy that waits may begin, and whether who supervises is there
UNSUPERVISED = 25  # looks without a word of an evaluation, after which its policy stops
LOST = f"disabled: the evaluation has said nothing for {ASK * UNSUPERVISED:g} s: start it again, or enable by hand"


class PolicyNode(Node):
    """Callbacks check and hand over; a worker thread infers and publishes; a timer plays chunks out between answers.

    Lockstep: every observation, in order; stamps are simulated and say nothing about age. Realtime: the newest
    observation of a control period wins, old ones are refused, and a gap begins a new episode. After a fault no command
    goes out until inputs are sound; while inputs are only missing, the chunk goes on to its end.
    """

    def __init__(self) -> None:
        super().__init__("policy")
        self.declare("bundle", "", "Folder of the bundle (required).")
        self.declare("device", "auto", "Torch device: auto, cpu, cuda, …")
        self.declare("mode", "realtime", "Stamps are wall time, or simulated time in lockstep.", choices=MODES)
        self.declare("chunk", 0, "Use only the first k actions of a chunk; 0: the bundle's.", low=0)
        self.declare("ensembling_m", math.nan, "Temporal ensembling weights exp(-m*i); nan: the bundle's.")
        self.declare("receding_horizon", 0, "Follow k actions of a chunk, then the next one; 0: as the bundle.", low=0)
        self.declare("enabled", True, "Enabled at activation, once checks pass; switch later with policy/enable.")
        self.declare("force", False, "Realtime: enable also while a check of `clam doctor BUNDLE` fails.")
        self.declare("state_topic", "", "Topic of the state; empty: joint_states if joints are enough in realtime.")
        self.declare("images", "raw", "What to hear of the cameras.", choices=tuple(IMAGES))
        self.declare("tolerance", 0.0, "Stamps of one observation; 0: half a control period [s].", low=0.0)
        self.declare("observation_timeout", 1.0, "Realtime: a longer gap ends the episode [s].", low=0.001)
        self.declare("max_observation_age", 0.5, "Realtime: older observations are refused [s].", low=0.001)
        self._worker: Worker[Together[Any] | Examination] | None = None

    def load(self) -> Policy:
        """The policy of parameter `bundle`; tests put a fake in its place."""
        if not self.value("bundle"):
            raise ClamError("parameter 'bundle' is empty: give the folder that `clam train` wrote, RUN/bundle")
        m, chunk, horizon = self.value("ensembling_m"), self.value("chunk"), self.value("receding_horizon")
        if horizon and not math.isnan(m):
            raise ClamError("a receding horizon follows one chunk at a time: give receding_horizon or ensembling_m")
        policy = load_bundle(
            self.value("bundle"),
            device=self.value("device"),
            ensembling_m=None if math.isnan(m) else m,
            chunk=chunk or None,
        )
        if horizon:
            policy.execute(None, horizon)
            if horizon == policy.chunk > 1 and self.value("mode") == "realtime":
                self.get_logger().warning("after its last action nothing bridges the next inference: take fewer")
        return policy

    def configure(self) -> None:
        """Load the bundle, create topics, start the worker."""
        policy = self.load()
        spec = policy.spec
        self._lockstep = self.value("mode") == "lockstep"
        self._timeout, self._max_age = self.value("observation_timeout"), self.value("max_observation_age")
        self._trouble, self._apart = Trouble(self), False
        self._sender = Sender(self, policy, self._trouble, self._may_command, lockstep=self._lockstep)
        self.serve(SetBool, names.POLICY_ENABLE, self._on_enable)
        self._observe(policy)
        runner = PolicyRunner(
            policy,
            size=len(spec.observation.names),
            actions=len(spec.action.names),
            rate=spec.rate,
            gap=None if self._lockstep else self._timeout,
        )
        self._inference = Inference(self, runner, self._assembly, self._sender, self._trouble)
        self._worker = worker = Worker(self._inference.work, self._inference.failed, latest_only=not self._lockstep)
        self._gate = None if self._lockstep else self._guard(policy, worker)
        forced = partial(self.value, "force")
        self._switch = Switch(self._gate, forced, self._begin_anew, on=self.value("enabled"))
        self._supervision, self._lost = Supervision(UNSUPERVISED), False
        if not self._lockstep:
            self.subscribe(String, names.EVALUATION_STATUS, lambda _: self._supervision.hear(), STREAM)
        self.every(ASK, self._look)
        what = f"chunk {policy.chunk}, {_execution(policy)}, {self.value('mode')}"
        self.get_logger().info(f"{spec.env}/{spec.task}: {what}, sees {', '.join(self._join.streams)}")

    def _observe(self, policy: Policy) -> None:
        """Subscribe to what the policy looks at."""
        self._state = topic = state_topic(policy, self.value("state_topic"), lockstep=self._lockstep)
        template, kind = IMAGES[self.value("images")]
        cameras = {template.format(name=camera): camera for camera in policy.cameras}
        compressed = self.value("images") == "compressed"
        self._assembly = Assembly(policy, topic, cameras, compressed, self.get_logger().info)
        streams, period = self._assembly.streams, 1e9 / policy.spec.rate
        if self._lockstep or streams == [names.OBSERVATION]:
            self._join: Join[Any] = ExactJoin(streams)  # each message of a simulator's state is an observation
        else:
            tolerance, memory = round(self.value("tolerance") * 1e9 or period / 2), round(self._max_age * 1e9)
            self._join = NearestJoin(streams, period=round(period), tolerance=tolerance, memory=memory)
        if topic:
            self.subscribe(JointState, topic, lambda message: self._on_state(topic, message), STREAM)
        for camera in cameras:
            qos = STREAM if self._lockstep else LATEST
            self.subscribe(kind, camera, lambda data, topic=camera: self._on_image(topic, data), qos, raw=True)

    def _guard(self, policy: Policy, worker: Worker[Together[Any] | Examination]) -> Gate:
        needs = needs_of(policy, self._state, self.value("images"), self._max_age)
        views = load_views(self.value("bundle")) if self.value("bundle") else {}
        return Gate(self, policy, needs, views, worker.submit)

    def activate(self) -> None:
        """Begin anew with the next observation, if enabled."""
        self._switch.activate()

    def deactivate(self) -> None:
        """Command nothing."""
        self._switch.deactivate()
        self._sender.wait()

    def cleanup(self) -> None:
        """Stop the worker."""
        worker, self._worker = self._worker, None
        if worker is not None and not worker.close(timeout=5.0):
            self.get_logger().warning("inference did not end within 5 s")

    def diagnose(self) -> tuple[bytes, str]:
        """Error while the policy fails, warning while inputs are refused or absent."""
        if self._worker is not None:
            self.counters["observations skipped"] = self._worker.skipped
        if self.active and self._switch.waits and self._gate is not None:
            return WARN, f"no command: {self._gate.reason}"
        if self.active and self._lost:
            return WARN, LOST
        if not self.active or not self._switch.on:
            return OK, "disabled" if self.active else "inactive"
        if self._trouble.error:
            return ERROR, f"no command: {self._trouble.error}"
        patience = math.inf if self._lockstep else self._timeout
        missing = self._join.silence(time.monotonic(), patience) or self._join.apart
        reasons = [reason for reason in (self._trouble.fault, missing) if reason]
        return (WARN, f"no command: {'; '.join(reasons)}") if reasons else (OK, "commanding")

    def facts(self) -> dict[str, str]:
        """Counters, and what the checks found last."""
        return super().facts() | (self._gate.facts() if self.active and self._gate is not None else {})

    # Messages and services ----------------------------------------------------------------------------------

    def _on_state(self, topic: str, message: JointState) -> None:
        if not self._may_command():
            self._overhear(topic, to_ns(message.header.stamp), message)
            return
        try:
            read = self._assembly.read_state(message)
        except MessageRefused as refusal:
            self._trouble.refuse(f"observation refused: {refusal}")
            return
        self._add(topic, read.stamp, read)

    def _on_image(self, topic: str, data: bytes) -> None:
        if self._may_command():
            self._add(topic, stamp_of(data), data)
        else:
            self._overhear(topic, stamp_of(data), data)

    def _may_command(self) -> bool:
        return self.active and self._switch.on

    def _overhear(self, topic: str, stamp: int, message: Any) -> None:
        if self._gate is not None:
            self._gate.hear(topic, stamp, message)

    def _add(self, topic: str, stamp: int, message: Any) -> None:
        together = self._join.add(topic, stamp, message, time.monotonic())
        if together is not None and self._worker is not None:
            try:
                self._check_age(together.stamp)
            except Refused as refusal:
                self._trouble.refuse(f"observation refused: {refusal}")
                return
            self._worker.submit(together)
        apart = self._join.apart
        if apart and not self._apart:
            self._trouble.refuse(apart)
        self._apart = bool(apart)

    def _look(self) -> None:
        if self._supervision.is_lost():
            commands = self._may_command()
            self._switch.off()  # also what was asked for and is still being checked
            if commands:
                self._sender.wait()
                self._lost = True
                self.get_logger().error(LOST)
        self._switch.look()

    async def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        refusal = await self._switch.request(request.data)
        if not request.data:
            self._sender.wait()
        if not refusal:
            self._trouble.clear()
            self._lost = False
        response.success, response.message = not refusal, refusal or ("enabled" if request.data else "disabled")
        return response

    def _begin_anew(self) -> None:
        """Before enabling: what was remembered, and what is being worked on, is of another situation."""
        self._inference.begin_anew()
        if self._worker is not None:
            self._worker.forget()
        self._join.reset()
        self._sender.stop()

    def _check_age(self, stamp: int) -> None:
        if self._lockstep:
            return
        age = (self.get_clock().now().nanoseconds - stamp) / 1e9
        if age > self._max_age:
            raise Refused(f"it is {age:.3f} s old, at most {self._max_age:g} s is allowed")
        if age < -self._max_age:
            raise Refused(f"its stamp lies {-age:.3f} s in the future: synchronize clocks or set use_sim_time")


def _execution(policy: Policy) -> str:
    """What is done with the chunks, in words."""
    if policy.infer_every > 1:
        return f"receding horizon of {policy.infer_every}"
    return "ensembling off" if policy.ensembler.m is None else f"ensembling m = {policy.ensembler.m:g}"


def main() -> int:
    """Console script."""
    return run(PolicyNode)


if __name__ == "__main__":
    raise SystemExit(main())
