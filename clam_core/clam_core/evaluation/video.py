"""Rollouts as MP4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v2 as imageio

from clam_core.envs import Environment


class VideoRecorder:
    """Appends a rendered frame at every `capture`; `stride` skips frames to keep files small."""

    def __init__(self, env: Environment, path: Path, *, size: int = 240, fps: int = 20, stride: int = 2) -> None:
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
