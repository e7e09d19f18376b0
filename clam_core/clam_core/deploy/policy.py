"""The policy runtime: observation in, action out (Algorithm 2). The same code offline, in simulation, on the robot."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clam_core.deploy.ensembling import TemporalEnsembler
from clam_core.errors import ClamError
from clam_core.models.actor import Actor
from clam_core.models.images import in_unit_range, resize, stack_frames
from clam_core.spec import EnvironmentSpec, Observation


class Policy:
    """An `Actor` with the memory of an episode: the previous observation, the last frames, the chunks so far."""

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
        self.chunk = actor.config.policy.chunk
        self.ensembler = TemporalEnsembler(self.chunk, ensembling_m)
        self._actor = actor.to(device).eval()
        self._device = device
        self._previous: Tensor | None = None
        self._image = actor.config.image
        self._frames: deque[Tensor] = deque(maxlen=self._image.frame_stack if self._image else 1)
        self._step = 0
        self.infer_every = 1  # steps; see `execute`

    @property
    def actor(self) -> Actor:
        """The network; in evaluation mode, on `device`."""
        return self._actor

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self._device

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that this policy looks through."""
        return self._image.cameras if self._image else ()

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state entries that the networks look at, in the spec's order; the others may be any finite number."""
        config = self._actor.config
        if config.image and not config.policy.use_state and config.policy.encoder != "idm":
            return ()
        used = {*config.select, *(index for index in config.minus if index >= 0)}
        return tuple(name for index, name in enumerate(self.spec.observation.names) if index in used)

    def shorten_chunk(self, chunk: int) -> None:
        """Use only the first `chunk` of the K predicted actions.

        Raises:
            ClamError: not between 1 and K.
        """
        if not 1 <= chunk <= self.chunk:
            raise ClamError(f"chunk {chunk} asked for, this bundle predicts {self.chunk}: choose 1 to {self.chunk}")
        self.chunk, self.infer_every = chunk, min(chunk, self.infer_every)
        self.ensembler = TemporalEnsembler(chunk, self.ensembler.m)

    def execute(self, ensembling_m: float | None, infer_every: int = 1) -> None:
        """How `act` uses the chunks: predict one at every `infer_every`-th step, and ensemble with `ensembling_m`.

        With None the newest chunk is followed, so (None, k) is plain receding horizon, k actions of a chunk and then
        the next chunk, and (None, 1) is no chunking. A bundle begins with its own m and a chunk at every step.

        Raises:
            ClamError: `infer_every` is not between 1 and K.
        """
        if not 1 <= infer_every <= self.chunk:
            raise ClamError(
                f"{infer_every} actions of a chunk asked for, it has {self.chunk}: choose from 1 to {self.chunk}"
            )
        self.ensembler, self.infer_every = TemporalEnsembler(self.chunk, ensembling_m), infer_every

    def reset(self) -> None:
        """Forget the episode."""
        self.ensembler.reset()
        self._previous = None
        self._frames.clear()
        self._step = 0

    @torch.inference_mode()
    def predict_chunk(self, observation: Observation) -> npt.NDArray[np.float64]:
        """Actions for this step and the K−1 after it, clipped to the limits ``(K, A)``.

        Call this or `observe` once per step.

        Raises:
            ClamError: the state or an image has another size than the policy was trained with, or is missing.
        """
        chunk = self._actor(*self._look(observation))
        return self.spec.action.clip(chunk[0, : self.chunk].double().cpu().numpy())

    def observe(self, observation: Observation) -> None:
        """Only remember an observation: the next chunk needs the frames and the state of the steps between.

        Raises:
            ClamError: as `predict_chunk`.
        """
        self._look(observation)

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """The action of this step ``(A,)``: predict a chunk where one is due (see `execute`), then ensemble."""
        if self._step % self.infer_every == 0:
            self.ensembler.add(self._step, self.predict_chunk(observation))
        else:
            self.observe(observation)
        action = self.ensembler.action_at(self._step)
        self._step += 1
        return action

    def _look(self, observation: Observation) -> tuple[Tensor, Tensor, Tensor | None]:
        """The actor's input, o_t, o_{t−1} and images; both observations are remembered for the next step."""
        if "state" not in observation:
            raise ClamError(f"the observation has no 'state', it has: {', '.join(observation) or 'nothing'}")
        state = np.asarray(observation["state"])
        expected = len(self.spec.observation.names)
        if state.shape != (expected,):
            raise ClamError(f"state has shape {state.shape}, this policy takes ({expected},): {self.spec.task}")
        if not np.isfinite(state).all():
            wrong = self.spec.observation.names[int(np.flatnonzero(~np.isfinite(state))[0])]
            raise ClamError(f"state entry '{wrong}' is not finite; give finite numbers")
        current = torch.as_tensor(state, dtype=torch.float32, device=self._device)[None]
        previous = current if self._previous is None else self._previous
        images = self._stacked_images(observation)
        self._previous = current
        return current, previous, images

    def _stacked_images(self, observation: Observation) -> Tensor | None:
        """The last frames of the cameras in use ``(1, C, H, W)`` in [0, 1], from the episode's first one on."""
        if self._image is None:
            return None
        frame = torch.cat([self._picture(observation, name) for name in self._image.cameras], dim=1)
        self._frames.append(frame)
        while len(self._frames) < self._image.frame_stack:
            self._frames.append(frame)
        return in_unit_range(stack_frames(torch.stack(tuple(self._frames), dim=1), len(self._image.cameras)))

    def _picture(self, observation: Observation, name: str) -> Tensor:
        """A camera's picture ``(1, 3, H, W)`` uint8 at the size that the network takes."""
        assert self._image is not None
        spec = next(camera for camera in self.spec.observation.cameras if camera.name == name)
        if name not in observation:
            there = ", ".join(key for key in observation if key != "state") or "none"
            raise ClamError(f"this policy looks through camera '{name}', but the observation has {there}")
        picture = observation[name]
        if picture.shape != (spec.height, spec.width, 3) or picture.dtype != np.uint8:
            raise ClamError(
                f"camera '{name}' gives {picture.dtype} {picture.shape}, this policy takes uint8 "
                f"({spec.height}, {spec.width}, 3): set the camera to that size"
            )
        image = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).permute(2, 0, 1)[None]
        same = (spec.height, spec.width) == (self._image.height, self._image.width)
        return image if same else resize(image, self._image.height)
