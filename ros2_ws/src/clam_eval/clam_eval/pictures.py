"""The camera that an evaluation looks through: its newest picture, and the film of each rollout."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

from clam_eval.film import Film, write_video


class Pictures:
    """Serialized messages in, videos in `folder` out. Videos are encoded in a thread, while the arm gets ready."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest = b""
        self._film: Film | None = None
        self._thread = ThreadPoolExecutor(1, "videos")
        self._writing: dict[str, Future[None]] = {}

    def message(self, data: bytes) -> None:
        """The newest message of the camera, serialized."""
        self._newest = data

    def jpeg(self) -> bytes:
        """The newest picture; empty before the first one."""
        return bytes(deserialize_message(self._newest, CompressedImage).data) if self._newest else b""

    def roll(self, rate: float) -> None:
        """A rollout begins; from now on one picture is kept in each step, `rate` [Hz]."""
        self._film = Film(rate)

    def look(self, now: float) -> None:
        """Keep the newest picture if one is due. Call it more often than steps come."""
        if self._film is not None and self._film.is_due(now) and self._newest:
            self._film.look(self.jpeg(), now)

    def cut(self) -> list[bytes]:
        """The rollout is over: its pictures."""
        film, self._film = self._film, None
        return [] if film is None else film.pictures

    def write(self, name: str, pictures: list[bytes], rate: float) -> None:
        """Begin to write a video."""
        self._writing[name] = self._thread.submit(write_video, self._folder / name, pictures, rate)

    @property
    def writing(self) -> bool:
        """Whether a video is not written yet."""
        return bool(self._writing)

    def failures(self) -> list[str]:
        """What went wrong with videos since the last call; whatever it is, it must not end a rollout."""
        lines = []
        for name, future in list(self._writing.items()):
            if not future.done():
                continue
            del self._writing[name]
            if (error := future.exception()) is not None:
                lines.append(f"no video {name}: {' '.join(str(error).split())[:200] or type(error).__name__}")
        return lines

    def close(self) -> None:
        """Finish the video under way, forget the rest."""
        self._thread.shutdown(wait=True, cancel_futures=True)
