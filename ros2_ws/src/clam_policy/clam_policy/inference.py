"""What the worker's thread does: observations become answers, which are sent if they are still wanted then."""

from __future__ import annotations

import time
from typing import Any

from clam_policy.assembly import Assembly
from clam_policy.gate import Examination
from clam_policy.observation_join import Together
from clam_policy.policy_runner import PolicyRunner, Refused
from clam_policy.sender import Sender
from clam_policy.trouble import Trouble
from clam_ros.node import Node


class Inference:
    """`work` and `failed` are for the worker's thread, `begin_anew` is for the executor's."""

    def __init__(self, node: Node, runner: PolicyRunner, assembly: Assembly, sender: Sender, trouble: Trouble) -> None:
        self._node, self._runner, self._assembly, self._sender, self._trouble = node, runner, assembly, sender, trouble
        self._forget, self._begun = False, 0

    def begin_anew(self) -> None:
        """What is remembered, and what is being worked on, is of another situation."""
        self._begun += 1
        self._forget = True

    def work(self, item: Together[Any] | Examination) -> None:
        """Answer an observation, or look into what the gate wants to know."""
        if isinstance(item, Examination):
            item.run()
        else:
            self._infer(item)

    def failed(self, error: Exception) -> None:
        """The policy itself failed: say it, forget the episode, go on with the next observation."""
        if not self._node.context.ok():
            return  # shut down under the inference
        self._sender.stop()
        self._forget = True
        self._trouble.fail(error)

    def _infer(self, together: Together[Any]) -> None:
        begun = self._begun
        if self._forget:
            self._forget = False
            self._runner.reset()
        begin = time.perf_counter()
        try:
            answer = self._runner.answer(self._assembly.sample(together))
            if not self._sender.follow(answer, lambda: begun == self._begun):
                self._forget = True
                return  # disabled during inference, and perhaps enabled again
        except Refused as refusal:
            self._sender.stop()
            self._trouble.refuse(str(refusal))
            return
        self._trouble.clear()
        if answer.chunk is not None:
            self._node.counters["inference last [us]"] = round((time.perf_counter() - begin) * 1e6)
