"""How the scene of a layout shall look: a photograph of the layout's first rollout, or a drawing before that."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from clam_core.envs.kitchen_tasks import READY, READY_GAP, sample_layout, task_name
from clam_core.errors import ClamError
from clam_core.whole import write_whole
from clam_eval.plan import Trial

HEIGHT, WIDTH = 480, 640  # of a drawing [pixels]


class Placements:
    """`folder` keeps the photographs. Drawings are made in a thread, which owns the graphics context.

    A photograph is better: it shows the real things, and what every later bundle meets is the scene that the first one
    met. The drawing is of the toy kitchen, so it fits as well as the real one was built by its description.
    """

    def __init__(self, folder: Path, task: str, camera: str) -> None:
        self._folder, self._task, self._camera = folder, task, camera
        self._thread = ThreadPoolExecutor(1, "placements")
        self._drawer: Any = None

    def photograph(self, trial: Trial, jpeg: bytes) -> None:
        """Keep `jpeg` as what the trial's layout looks like, unless there is one.

        Raises:
            OSError: it cannot be written.
        """
        path = self._path(trial)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, jpeg)

    def photo(self, trial: Trial) -> bytes | None:
        """The photograph of the trial's layout, if there is one."""
        try:
            return self._path(trial).read_bytes()
        except FileNotFoundError:
            return None

    def draw(self, trial: Trial) -> Future[bytes]:
        """A drawing, as JPEG. The future raises `ClamError` where nothing can be drawn."""
        return self._thread.submit(self._draw, trial)

    def close(self) -> None:
        """End the thread."""
        if self._drawer is not None:
            self._thread.submit(self._drawer.close)
        self._thread.shutdown(wait=True)

    def _path(self, trial: Trial) -> Path:
        return self._folder / f"layout_{trial.layout:04d}.jpg"

    def _draw(self, trial: Trial) -> bytes:
        if self._drawer is None:
            self._drawer = _Drawer(self._task, self._camera)
        image = self._drawer.draw(trial.seed)
        encoded, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))
        if not encoded:
            raise ClamError("the drawing of the placement cannot be encoded")
        return bytes(data.tobytes())


class _Drawer:
    """The toy kitchen with its arm at the ready pose. Used by one thread."""

    def __init__(self, task: str, camera: str) -> None:
        from clam_core.envs.mujoco_package import import_mujoco  # a real robot's machine may do without

        import_mujoco("the drawing of a placement")
        from clam_core.envs.kitchen_simulator import KitchenSimulator
        from clam_core.envs.kitchen_view import KitchenView

        self._task, self._camera = task_name(task), camera
        self._simulator, self._view = KitchenSimulator(), KitchenView()

    def draw(self, seed: int) -> Any:
        """RGB ``(H, W, 3)`` of the layout of `seed`."""
        self._simulator.arm.place(np.array([*READY, sum(READY_GAP) / 2]))
        self._simulator.place_things(sample_layout(self._task, np.random.default_rng(seed)))
        return self._view.render(self._simulator.data.qpos.copy(), HEIGHT, WIDTH, self._camera)

    def close(self) -> None:
        """Free the graphics context."""
        self._view.close()
