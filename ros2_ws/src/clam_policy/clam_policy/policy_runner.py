"""A policy on a stream of stamped observations that may repeat, come late, jump or be broken. No ROS here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clam_core.deploy import TemporalEnsembler
from clam_core.spec import Observation

Vector = npt.NDArray[np.float64]


class ChunkPolicy(Protocol):
    """What the runner needs of `clam_core.deploy.Policy`."""

    @property
    def chunk(self) -> int: ...
    @property
    def ensembler(self) -> TemporalEnsembler: ...
    @property
    def infer_every(self) -> int: ...
    def reset(self) -> None: ...
    def observe(self, observation: Observation) -> None: ...
    def predict_chunk(self, observation: Observation) -> Vector: ...


class Refused(Exception):
    """No command for this observation; says why in one line."""


@dataclass(frozen=True)
class Sample:
    """One observation: `stamp` [ns], state ``(D,)``, episode index and step (None on a robot), and the images
    ``(H, W, 3)`` of the cameras that the policy looks through.
    """

    stamp: int
    state: Vector
    episode: int | None = None
    step: int | None = None
    images: Observation = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """What to do in the step of `stamp` [ns]: action ``(A,)``."""

    stamp: int
    action: Vector


@dataclass(frozen=True)
class Answer:
    """Answer to the observation of `stamp` [ns]: the chunk ``(K, A)`` if one was predicted, and the plan: after
    ensembling, the action of the observation's step and of those after it, `period` [ns] apart.
    """

    stamp: int
    chunk: Vector | None
    plan: Vector
    period: int

    @property
    def command(self) -> Command:
        """For the step of the observation."""
        return Command(self.stamp, self.plan[0])

    def command_at(self, now: int) -> Command:
        """For the step that `now` [ns] lies in.

        Raises:
            Refused: it lies behind the plan.
        """
        late = max(0, (now - self.stamp) // self.period)
        if late >= len(self.plan):
            raise Refused(f"the answer is {late} steps late, the plan has {len(self.plan)}")
        return Command(self.stamp + late * self.period, self.plan[late])


class PolicyRunner:
    """Decides when an episode begins and which step an observation is; plans the actions of the steps from there.

    Steps are counted with stamps, round((stamp − first) · rate), so a chunk that comes late still lands on
    the steps it was predicted for. `gap` [s] without an observation begins a new episode; None where time is
    simulated in lockstep.

    A repeated stamp gets the same answer and does not advance the policy. Used by one thread.
    """

    def __init__(self, policy: ChunkPolicy, size: int, actions: int, rate: float, gap: float | None) -> None:
        self.policy = policy
        self._size = size
        self._actions = actions
        self._rate = rate
        self._period = round(1e9 / rate)
        self._gap = None if gap is None else round(gap * 1e9)
        self._last: Sample | None = None
        self._answer: Answer | None = None
        self._first = 0
        self._inferred: int | None = None  # step of the newest chunk
        self.resets = 0

    def reset(self) -> None:
        """Forget the episode; the next observation begins a new one."""
        self.policy.reset()
        self._last = self._answer = self._inferred = None
        self.resets += 1

    def answer(self, sample: Sample) -> Answer:
        """The answer to `sample`; in lockstep its plan is one step long.

        Raises:
            Refused: the state is not finite or out of order, or the policy's output is unusable.
        """
        if sample.state.shape != (self._size,):
            raise Refused(f"state has shape {sample.state.shape}, the policy takes ({self._size},)")
        if not np.isfinite(sample.state).all():
            raise Refused(f"{int((~np.isfinite(sample.state)).sum())} of {self._size} state values are not finite")
        if self._begins_episode(sample):
            self.reset()
            self._first = sample.stamp
        elif self._last is not None and sample.stamp < self._last.stamp:
            late = (self._last.stamp - sample.stamp) / 1e9
            raise Refused(f"observation is {late:.3f} s older than the one before")
        if self._answer is None or self._answer.stamp != sample.stamp:
            self._answer = self._predict(sample)
        return self._answer

    def _begins_episode(self, sample: Sample) -> bool:
        last = self._last
        if last is None or sample.episode != last.episode:
            return True
        if sample.step == 0 and sample.stamp != last.stamp:
            return True  # the simulator was started anew and counts from 0 again
        return self._gap is not None and abs(sample.stamp - last.stamp) > self._gap

    def _predict(self, sample: Sample) -> Answer:
        self._last = sample
        step = self._step_of(sample.stamp)
        observation = {"state": sample.state, **sample.images}
        chunk = None
        if self._due(step):
            chunk = self._chunk(observation, step)
        else:
            self.policy.observe(observation)
        ensembler, ahead = self.policy.ensembler, self.policy.chunk - (step - (self._inferred or 0))
        plan = [ensembler.action_at(step + later) for later in range(1 if self._gap is None else ahead)]
        return Answer(sample.stamp, chunk, np.stack(plan), self._period)

    def _due(self, step: int) -> bool:
        """Whether a new chunk is: after a skipped observation perhaps later than planned."""
        every = self.policy.infer_every
        return every == 1 or self._inferred is None or step - self._inferred >= every

    def _chunk(self, observation: Observation, step: int) -> Vector:
        chunk = np.asarray(self.policy.predict_chunk(observation), dtype=np.float64)
        expected = (self.policy.chunk, self._actions)
        problem = f"shape {chunk.shape} instead of {expected}" if chunk.shape != expected else ""
        if not problem and not np.isfinite(chunk).all():
            problem = "numbers that are not finite"
        if problem:
            self.reset()  # whatever the policy remembers may be broken too
            raise Refused(f"the policy gave {problem}")
        self.policy.ensembler.add(step, chunk)
        self._inferred = step
        return chunk

    def _step_of(self, stamp: int) -> int:
        return round((stamp - self._first) / 1e9 * self._rate)
