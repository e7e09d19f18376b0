"""Rollouts as MP4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt

from clam_core.envs import Environment
from clam_core.evaluation.overlay import ActionPlots, draw_path, kitchen_path, write_words
from clam_core.evaluation.watching import ChunkMemory, WatchedEnvironment


class VideoRecorder:
    """Appends a rendered frame at every `capture`; `stride` skips frames to keep files small."""

    def __init__(self, env: Environment, path: Path, *, size: int = 240, fps: float = 20, stride: int = 2) -> None:
        self._env, self._size, self._stride = env, size, stride
        self._count = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer: Any = imageio.get_writer(path, fps=fps, macro_block_size=8)

    def capture(self) -> None:
        """Render one frame, unless the stride skips it."""
        if self._count % self._stride == 0:
            self._writer.append_data(self._env.render(height=self._size, width=self._size))
        self._count += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class ChunkVideo:
    """A frame for every observation of watched rollouts, with the chunk that the policy answered it with.

    In real time. A frame is written at the next `capture`: the policy has its answer only then. The last observation
    of an episode has none.
    """

    def __init__(self, env: WatchedEnvironment, chunks: ChunkMemory, path: Path, *, size: int = 480) -> None:
        self._env, self._chunks, self._size = env, chunks, size
        self._plots = ActionPlots(env.spec, size)
        self._waiting: tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64], str] | None = None
        self._taken: list[npt.NDArray[np.float64]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer: Any = imageio.get_writer(path, fps=env.spec.rate, macro_block_size=8)

    def capture(self) -> None:
        """Finish the frame of the last observation, render that of this one; after reset and every step."""
        self._finish(self._chunks.newest)
        env = self._env
        image = env.render(height=self._size, width=self._size)
        self._waiting = image, env.observation["state"], env.standing
        self._taken = list(env.actions)

    def close(self) -> None:
        """Finish the file."""
        self._finish(None)
        self._writer.close()

    def _finish(self, chunk: npt.NDArray[np.float64] | None) -> None:
        if self._waiting is None:
            return
        (image, state, standing), self._waiting = self._waiting, None
        image = image.copy()
        if chunk is not None:
            path = kitchen_path(self._env.spec, state, chunk, self._size, self._size)
            if path is not None:
                draw_path(image, path)
        write_words(image, standing)
        self._writer.append_data(np.concatenate([image, self._plots.draw(self._taken, chunk)]))
