"""Chunks and commands on their way out: an answer's at once, and between answers what its plan holds for now."""

from __future__ import annotations

import threading
from collections.abc import Callable

from trajectory_msgs.msg import JointTrajectory

from clam_core.deploy import Policy
from clam_policy.playout import Playout
from clam_policy.policy_runner import Answer, Command, Refused
from clam_policy.trouble import Trouble
from clam_ros import names
from clam_ros.messages import ChunkWriter, CommandWriter
from clam_ros.node import Node
from clam_ros.qos import STREAM

LOOKS = 8  # per control period at whether the plan must go on without an answer


class Sender:
    """`may_command` says whether the policy is on. The thread that infers calls `follow`, the executor's all else."""

    def __init__(
        self, node: Node, policy: Policy, trouble: Trouble, may_command: Callable[[], bool], *, lockstep: bool
    ) -> None:
        spec = policy.spec
        self._node, self._trouble, self._may_command, self._lockstep = node, trouble, may_command, lockstep
        self._chunk_writer = ChunkWriter(spec.action.names, policy.chunk, spec.rate)
        self._command_writer = CommandWriter(spec.action.names)
        self._chunk_publisher = node.publish(JointTrajectory, names.ACTION_CHUNK, STREAM)
        self._command_publisher = node.publish(JointTrajectory, names.COMMAND, STREAM)
        self._playout = Playout(round(1e9 / spec.rate))
        self._sending = threading.Lock()
        if not lockstep and policy.chunk > 1:
            node.every(1.0 / (LOOKS * spec.rate), self._play_out)

    def follow(self, answer: Answer, still_asked: Callable[[], bool]) -> bool:
        """Command what is due of a new answer; False if the policy was switched off meanwhile, or nobody asks for it.

        Raises:
            Refused: the answer comes after the end of its own plan.
        """
        with self._sending:
            if not (self._may_command() and still_asked()):
                return False
            now = self._node.get_clock().now().nanoseconds
            command = answer.command if self._lockstep else self._playout.start(answer, now)
            if answer.chunk is not None and self._chunk_publisher.get_subscription_count():
                self._chunk_publisher.publish(self._chunk_writer.message(answer.stamp, answer.chunk))
            self._send(command)
            return True

    def stop(self) -> None:
        """Forget the plan; by either thread."""
        self._playout.stop()

    def wait(self) -> None:
        """A command that is on its way out goes before anybody is told that none will come."""
        with self._sending:
            pass

    def _play_out(self) -> None:
        if not self._may_command():
            return
        try:
            with self._sending:
                command = self._playout.take(self._node.get_clock().now().nanoseconds)
                if command is not None:
                    self._send(command)
                    self._node.counters["commands played out"] += 1
        except Refused as refusal:
            self._trouble.refuse(str(refusal))

    def _send(self, command: Command) -> None:
        """By either thread, which holds `_sending`."""
        self._command_publisher.publish(self._command_writer.message(command.stamp, command.action))
        self._node.counters["commands"] += 1
