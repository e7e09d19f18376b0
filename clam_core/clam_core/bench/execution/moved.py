"""An object that is put elsewhere during an episode, and how soon the commands show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clam_core.envs.base import Environment, Step
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, Observation

Vector = npt.NDArray[np.float64]


class Movable(Environment, Protocol):
    """An environment whose block can be put elsewhere."""

    def move_block(self, offset: Vector) -> Observation:
        """Put it `offset` ``(2,)`` [m] further along x and y; what is then observed.

        Raises:
            ClamError: it cannot be put there now; then nothing was moved.
        """


class MovedBlock:
    """`environment`, with its block moved after `step` ≥ 1 actions: that step's observation is the first to show it.

    `offset` says from that step's observation how far, ``(2,)`` [m]. Where the block cannot be moved, the episode ends
    there, and `refusal` says why.
    """

    def __init__(self, environment: Movable, step: int, offset: Callable[[Observation], Vector]) -> None:
        self._environment = environment
        self._step = step
        self._offset = offset
        self._steps = 0
        self.offset: Vector | None = None  # of this episode's move; None before it
        self.refusal: str | None = None

    @property
    def spec(self) -> EnvironmentSpec:
        """See `Environment`."""
        return self._environment.spec

    def reset(self, seed: int) -> Observation:
        """See `Environment`."""
        self._steps, self.offset, self.refusal = 0, None, None
        return self._environment.reset(seed)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment`. Reward and success of the step are those of before the move."""
        result = self._environment.step(action)
        self._steps += 1
        if self._steps != self._step:
            return result
        offset = self._offset(result.observation)
        try:
            observation = self._environment.move_block(offset)
        except ClamError as error:
            self.refusal = str(error)
            return replace(result, done=True)
        self.offset = offset
        return replace(result, observation=observation)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment`."""
        return self._environment.render(height, width, camera)

    def close(self) -> None:
        """See `Environment`."""
        self._environment.close()


def departure(commanded: Vector, undisturbed: Vector, step: int, distance: float) -> int | None:
    """The first step from `step` on whose place ``(T, 3)`` [m] is more than `distance` [m] from its twin's; None: none.

    `undisturbed` may be longer.
    """
    apart = np.linalg.norm(commanded - undisturbed[: len(commanded)], axis=1)
    departed = np.flatnonzero(apart[step:] > distance)
    return step + int(departed[0]) if len(departed) else None
