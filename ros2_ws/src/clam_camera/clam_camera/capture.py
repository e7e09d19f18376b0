"""A camera being captured in a thread of its own, and opened again whenever it is lost. No ROS here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from clam_camera.source import CameraLost, CameraSource, EndOfVideo, Frame, Properties
from clam_core.errors import ClamError


class State(Enum):
    """Of a capture."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    WAITING = "waiting to reconnect"
    ENDED = "ended"  # a video file, at its end
    FAILED = "failed"  # what is asked for cannot be had: no further attempt
    STOPPED = "stopped"


@dataclass(frozen=True)
class Backoff:
    """Pauses between attempts [s]: `first`, then twice as long each time, up to `longest`."""

    first: float = 0.5
    longest: float = 10.0

    def pause(self, attempt: int) -> float:
        """Pause after the failed attempt number `attempt`, counted from 0."""
        return float(min(self.longest, self.first * 2.0 ** min(attempt, 60)))


class Capture:
    """Delivers frames from `start` until `stop`; neither of them waits for the camera.

    `deliver` is called in the capture thread, and never after `stop` has returned; `warn` gets a line when frames
    cease. `state`, `reason` (one line:
    why there are no frames), `properties` and `reconnects` may be read from any thread. The thread begins when
    that of `after`, an earlier capture of the same device, has let go of it.
    """

    def __init__(
        self,
        source: CameraSource,
        deliver: Callable[[Frame], None],
        warn: Callable[[str], object],
        backoff: Backoff | None = None,
        after: Capture | None = None,
    ) -> None:
        self.state = State.CONNECTING
        self.reason = ""
        self.properties: Properties | None = None
        self.reconnects = 0
        self._source = source
        self._deliver = deliver
        self._warn = warn
        self._backoff = backoff or Backoff()
        self._after = after
        self._streamed = False
        self._failures = 0
        self._stopping = threading.Event()
        self._delivering = threading.Lock()
        # No daemon: the process ends when the camera is closed, rather than in the middle of its library.
        self._thread = threading.Thread(target=self._run, name="capture")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; the thread closes the camera by itself."""
        with self._delivering:
            self._stopping.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the camera is closed, `timeout` [s] at most; True if it is."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # Capture thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        while not self._stopping.is_set():
            try:
                self._stream()
            except EndOfVideo as error:
                self.state, self.reason = State.ENDED, str(error)
                return
            except ClamError as error:
                self.state, self.reason = State.FAILED, str(error)
                self._warn(self.reason)
                return
            except Exception as error:
                line = " ".join(str(error).split())
                self._lost(line if isinstance(error, CameraLost) else f"{type(error).__name__}: {line}")
            finally:
                self._close()
            self._stopping.wait(self._backoff.pause(self._failures - 1) if self._failures else 0.0)
        self.state = State.STOPPED

    def _stream(self) -> None:
        """Open and read until told to stop, or an exception."""
        self.properties = self._source.open()
        while not self._stopping.is_set():
            frame = self._source.read()
            if self.state is not State.STREAMING:
                self.reconnects += self._streamed
                self.state, self.reason, self._failures, self._streamed = State.STREAMING, "", 0, True
            with self._delivering:
                if not self._stopping.is_set():
                    self._deliver(frame)

    def _lost(self, reason: str) -> None:
        if reason != self.reason and not self._stopping.is_set():
            self._warn(reason)
        self.state, self.reason = State.WAITING, reason
        self._failures += 1

    def _close(self) -> None:
        try:
            self._source.close()
        except Exception as error:
            self._warn(f"closing the camera failed: {error}")
