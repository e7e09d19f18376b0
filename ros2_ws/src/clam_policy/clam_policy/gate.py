"""What stands between a policy and its first command: the checks of `clam doctor BUNDLE`, on what the node hears."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sensor_msgs.msg import JointState

from clam_core.deploy import Policy
from clam_core.deploy.camera_view import CameraView
from clam_core.doctor.bundle import examine
from clam_core.doctor.finding import Check, Finding, first_failure, run_checks
from clam_core.doctor.heard import Needs
from clam_policy.bundle_check import take, understand, window_of
from clam_policy.hearing import Hearing
from clam_ros import names
from clam_ros.node import Node
from clam_ros.qos import LATEST
from clam_ros.stamps import to_ns
from clam_ros.throttle import Throttle
from clam_ros.waiting import sleep

PATIENCE = 60.0  # [s] for the checks of one moment: a first inference takes its time
POLL = 0.05  # [s]
UNASKED = "the checks were not done: the policy commands already, or was deactivated"
RETRY, REST = 1.0, 3.0  # [s] between checks of a policy that waits, and how much longer than the checks at least


class Examination:
    """The checks of one moment, made on another thread by `run`; `findings` are None until that has ended."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.begun = time.monotonic()
        self.findings: list[Finding] | None = None

    def run(self) -> None:
        """Look into it."""
        self.findings = run_checks([self._check])

    @property
    def failure(self) -> str:
        """The first finding that fails; empty if none does, and while none is known."""
        return first_failure(self.findings or ())


class Gate:
    """Hears what the policy would as long as that is not enabled, and has it examined. Used by the executor's thread.

    `submit` hands an examination to the thread that infers, as the policy is asked too. `reason` says why the policy
    may not begin yet.
    """

    def __init__(
        self,
        node: Node,
        policy: Policy,
        needs: Needs,
        views: Mapping[str, CameraView],
        submit: Callable[[Examination], None],
    ) -> None:
        self._node, self._policy, self._needs, self._views, self._submit = node, policy, needs, views, submit
        self._arm = "" if needs.state_topic == names.JOINT_STATES else names.JOINT_STATES
        self._hearing = Hearing([*needs.types, *([self._arm] if self._arm else [])], window_of(needs))
        self._arm_subscription: Any = None
        self._current: Examination | None = None
        self._listening = False
        self._next = 0.0  # when a policy that waits is examined again
        self.findings: list[Finding] = []
        self.reason = self._said = ""
        self._throttle = Throttle()

    def open(self) -> None:
        """Listen no more: from here on nothing but the policy hears."""
        self._listening, self._current, self.reason = False, None, ""
        if self._arm_subscription is not None:
            self._node.destroy_subscription(self._arm_subscription)
            self._arm_subscription = None

    def close(self) -> None:
        """Listen anew."""
        self.open()
        self._listening = True
        self._next = 0.0
        self._hearing.begin(time.monotonic())
        self.reason = f"looking at the graph for {self._hearing.window:g} s before the first command"
        if self._arm:  # the policy does not look at the arm's joints, but it commands them
            self._arm_subscription = self._node.create_subscription(
                JointState,
                self._arm,
                lambda message: self.hear(self._arm, to_ns(message.header.stamp), message),
                LATEST,
            )

    def hear(self, topic: str, stamp: int, message: Any) -> None:
        """A message came."""
        if self._listening:
            arrival = self._node.get_clock().now().nanoseconds
            self._hearing.hear(topic, stamp, arrival, message, time.monotonic())

    def passes(self) -> bool:
        """Whether the newest examination found nothing that fails; to be asked again and again, never waits."""
        current, now = self._current, time.monotonic()
        if current is None or now - current.begun > PATIENCE:
            if now >= self._next and not self._hearing.missing(now):
                self._examine()
            return False
        if current.findings is None:
            return False
        self._current, self.findings = None, current.findings
        self._next = now + max(RETRY, REST * (now - current.begun))
        failure = current.failure
        about = failure.partition(":")[0]  # numbers differ each time
        if failure and about != self._said:
            self._throttle.say(self._node.get_logger().warning, f"not enabled yet: {failure}")
        self.reason, self._said = failure, about
        return not failure

    async def failure(self) -> str:
        """What fails now, in one line; empty if nothing does. Lets the executor work while that is found out.

        It ends early when it is no longer asked for: once `open`, the policy commands, or the node is not active.
        """
        begun = time.monotonic()
        while self._listening and self._hearing.missing(time.monotonic()):
            await sleep(self._node, POLL)
        if not self._listening:
            return UNASKED
        examination = self._examine()
        while self._is_awaited(examination) and time.monotonic() - begun < PATIENCE:
            await sleep(self._node, POLL)
        if self._current is not examination and examination.findings is None:
            return UNASKED
        if examination.findings is None:
            return f"the policy gave no answer within {PATIENCE:g} s: is its device busy?"
        self.findings = examination.findings
        return examination.failure

    def _is_awaited(self, examination: Examination) -> bool:
        return examination is self._current and examination.findings is None

    def facts(self) -> dict[str, str]:
        """What was found last, for diagnostics."""
        return {f"check {finding.about}": f"{finding.level}: {finding.text}" for finding in self.findings}

    def _examine(self) -> Examination:
        """An examination of what was heard up to now, or the one that is under way."""
        current = self._current
        if current is not None and current.findings is None and time.monotonic() - current.begun < PATIENCE:
            return current
        policy, needs, views = self._policy, self._needs, self._views
        moment = take(self._node, needs, self._hearing, own_commanders=1)

        def bundle() -> list[Finding]:
            heard, observation = understand(policy, needs, moment)
            return examine(needs, heard, policy, views, observation)

        self._current = current = Examination(bundle)
        self._submit(current)
        return current
