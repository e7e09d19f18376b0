"""An environment as numbered episodes, and what to do with a tick that no command came for. No ROS here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clam_core.envs import Environment
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, Observation

Vector = npt.NDArray[np.float64]

MODES = ("lockstep", "realtime")
ON_MISSING = ("hold", "zero")


@dataclass(frozen=True)
class Frame:
    """What is published after a reset (step 0) or a step: the state ``(D,)``, the cameras' images ``(H, W, 3)`` and
    how the transition into it went.
    """

    episode: int
    step: int
    seed: int
    state: Vector
    reward: float
    episode_return: float
    success: bool
    done: bool
    images: Observation = field(default_factory=dict)

    def observation_values(self) -> Vector:
        """State and in-band episode fields ``(D + 2,)``."""
        return np.concatenate([self.state, (self.episode, self.step)])

    def status_values(self) -> tuple[float, ...]:
        """In the order of `clam_ros.names.STATUS_FIELDS`."""
        return (
            *(self.episode, self.step, self.seed, self.reward),
            *(self.episode_return, float(self.success), float(self.done)),
        )


class Simulation:
    """Steps an environment and numbers its episodes from 0."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.frame: Frame | None = None

    @property
    def running(self) -> bool:
        """An episode has begun and its step budget is not used up."""
        return self.frame is not None and not self.frame.done

    def reset(self, seed: int) -> Frame:
        """Begin the next episode, whatever became of the last one."""
        state, images = _split(self.environment.reset(seed))
        episode = 0 if self.frame is None else self.frame.episode + 1
        self.frame = Frame(episode, 0, seed, state, 0.0, 0.0, success=False, done=False, images=images)
        return self.frame

    def step(self, action: Vector) -> Frame:
        """One step with `action` ``(A,)`` inside its limits; only while `running`."""
        assert self.frame is not None
        last, step = self.frame, self.environment.step(action)
        state, images = _split(step.observation)
        self.frame = Frame(
            episode=last.episode,
            step=last.step + 1,
            seed=last.seed,
            state=state,
            reward=step.reward,
            episode_return=last.episode_return + step.reward,
            success=step.success,
            done=step.done,
            images=images,
        )
        return self.frame


def _split(observation: Observation) -> tuple[Vector, Observation]:
    return observation["state"], {name: image for name, image in observation.items() if name != "state"}


class PendingCommand:
    """The newest command between two realtime ticks. `on_missing`: repeat the last one (hold), or zero.

    Before the first command of an episode, to hold is to stay: where actions are positions that the state has by the
    same name (the kitchen's), it repeats those that the episode began with. Other actions are then zero.

    Raises:
        ClamError: `on_missing` is zero and actions are positions: zero would move the arm.
    """

    def __init__(self, spec: EnvironmentSpec, on_missing: str) -> None:
        entries = {name: index for index, name in enumerate(spec.observation.names)}
        #: Place of each action in the state, None where it is no position of it.
        self._positions = [entries.get(name) for name in spec.action.names]
        places = [name for name in spec.action.names if name in entries]
        if on_missing == "zero" and places:
            raise ClamError(
                f"on_missing_command 'zero' would move {', '.join(places)} of {spec.env} {spec.task} to 0: "
                "its actions are positions, use 'hold'"
            )
        self._zero = np.zeros(len(spec.action.names))
        self._on_missing = on_missing
        self._last, self._fresh = self._zero, False

    def reset(self, state: Vector) -> None:
        """A new episode, which begins with `state` ``(D,)``."""
        self._last = np.array([0.0 if index is None else state[index] for index in self._positions])
        self._fresh = False

    def put(self, action: Vector) -> None:
        """A command came; the newest wins."""
        self._last, self._fresh = action, True

    def take(self) -> tuple[Vector, bool]:
        """The action ``(A,)`` of this tick, and whether a command came for it."""
        action = self._last if self._fresh or self._on_missing == "hold" else self._zero
        fresh, self._fresh = self._fresh, False
        return action, fresh
