"""Smooth random motion for environments without a scripted expert."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_core.operators.base import RECIPES, check_kind, operator_rng
from clam_core.spec import Observation

CORRELATION = 0.9  # of one action with the next


class SmoothRandomOperator:
    """First-order filtered noise within the action limits; what it does not depend on is the observation."""

    ENV = "gym"

    def __init__(self, task: str, kind: str) -> None:
        if check_kind(kind) == "expert":
            raise ClamError(f"{self.ENV} '{task}' has no scripted expert; use kind 'mixed' or 'play'")
        environment = make_env(self.ENV, task)
        limits = environment.spec.action
        environment.close()
        self._low, self._high = np.asarray(limits.low), np.asarray(limits.high)
        self._kind = kind
        self.recipe = RECIPES[kind]
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Operator.reset`."""
        self._rng = operator_rng(seed, self._kind)
        self._scale = self._rng.uniform(self.recipe.noise_low, self.recipe.noise_high)
        self._value = self._rng.standard_normal(self._low.shape)

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """See `Operator.act`."""
        del observation
        fresh = self._rng.standard_normal(self._low.shape)
        self._value = CORRELATION * self._value + np.sqrt(1.0 - CORRELATION**2) * fresh
        unit = np.clip(self._scale * self._value, -1.0, 1.0)
        return np.asarray(self._low + (unit + 1.0) / 2.0 * (self._high - self._low))


class SmoothRandomDmControl(SmoothRandomOperator):
    """The same for tasks of the DeepMind Control Suite."""

    ENV = "dmcontrol"
