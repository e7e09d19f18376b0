"""Commands between a policy's answers: the newest plan goes on, so that a slow policy still commands. No ROS here."""

from __future__ import annotations

import threading

from clam_policy.policy_runner import Answer, Command, Refused

PATIENCE = 0.25  # of a period that an answer may come later than the one before until the plan goes on without it


class Playout:
    """*When*: an answer's command at once, and without an answer one in each `period` [ns] after the last command.
    *What*: the action of the step that the moment lies in, counted from the observation's stamp, so that delays never
    replay the past.

    Answers come from the thread that infers, `take` is called by that of the timer. Times are ROS time [ns].
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._next = 0

    def start(self, answer: Answer, now: int) -> Command:
        """An answer came: the command that is due `now`, and from here on its plan counts.

        Raises:
            Refused: the answer comes after the end of its own plan; then there is no plan any more.
        """
        with self._lock:
            self._answer = None
            command = answer.command_at(now)
            self._answer = answer
            self._next = now + round((1 + PATIENCE) * self._period)
            return command

    def take(self, now: int) -> Command | None:
        """The command that is due `now` because no answer came in time; None while none is, or without a plan.

        Raises:
            Refused: the plan is used up; said once.
        """
        with self._lock:
            if self._answer is None or now < self._next:
                return None
            answer, self._answer = self._answer, None
            try:
                command = answer.command_at(now)
            except Refused:
                raise Refused(f"the plan of {len(answer.plan)} steps is used up and no new answer came") from None
            self._answer = answer
            self._next = max(self._next + self._period, now + self._period // 2)
            return command

    def stop(self) -> None:
        """Forget the plan."""
        with self._lock:
            self._answer = None
