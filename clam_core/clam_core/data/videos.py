"""Camera videos (MP4), written and read through the ffmpeg that imageio-ffmpeg brings: no system package is needed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

CODEC, PIXELS = "h264", "yuv420p"
QUALITY = 18  # constant rate factor: 0 is lossless but for color, 18 is called visually lossless, 51 worst
KEYFRAMES = 2  # every second frame can be jumped to: training reads single frames


class VideoError(Exception):
    """Why a video could not be written or read; one line."""


class VideoWriter:
    """Encodes RGB frames of one size to the file `path`, until `close`.

    Raises:
        VideoError: the size is odd (yuv420p has half the color resolution), or ffmpeg fails.
    """

    def __init__(self, path: Path, height: int, width: int, rate: float) -> None:
        if height % 2 or width % 2:
            raise VideoError(f"images of {height}x{width} pixels; a video needs an even height and width")
        self.path, self.frames, self._shape = path, 0, (height, width, 3)
        path.parent.mkdir(parents=True, exist_ok=True)
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{rate:g}", "-i", "-"]
        encoder = ["-c:v", "libx264", "-crf", str(QUALITY), "-g", str(KEYFRAMES), "-pix_fmt", PIXELS, "-threads", "2"]
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (a pipe that nobody reads fills up)
        self._process = subprocess.Popen(
            [*_ffmpeg(), "-y", *source, *encoder, _file(path)], stdin=subprocess.PIPE, stderr=self._words
        )

    def write(self, image: npt.NDArray[np.uint8]) -> None:
        """Add a frame ``(H, W, 3)``.

        Raises:
            VideoError: it has another size, or ffmpeg ended.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise VideoError(f"frame of shape {image.shape} and dtype {image.dtype}, expected {self._shape} uint8")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except BrokenPipeError as error:
            raise VideoError(f"'{self.path.name}' could not be encoded: {self._ended()}") from error
        self.frames += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            VideoError: ffmpeg could not.
        """
        message = self._ended()
        if self._process.returncode:
            raise VideoError(f"'{self.path.name}' could not be encoded: {message}")

    def kill(self) -> None:
        """Stop without finishing the file."""
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def _ended(self) -> str:
        """Wait for ffmpeg; its last words."""
        self._process.communicate()
        with self._words:
            return _last_line(self._words) or "no reason given"


def read_frames(
    path: Path, height: int, width: int, rate: float, start: int, count: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames `start` to ``start + count`` of a video, ``(height, width, 3)`` RGB each.

    Args:
        height, width: the video's own size [pixels].
        rate: its frames per second.

    Raises:
        VideoError: it is missing, damaged, of another size, or shorter.
    """
    if not path.is_file():
        raise VideoError(f"no video '{path.name}'")
    seek = ["-ss", f"{max(0.0, (start - 0.5) / rate):.6f}"] if start else []  # half a frame early: stamps are rounded
    size = f"scale=w={width}:h={height}"  # changes nothing, unless the video is not what its dataset says
    command = [*_ffmpeg(), "-threads", "2", *seek, "-i", _file(path), "-frames:v", str(count), "-vf", size]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    with tempfile.TemporaryFile() as words:  # a damaged video makes more of them than a pipe holds
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words)
        assert process.stdout is not None
        try:
            for number in range(count):
                data = process.stdout.read(height * width * 3)
                if len(data) < height * width * 3:
                    process.wait()
                    last = _last_line(words)
                    why = f" ({last})" if last else ""
                    raise VideoError(f"video '{path.name}' ends at frame {start + number} of {start + count}{why}")
                yield np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def psnr(original: npt.NDArray[np.uint8], copy: npt.NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two arrays of images [dB]; infinite for equal ones."""
    error = float(np.mean((original.astype(np.float64) - copy.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def _ffmpeg() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin"]


def _file(path: Path) -> str:
    """`path` in ffmpeg's words: without the protocol, what is before a colon would be taken for one."""
    return f"file:{path}"


def _last_line(words: IO[bytes]) -> str:
    words.seek(max(0, words.seek(0, os.SEEK_END) - 4096))
    lines = words.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
