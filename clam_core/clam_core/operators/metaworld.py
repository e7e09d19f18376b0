"""Meta-World's scripted policies, made noisy by the recipe of the kind."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from metaworld.policies import ENV_POLICY_MAP

from clam_core.envs.metaworld import ACTION, STATE_NAMES, task_name
from clam_core.errors import ClamError
from clam_core.operators.base import RECIPES, check_kind, operator_rng
from clam_core.spec import Observation

_OBJECT = slice(STATE_NAMES.index("object0_x"), STATE_NAMES.index("object0_x") + 3)
_GOAL = slice(-3, None)
_IS_MOTION = np.array([name != "gripper" for name in ACTION.names], dtype=np.float64)

#: Tasks that are solved although the goal is displaced: play reaches beside the object too, to fail sometimes.
_GOAL_IS_THE_OBJECT = frozenset(
    {
        *("button-press", "button-press-topdown", "button-press-topdown-wall", "button-press-wall", "coffee-button"),
        *("door-close", "door-open", "door-unlock", "drawer-close", "faucet-close", "faucet-open"),
        *("handle-press", "handle-press-side", "window-close", "window-open"),
    }
)
OBJECT_OFFSET = 0.1  # metres


class MetaWorldOperator:
    """Scripted operator of one task; its policy reads the 39 state entries of `clam_core.envs.metaworld`."""

    def __init__(self, task: str, kind: str) -> None:
        self._policy: Any = ENV_POLICY_MAP[f"{task_name(task)}-v3"]()
        self._kind = check_kind(kind)
        self.recipe = RECIPES[kind]
        if kind == "play" and task_name(task) in _GOAL_IS_THE_OBJECT:
            self.recipe = replace(self.recipe, object_offset=OBJECT_OFFSET)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Operator.reset`."""
        self._rng = operator_rng(seed, self._kind)
        self._noise = self._rng.uniform(self.recipe.noise_low, self.recipe.noise_high)
        self._segment_probability = self._rng.choice(self.recipe.segment_probabilities)
        offset = self.recipe.goal_offset
        self._goal_offset = np.append(self._rng.uniform(-offset, offset, 2), 0.0)
        self._object_offset = np.zeros(3)
        if self.recipe.object_offset:
            self._object_offset = self._rng.uniform(-self.recipe.object_offset, self.recipe.object_offset, 3)
        self._held: npt.NDArray[np.float64] | None = None
        self._step = 0

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """See `Operator.act`.

        Raises:
            ClamError: the state does not have Meta-World's 39 entries.
        """
        state = np.asarray(observation["state"], dtype=np.float64)
        if state.shape != (len(STATE_NAMES),):
            raise ClamError(f"state of shape {state.shape}; a Meta-World operator reads {len(STATE_NAMES)} entries")
        size = len(ACTION.names)
        if self._step % self.recipe.segment_length == 0:
            random_segment = self._rng.random() < self._segment_probability
            self._held = self._rng.uniform(ACTION.low, ACTION.high) if random_segment else None
        self._step += 1
        noise = self._noise * self._rng.standard_normal(size) * _IS_MOTION
        if self._held is not None:
            return self._held.copy()
        state = state.copy()
        state[_OBJECT] += self._object_offset
        state[_GOAL] += self._goal_offset
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the policies warn at every step that their output will be clipped
            action = self._policy.get_action(state)
        return ACTION.clip(np.asarray(action, dtype=np.float64) + noise)
