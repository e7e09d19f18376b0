"""All rollouts of an evaluation in one video: a row for each bundle, a column for each layout, scores as borders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clam_eval.film import read_video, write_frames

Image = npt.NDArray[np.uint8]

TILE = (120, 160)  # height and width of a rollout [pixels]
BORDER = 4  # [pixels]
COLUMNS = 10  # layouts side by side; more go on below
CAPTION = 24  # [pixels] for the name of a bundle
COLOURS = {0.0: (200, 40, 40), 0.5: (230, 170, 30), 1.0: (40, 160, 60)}
GREY, DARK, LIGHT = (90, 90, 90), (24, 24, 28), (230, 230, 230)


def write_wall(
    path: Path, rows: Mapping[str, Sequence[Mapping[str, Any] | None]], videos: Path, rate: float
) -> list[str]:
    """`rows`: for each bundle the scored line of each layout, or None. Returns what could not be shown.

    A rollout that ended early shows its last picture until the longest one ends.

    Raises:
        OSError: the wall cannot be written.
    """
    missing: list[str] = []
    strips = [(name, [_clip(line, videos, missing) for line in lines]) for name, lines in rows.items()]
    length = max((len(frames) for _, clips in strips for _, frames in clips), default=0)
    if not length:
        return missing
    columns = min(COLUMNS, max(len(clips) for _, clips in strips))
    stacks = [_strip(name, clips, columns, length) for name, clips in strips]
    write_frames(path, [_even(np.concatenate([stack[i] for stack in stacks])) for i in range(length)], rate)
    return missing


def _clip(line: Mapping[str, Any] | None, videos: Path, missing: list[str]) -> tuple[tuple[int, int, int], list[Image]]:
    """Colour of the border, and the frames."""
    if line is None:
        return GREY, []
    colour = COLOURS[float(line["score"])]
    try:
        return colour, read_video(videos / line["video"], *TILE)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ffmpeg gave up
        missing.append(f"no video of rollout {line['index']}: {' '.join(str(error).split())[:100]}")
        return colour, []


def _strip(
    name: str, clips: Sequence[tuple[tuple[int, int, int], list[Image]]], columns: int, length: int
) -> list[Image]:
    """The frames of one bundle: its name, and below it rows of `columns` tiles."""
    height, width = TILE[0] + 2 * BORDER, TILE[1] + 2 * BORDER
    rows = -(-len(clips) // columns)
    caption = np.full((CAPTION, columns * width, 3), DARK, np.uint8)
    cv2.putText(caption, name, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, LIGHT, 1, cv2.LINE_AA)
    frames: list[Image] = []
    for i in range(length):
        frame = np.full((rows * height, columns * width, 3), DARK, np.uint8)
        for place, (colour, pictures) in enumerate(clips):
            top, left = place // columns * height, place % columns * width
            tile = frame[top : top + height, left : left + width]
            tile[:] = colour
            inside = tile[BORDER:-BORDER, BORDER:-BORDER]
            inside[:] = pictures[min(i, len(pictures) - 1)] if pictures else DARK
        frames.append(np.concatenate([caption, frame]))
    return frames


def _even(frame: Image) -> Image:
    """Sides that are multiples of 8, as the encoder wants them."""
    bottom, right = (-side % 8 for side in frame.shape[:2])
    return np.pad(frame, ((0, bottom), (0, right), (0, 0)))
