"""One attempt at a trial as a machine without a clock of its own: what may happen when, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

ABORTED = "aborted by the operator"
WHY = ": its log and /diagnostics say why"
COMMANDING = 2.0  # periods: who has commanded within them, commands still


class Phase(str, Enum):
    """What an attempt is at."""

    BARRED = "barred"  # somebody stopped the arm: it moves only after a person said that nobody is at it
    PREPARING = "preparing"  # policy off, bundle loaded, arm at its ready pose, scene reset by a simulator
    SCENE = "scene"  # a person puts the scene right
    ENABLING = "enabling"
    RUNNING = "running"
    SCORING = "scoring"  # a person says what it was worth
    SCORED = "scored"
    INVALID = "invalid"


OVER = (Phase.SCORED, Phase.INVALID)


@dataclass(frozen=True)
class Rules:
    """`steps` is the budget (Appendix F: 100). `by_person`: who scores and resets, else the simulator does.

    `stop_at_success`: a simulator's 1 ends the rollout. `first_command` and `silence` [s]: so long may the policy take
    for its first command, and between two of them; beyond that the rollout says nothing about it.
    """

    steps: int = 100
    by_person: bool = False
    stop_at_success: bool = True
    first_command: float = 10.0
    silence: float = 2.0


@dataclass
class Rollout:
    """An attempt with steps at `rate` [Hz]. Times are seconds on any steady clock.

    A step is a control period: they are counted on the clock from the first command on, because a policy that sends
    fewer commands does not get more time.
    """

    rules: Rules
    rate: float
    phase: Phase = Phase.PREPARING
    score: float | None = None
    ended: str = ""  # what ended a scored rollout: budget, success, operator
    reason: str = ""  # why it is invalid
    commands: int = 0
    steps: int = 0
    simulator_score: float | None = None
    _enabled: float = field(default=0.0, repr=False)
    _first: float | None = field(default=None, repr=False)
    _last: float = field(default=0.0, repr=False)

    @property
    def over(self) -> bool:
        """Whether nothing more can happen."""
        return self.phase in OVER

    @property
    def remaining(self) -> int:
        """Steps left of the budget."""
        return max(self.rules.steps - self.steps, 0)

    # Before the policy runs ---------------------------------------------------------------------------------

    def bar(self) -> None:
        """Somebody stopped the arm. That it obeys again shall not make it move: a person has to say so."""
        if self.phase is Phase.PREPARING and self.rules.by_person:
            self.phase = Phase.BARRED

    def is_clear(self) -> bool:
        """A person says that nobody is at the arm; False when that means nothing now."""
        if self.phase is not Phase.BARRED:
            return False
        self.phase = Phase.PREPARING
        return True

    def prepared(self) -> None:
        """The arm is ready, and so is the scene where a simulator resets it."""
        if self.phase is Phase.PREPARING:
            self.phase = Phase.SCENE if self.rules.by_person else Phase.ENABLING

    def scene_is_reset(self) -> bool:
        """A person says so; False when that means nothing now."""
        if self.phase is not Phase.SCENE:
            return False
        self.phase = Phase.ENABLING
        return True

    def enabled(self, now: float) -> None:
        """The policy was enabled."""
        if self.phase is Phase.ENABLING:
            self.phase, self._enabled = Phase.RUNNING, now
            self.simulator_score = None

    # While it runs ------------------------------------------------------------------------------------------

    def command(self, now: float) -> None:
        """The policy commanded the arm. It may begin before its answer that it is enabled comes, and steps count."""
        if self.phase in (Phase.ENABLING, Phase.RUNNING):
            self._first, self._last = now if self._first is None else self._first, now
            self.commands += 1

    def simulator_says(self, score: float) -> None:
        """A simulator's score, the best since its reset. Within the budget it counts."""
        if self.phase is Phase.RUNNING and self.remaining:
            self.simulator_score = score

    def look(self, now: float, fault: str = "") -> None:
        """Time has passed; `fault` is what is wrong with the robot or the policy, if anything is."""
        if self.phase is not Phase.RUNNING:
            return
        self._count(now)
        success = not self.rules.by_person and self.rules.stop_at_success and self.simulator_score == 1.0
        if success:
            self._end("success")
        elif fault:
            self.invalidate(fault)
        elif self.steps >= self.rules.steps and now - self._last <= COMMANDING / self.rate:
            self._end("budget")  # else it may have died before the end: its next command, or `silence`, tells
        elif self._first is None and now - self._enabled > self.rules.first_command:
            self.invalidate(f"the policy sent no command within {self.rules.first_command:g} s{WHY}")
        elif self._first is not None and now - self._last > self.rules.silence:
            self.invalidate(f"the policy sent no command for {self.rules.silence:g} s{WHY}")

    def _count(self, now: float) -> None:
        if self._first is not None:
            self.steps = min(int((now - self._first) * self.rate + 1e-6), self.rules.steps)

    def _end(self, why: str) -> None:
        self.ended = why
        if self.rules.by_person:
            self.phase = Phase.SCORING
        elif self.simulator_score is None:
            self.invalidate("the simulator published no score")
        else:
            self.phase, self.score = Phase.SCORED, self.simulator_score

    # What people say ----------------------------------------------------------------------------------------

    def person_says(self, score: float, now: float) -> bool:
        """A person's score, which also ends a rollout that still runs; False when that means nothing now.

        A policy that has not commanded anything yet cannot have done anything either.
        """
        began = self.phase is Phase.SCORING or (self.phase is Phase.RUNNING and self.commands > 0)
        if not (self.rules.by_person and began):
            return False
        if self.phase is Phase.RUNNING:
            self._count(now)
            self.ended = "operator"
        self.phase, self.score = Phase.SCORED, score
        return True

    def abort(self, now: float, why: str = ABORTED) -> bool:
        """A person stopped it. He scores what ran, because a policy that must be stopped has failed; what did not run
        yet, or runs without a person who scores, is repeated. False when nothing is left to stop.
        """
        if self.phase is Phase.RUNNING and self.rules.by_person:
            self._count(now)
            self.phase, self.ended = Phase.SCORING, why
            return True
        if self.over or self.phase is Phase.SCORING:
            return False
        self.invalidate(why)
        return True

    def invalidate(self, reason: str) -> None:
        """It says nothing about the policy, and must be repeated."""
        if not self.over:
            self.phase, self.reason, self.score = Phase.INVALID, reason, None
