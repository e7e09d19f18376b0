"""CALVIN, scene D, with the settings of Table 15: 200 steps, 39 states, 7 relative actions.

The simulator is mees/calvin_env, which is installed apart (docs/calvin.md). The paper gives the action repeat as 7
(Table 15) and as 8 (Appendix E), and both times 200 steps: taken here as the 8 physics steps that the simulator
itself makes for each action.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.envs import base
from clam_core.envs.base import Step, check_action, square_cameras
from clam_core.envs.calvin_simulator import CalvinSimulator
from clam_core.envs.calvin_spec import CAMERAS, MAX_STEPS, binarize_gripper, calvin_spec
from clam_core.envs.calvin_tasks import oracle_name, sample_layout, task_name
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, Observation


class Calvin:
    """One CALVIN task. `image_size` adds square images of `camera`: one name, or several with commas.

    The reward is 1 at a step at which the task oracle finds the task done, else 0.
    """

    spec: EnvironmentSpec

    def __init__(
        self, task: str, *, max_steps: int = MAX_STEPS, image_size: int | None = None, camera: str = CAMERAS[0]
    ) -> None:
        cameras = square_cameras(camera, image_size, check_camera)
        self.spec = calvin_spec(task_name(task), max_steps=max_steps, cameras=cameras)
        self._oracle_task = oracle_name(self.spec.task)
        self._simulator = CalvinSimulator()
        self._steps: int | None = None

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        layout = sample_layout(self.spec.task, np.random.default_rng(int(seed)))
        state = self._simulator.reset(layout)
        self._steps = 0
        return self._observation(state)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`. The gripper opens from 0 on and closes below: CALVIN takes nothing between."""
        if self._steps is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of calvin {self.spec.task} is over; call reset(seed) first")
        state = self._simulator.step(binarize_gripper(check_action(action, self.spec)))
        self._steps += 1
        success = self._simulator.achieved(self._oracle_task)
        return Step(self._observation(state), float(success), success, self._steps >= self.spec.max_steps)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Cameras are those of the dataset: ``static`` and ``gripper``."""
        return self._simulator.render(check_camera(camera or CAMERAS[0]), height, width)

    def close(self) -> None:
        """See `Environment.close`."""
        self._simulator.close()

    def _observation(self, state: npt.NDArray[np.float64]) -> Observation:
        observation: Observation = {"state": state}
        for camera in self.spec.observation.cameras:
            observation[camera.name] = self.render(camera.height, camera.width, camera.name)
        return observation


def check_camera(camera: str) -> str:
    """`camera`, if CALVIN has it.

    Raises:
        ClamError: it has not.
    """
    return base.check_camera("CALVIN", camera, CAMERAS)
