"""Episodes of one folder without ROS: what is refused, what ends by itself, what is marked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rosbags.rosbag2 import Reader

from clam_core.data.bag_integrity import check_files
from clam_core.errors import ClamError
from clam_recorder.bag_writer import RosbagsWriter
from clam_recorder.disk_room import DiskRoom
from clam_recorder.recipe import Recipe
from clam_recorder.recording_session import Answer, RecordingSession
from clam_recorder.status_view import LineView, line, render
from clam_recorder.topic_monitor import TopicMonitor

TOPIC, TYPES = "/text", {"/text": "std_msgs/msg/String"}
MESSAGE = b"\x00\x01\x00\x00\x03\x00\x00\x00hi\x00\x00"


class Room(DiskRoom):
    """A disk whose free space a test sets."""

    left = 10**12

    def free(self) -> int:
        return self.left


def make(out: Path, rate: float | None = None, kind: str = "expert", **recipe: Any) -> RecordingSession:
    out.mkdir(exist_ok=True)
    about = {"task": "reach", "kind": kind}
    settings = {"open_bag": RosbagsWriter, "read_status": lambda data: None, "status_topic": "/status", **recipe}
    return RecordingSession(out, Recipe({}, about, **settings), TopicMonitor({TOPIC: rate}), Room(out, 0), 10.0)


def write(session: RecordingSession, count: int) -> None:
    for index in range(count):
        assert session.episode is not None
        session.episode.write(TOPIC, 1000 + index, MESSAGE)


def end(session: RecordingSession, keep: bool = True) -> Answer:
    episode = session.begin_end()
    assert not isinstance(episode, Answer), episode
    episode.end(keep=keep)
    episode.join()
    return session.finish_end(keep=keep)


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_an_episode_begins_runs_and_is_kept(tmp_path: Path) -> None:
    session = make(tmp_path)
    folder = session.start(0.0, TYPES, [])
    write(session, 5)
    assert (session.state, session.status(0.0, [])["episode"]) == ("recording", "episode_0000")
    answer = end(session)
    assert answer.success and json.loads(answer.message)["messages"] == {TOPIC: 5}
    assert check_files(folder) == {TOPIC: 5}
    status = session.status(0.0, [])
    assert (status["state"], status["episode"], status["kept"]) == ("idle", "episode_0001", 1)


def test_calls_out_of_order_have_answers(tmp_path: Path) -> None:
    session = make(tmp_path)
    assert session.begin_end() == Answer(False, "not recording: call record/start first")
    assert session.mark_success() == Answer(False, "nothing to mark: record an episode first")
    session.start(0.0, TYPES, [])
    with pytest.raises(Exception, match="already recording episode_0000"):
        session.start(0.0, TYPES, [])
    episode = session.begin_end()
    assert session.begin_end() == Answer(False, "already ending")
    with pytest.raises(Exception, match="still closing episode_0000"):
        session.start(0.0, TYPES, [])
    assert not isinstance(episode, Answer)
    episode.end(keep=False)
    episode.join()
    assert session.finish_end(keep=False).success
    assert (session.kept, session.discarded) == (0, 1)
    assert not list(tmp_path.glob("episode_*"))
    assert not session.mark_success().success  # a discarded one is not the last


def test_all_that_stands_in_the_way_is_one_line(tmp_path: Path) -> None:
    session = make(tmp_path, rate=30.0)
    Room.left = 0
    try:
        with pytest.raises(Exception, match=r"nobody publishes /x.*; /text is silent.*; the disk.*is full") as caught:
            session.start(0.0, TYPES, ["/x"])
    finally:
        Room.left = 10**12
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("episode_*"))


@pytest.mark.parametrize("when", ["running", "afterwards"])
def test_success_is_marked_while_it_runs_and_after_it(tmp_path: Path, when: str) -> None:
    session = make(tmp_path)
    folder = session.start(0.0, TYPES, [])
    write(session, 3)
    if when == "running":
        assert session.mark_success().message == "episode_0000 is marked as a success"
        assert session.status(0.0, [])["success"] is True
    end(session)
    if when == "afterwards":
        assert yaml.safe_load((folder / "episode.yaml").read_text())["success"] is None
        assert session.mark_success().success
    description = yaml.safe_load((folder / "episode.yaml").read_text())
    assert description["success"] is True
    assert ("success_at" in description) == (when == "running")
    assert check_files(folder) == {TOPIC: 3}  # the sidecar stays true


def test_a_success_in_play_is_marked_with_a_warning(tmp_path: Path) -> None:
    session = make(tmp_path, kind="play")
    session.start(0.0, TYPES, [])
    assert "discard it" in session.mark_success().message
    end(session)


def test_a_disk_that_fills_up_ends_the_episode_whole_and_says_so(tmp_path: Path) -> None:
    session = make(tmp_path)
    folder = session.start(0.0, TYPES, [])
    write(session, 7)
    assert session.episode is not None
    episode = session.episode
    session._room.left = 0  # type: ignore[attr-defined]
    wait(lambda: episode.ended)
    (news,) = session.watch(1.0)
    assert "episode_0000 has ended: the disk is full" in news
    assert session.status(1.0, [])["warnings"] == [f"last recording: {session.fault}"]
    assert check_files(folder) == {TOPIC: 7}
    description = yaml.safe_load((folder / "episode.yaml").read_text())
    assert description["complete"] is False and "disk is full" in description["ended"]
    assert session.take_unanswered() is episode
    answer = session.answer_unanswered(episode)
    assert not answer.success and "the bag is whole" in answer.message
    assert session.take_unanswered() is None


def test_an_episode_that_ended_by_itself_can_still_be_discarded(tmp_path: Path) -> None:
    session = make(tmp_path)
    session.start(0.0, TYPES, [])
    assert session.episode is not None
    episode, session._room.left = session.episode, 0  # type: ignore[attr-defined]
    wait(lambda: episode.ended)
    session.watch(1.0)
    assert session.take_unanswered() is episode
    episode.delete()
    wait(lambda: episode.ended)
    assert session.answer_unanswered(episode).success
    assert not list(tmp_path.glob("episode_*"))
    assert (session.kept, session.discarded) == (0, 1)


@pytest.mark.parametrize("asked", [None, True, False], ids=["nobody asked", "stop", "discard"])
def test_a_deactivation_ends_what_was_asked_for_and_the_next_episode_can_end_too(
    tmp_path: Path, asked: bool | None
) -> None:
    session = make(tmp_path)
    folder = session.start(0.0, TYPES, [])
    write(session, 5)
    episode = session.episode
    assert episode is not None
    if asked is not None:
        assert session.begin_end() is episode
        episode.end(keep=asked)
    assert session.stop_now() == (folder if asked is None else None)
    assert (session.kept, session.discarded) == ((0, 1) if asked is False else (1, 0))
    assert folder.exists() == (asked is not False)
    assert episode.complete == (asked is not None)
    assert session.answer_stopped(episode).success == (asked is not None)
    assert session.mark_success().success == (asked is not False)  # of the last that was kept
    session.start(1.0, TYPES, [])
    assert session.state == "recording"
    assert end(session).success


def test_a_folder_that_vanishes_is_named_and_nothing_crashes(tmp_path: Path) -> None:
    """A USB disk that is pulled: in the middle of an episode, and before one."""
    out = tmp_path / "out"
    session = make(out)
    session._room = DiskRoom(out, 0)
    session._recipe = replace(session._recipe, room=session._room)
    session.start(0.0, TYPES, [])
    episode = session.episode
    assert episode is not None
    shutil.rmtree(out)
    wait(lambda: episode.ended)
    assert "No such file or directory" in session.watch(1.0)[0]
    status = session.status(2.0, [])
    assert status["disk_left_bytes"] == 0
    assert any("is gone (No such file or directory)" in reason for reason in status["refusals"])
    with pytest.raises(ClamError, match="is gone"):
        session.start(2.0, TYPES, [])


def test_a_write_that_fails_halfway_leaves_a_bag_that_opens(tmp_path: Path) -> None:
    """The disk takes half of a chunk: the file is cut back, the chunk written again with the ballast's room."""
    session = make(tmp_path)
    folder = session.start(0.0, TYPES, [])
    assert session.episode is not None
    storage = session.episode._bag._storage  # type: ignore[attr-defined]
    storage.bio = _HalfFull(storage.bio, 700)
    write(session, 400)
    wait(lambda: session.episode is not None and session.episode.ended)
    assert any("No space left on device" in news for news in session.watch(1.0))
    with Reader(folder) as reader:
        data = [raw for _, _, raw in reader.messages()]
    assert len(data) > 0 and set(data) == {MESSAGE}
    assert check_files(folder) == {TOPIC: len(data)}
    assert yaml.safe_load((folder / "episode.yaml").read_text())["complete"] is False
    assert not (tmp_path / ".recorder.ballast").exists()


class _HalfFull:
    """A file on a disk that has room for `room` more bytes: the kernel takes those, and then says ENOSPC."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        part = bytes(data)[: self._room]
        self._room -= len(part)
        self._file.write(part)
        self._file.flush()
        if len(part) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(part)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_the_operator_sees_one_line_or_a_picture(tmp_path: Path) -> None:
    from rich.console import Console

    session = make(tmp_path, rate=30.0)
    monitor = session._monitor
    for index in range(60):
        monitor.note(TOPIC, index / 30.0, 1000, 0.0)
    session.start(2.0, TYPES, [])
    status = session.status(2.0, [])
    assert "recording, episode_0000" in line(status) and "/text 30" in line(status)
    for index in range(20):
        monitor.note(TOPIC, 2.0 + index / 10.0, 1000, 0.0)
    session.watch(4.0)
    slow = session.status(4.0, [])
    assert "/text 10.0 Hz (of 30)" in line(slow) and "! /text comes at 10.0 Hz, not 30" in line(slow)
    console = Console(record=True, width=120, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(render(slow))
    text = console.export_text()
    assert "episode_0000" in text and "/text" in text and "! /text comes at" in text
    json.dumps(slow)
    end(session)
    description = yaml.safe_load((tmp_path / "episode_0000/episode.yaml").read_text())
    assert description["sags"][0]["topic"] == TOPIC and description["sags"][0]["lowest"] == 10.0


def test_without_a_terminal_there_is_a_line_now_and_then(tmp_path: Path) -> None:
    logged: list[str] = []
    session, view = make(tmp_path, rate=30.0), LineView(logged.append, 5.0)
    for now in range(12):
        view.show(session.status(float(now), []), float(now))
    assert len(logged) == 1 and "not ready: /text is silent" in logged[0]  # said once, it has not changed
    quiet = make(tmp_path)
    for now in range(12):
        view.show(quiet.status(float(now), []), 100.0 + now)
    assert len(logged) == 1  # a simulator's recorder has nothing to say
    quiet.start(0.0, TYPES, [])
    for now in range(12):
        view.show(quiet.status(float(now), []), 200.0 + now)
    assert len(logged) == 4 and all("recording, episode_0000" in text for text in logged[1:])
    end(quiet)
