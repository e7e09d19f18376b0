"""Capturing: a lost camera is opened again, with growing pauses, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from clam_camera.capture import Backoff, Capture, State
from clam_camera.source import CameraLost, EndOfVideo, Frame, Properties
from clam_core.errors import ClamError

TIMEOUT = 30.0  # [s] generous: the machine may be busy
QUICK = Backoff(0.01, 0.02)


class FakeCamera:
    """No device: a source that the test plugs, unplugs and hangs. Its numbers begin at 1 at every opening."""

    def __init__(self) -> None:
        self.plugged = True
        self.end: Exception | None = None
        self.gate = threading.Event()  # closed: `read` hangs
        self.gate.set()
        self.hangs = threading.Event()
        self.opened = self.closed = self.number = 0
        self.attempts: list[float] = []

    def open(self) -> Properties:
        self.attempts.append(time.monotonic())
        if not self.plugged:
            raise CameraLost("FakeCamera is not connected")
        self.opened += 1
        self.number = 0
        return Properties(4, 3, 100.0)

    def read(self) -> Frame:
        if not self.gate.is_set():
            self.hangs.set()
            assert self.gate.wait(TIMEOUT)
        if self.end is not None:
            raise self.end
        if not self.plugged:
            raise CameraLost("FakeCamera was unplugged")
        time.sleep(0.002)
        self.number += 1
        return Frame(np.zeros((3, 4, 3), np.uint8), time.time_ns(), self.number)

    def close(self) -> None:
        self.closed += 1

    def hang(self) -> None:
        self.gate.clear()
        assert self.hangs.wait(TIMEOUT)


class Rig:
    def __init__(self) -> None:
        self.camera = FakeCamera()
        self.frames: list[Frame] = []
        self.warnings: list[str] = []
        self.captures: list[Capture] = []

    def capture(self, backoff: Backoff = QUICK, after: Capture | None = None) -> Capture:
        capture = Capture(self.camera, self.frames.append, self.warnings.append, backoff, after)
        self.captures.append(capture)
        capture.start()
        return capture


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.camera.gate.set()
    for capture in rig.captures:
        capture.stop()
        assert capture.join(TIMEOUT)


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


def test_an_unplugged_camera_comes_back_by_itself(rig: Rig) -> None:
    capture = rig.capture()
    wait(lambda: len(rig.frames) > 3)
    assert (capture.state, capture.reconnects) == (State.STREAMING, 0)
    rig.camera.plugged = False
    wait(lambda: capture.reason == "FakeCamera is not connected")
    assert capture.state is State.WAITING
    count = len(rig.frames)
    rig.camera.plugged = True
    wait(lambda: len(rig.frames) > count + 3)
    assert (capture.state, capture.reason, capture.reconnects) == (State.STREAMING, "", 1)
    assert rig.camera.opened == 2


def test_a_camera_that_is_not_there_at_the_start_is_waited_for_and_is_no_reconnect(rig: Rig) -> None:
    rig.camera.plugged = False
    capture = rig.capture()
    wait(lambda: len(rig.camera.attempts) > 3)
    assert capture.state is State.WAITING
    rig.camera.plugged = True
    wait(lambda: bool(rig.frames))
    assert capture.reconnects == 0


def test_the_same_reason_is_said_once(rig: Rig) -> None:
    rig.camera.plugged = False
    rig.capture()
    wait(lambda: len(rig.camera.attempts) > 5)
    assert rig.warnings == ["FakeCamera is not connected"]


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 10.0)
    assert [backoff.pause(attempt) for attempt in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert backoff.pause(100_000) == 10


def test_attempts_are_as_far_apart_as_the_pauses_say(rig: Rig) -> None:
    rig.camera.plugged = False
    rig.capture(Backoff(0.02, 0.08))
    wait(lambda: len(rig.camera.attempts) >= 5)
    apart = np.diff(rig.camera.attempts[:5])
    assert (apart >= [0.02, 0.04, 0.08, 0.08]).all()


def test_stop_does_not_wait_for_a_camera_that_hangs_and_no_frame_comes_after_it(rig: Rig) -> None:
    capture = rig.capture()
    wait(lambda: bool(rig.frames))
    rig.camera.hang()
    begin = time.monotonic()
    capture.stop()
    assert time.monotonic() - begin < TIMEOUT / 2
    count = len(rig.frames)
    assert not capture.join(0.05)
    rig.camera.gate.set()
    assert capture.join(TIMEOUT)
    assert len(rig.frames) == count and capture.state is State.STOPPED and rig.camera.closed


def test_a_second_capture_waits_until_the_first_has_let_go_of_the_camera(rig: Rig) -> None:
    first = rig.capture()
    wait(lambda: bool(rig.frames))
    rig.camera.hang()
    first.stop()
    second = rig.capture(after=first)
    assert not second.join(0.05) and rig.camera.opened == 1
    rig.camera.gate.set()
    wait(lambda: second.state is State.STREAMING)
    assert rig.camera.opened == 2 and rig.camera.closed >= 1


def test_stop_ends_a_long_pause(rig: Rig) -> None:
    rig.camera.plugged = False
    capture = rig.capture(Backoff(3600.0, 3600.0))
    wait(lambda: capture.state is State.WAITING)
    capture.stop()
    assert capture.join(TIMEOUT)


@pytest.mark.parametrize(
    ("error", "state", "warned"),
    [(EndOfVideo("it has ended"), State.ENDED, 0), (ClamError("no such mode"), State.FAILED, 1)],
)
def test_what_no_attempt_can_mend_ends_the_capture(rig: Rig, error: Exception, state: State, warned: int) -> None:
    rig.camera.end = error
    capture = rig.capture()
    assert capture.join(TIMEOUT)
    assert (capture.state, capture.reason, len(rig.warnings)) == (state, str(error), warned)
    assert rig.camera.closed


def test_an_unexpected_error_is_named_in_one_line_and_tried_again(rig: Rig) -> None:
    rig.camera.end = RuntimeError("libusb\nsays no")
    capture = rig.capture()
    wait(lambda: capture.reason == "RuntimeError: libusb says no")
    rig.camera.end = None
    wait(lambda: bool(rig.frames))
