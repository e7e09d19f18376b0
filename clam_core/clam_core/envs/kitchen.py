"""A toy kitchen with a WidowX 250s in MuJoCo: the four real-robot tasks of Appendix F, at 5 Hz and 100 steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clam_core.data.images import resize
from clam_core.envs.base import Step, check_action, square_cameras
from clam_core.envs.kitchen_simulator import KitchenSimulator
from clam_core.envs.kitchen_spec import CAMERAS, IMAGE_HEIGHT, MAX_STEPS, check_camera, kitchen_spec
from clam_core.envs.kitchen_tasks import RULES, Situation, sample_layout, task_name
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, Observation

if TYPE_CHECKING:
    from clam_core.envs.rendering import OffscreenRenderer


class Kitchen:
    """One kitchen task. `image_size` adds square images of `camera`: one name, or several with commas.

    Small images are drawn as large as the robot's cameras give them, and shrunk as those are: a policy that learned
    from rougher drawings did worse on the robot's images.

    Reward and success of a step follow from the score that `clam_core.envs.kitchen_tasks` gives to it: the reward is
    that score, and success is a score of 1.
    """

    spec: EnvironmentSpec

    def __init__(
        self, task: str, *, max_steps: int = MAX_STEPS, image_size: int | None = None, camera: str = CAMERAS[0]
    ) -> None:
        cameras = square_cameras(camera, image_size, check_camera)
        self.spec = kitchen_spec(task_name(task), max_steps=max_steps, cameras=cameras)
        self._rule = RULES[self.spec.task]
        self._simulator = KitchenSimulator()
        self._start: Situation | None = None
        self._steps = 0
        self._score = 0.0
        self._renderer: OffscreenRenderer | None = None

    @property
    def score(self) -> float:
        """Best score of this episode so far: 1 for success, 0.5 for partial success, else 0 (Appendix F)."""
        return self._score

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        self._simulator.reset(sample_layout(self.spec.task, np.random.default_rng(int(seed))))
        self._start = self._simulator.situation()
        self._steps, self._score = 0, 0.0
        return self._observation()

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`."""
        if self._start is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of kitchen {self.spec.task} is over; call reset(seed) first")
        self._simulator.step(check_action(action, self.spec))
        self._steps += 1
        score = self._rule(self._simulator.situation(), self._start)
        self._score = max(self._score, score)
        return Step(self._observation(), score, score == 1.0, self._steps >= self.spec.max_steps)

    def move_block(self, offset: npt.NDArray[np.float64]) -> Observation:
        """Put the block elsewhere during an episode, `offset` ``(2,)`` [m] along x and y; what is then observed.

        Raises:
            ClamError: a finger touches it, or something else is there; then nothing was moved.
        """
        self._simulator.move_block(offset)
        return self._observation()

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Cameras are those of the description: ``external`` and ``over_shoulder``."""
        if self._renderer is None:
            from clam_core.envs.rendering import OffscreenRenderer  # looks for OpenGL's Python bindings

            self._renderer = OffscreenRenderer(self._simulator.model)
        return self._renderer.render(self._simulator.data, height, width, check_camera(camera or CAMERAS[0]))

    def close(self) -> None:
        """See `Environment.close`."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _observation(self) -> Observation:
        observation: Observation = {"state": self._simulator.state()}
        for camera in self.spec.observation.cameras:
            size = max(IMAGE_HEIGHT, camera.height)
            observation[camera.name] = resize(self.render(size, size, camera.name), camera.height, camera.width)
        return observation
