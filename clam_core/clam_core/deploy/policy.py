"""The policy runtime: observation in, action out (Algorithm 2). The same code offline, in simulation, on the robot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clam_core.deploy.ensembling import TemporalEnsembler
from clam_core.errors import ClamError
from clam_core.models.actor import Actor
from clam_core.spec import EnvironmentSpec, Observation


class Policy:
    """An `Actor` with the memory of an episode: the previous observation, and the chunks predicted so far."""

    def __init__(
        self,
        actor: Actor,
        spec: EnvironmentSpec,
        device: torch.device,
        ensembling_m: float | None,
        provenance: dict[str, Any],
    ) -> None:
        self.spec = spec
        self.provenance = provenance
        self.chunk = actor.config.chunk
        self.ensembler = TemporalEnsembler(self.chunk, ensembling_m)
        self._actor = actor.to(device).eval()
        self._device = device
        self._previous: Tensor | None = None
        self._step = 0

    def shorten_chunk(self, chunk: int) -> None:
        """Use only the first `chunk` of the K predicted actions.

        Raises:
            ClamError: not between 1 and K.
        """
        if not 1 <= chunk <= self.chunk:
            raise ClamError(f"chunk {chunk} asked for, this bundle predicts {self.chunk}: choose 1 to {self.chunk}")
        self.chunk = chunk
        self.ensembler = TemporalEnsembler(chunk, self.ensembler.m)

    def reset(self) -> None:
        """Forget the episode."""
        self.ensembler.reset()
        self._previous = None
        self._step = 0

    @torch.inference_mode()
    def predict_chunk(self, observation: Observation) -> npt.NDArray[np.float64]:
        """Actions for this step and the K−1 after it, clipped to the limits ``(K, A)``; call once per step.

        Raises:
            ClamError: the state has another size than the policy was trained with.
        """
        state = observation["state"]
        expected = len(self.spec.observation.names)
        if state.shape != (expected,):
            raise ClamError(f"state has shape {state.shape}, this policy takes ({expected},): {self.spec.task}")
        current = torch.as_tensor(state, dtype=torch.float32, device=self._device)[None]
        chunk = self._actor(current, current if self._previous is None else self._previous)
        self._previous = current
        return self.spec.action.clip(chunk[0, : self.chunk].double().cpu().numpy())

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """The action of this step ``(A,)``: predict a chunk, then ensemble."""
        self.ensembler.add(self._step, self.predict_chunk(observation))
        action = self.ensembler.action_at(self._step)
        self._step += 1
        return action
