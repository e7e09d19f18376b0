"""Recorder: one bag and one episode.yaml for each record/start … record/stop."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import IO, Any

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_core.data.bag_images import stamp_of
from clam_core.data.bag_lock import lock_folder
from clam_core.data.bag_mending import recover_recordings
from clam_core.errors import ClamError
from clam_recorder import episode_file, recorded_topics
from clam_recorder.bag_writer import BACKENDS, backend_version, choose_backend
from clam_recorder.disk_room import MEBIBYTE, DiskRoom
from clam_recorder.episode_recorder import EpisodeRecorder
from clam_recorder.parameters import declare_parameters, topics_of
from clam_recorder.recipe import Recipe
from clam_recorder.recording_session import Answer, RecordingSession
from clam_recorder.status_view import make_view
from clam_recorder.subscriptions import Subscriptions
from clam_recorder.tail import LOOKS, Tail
from clam_recorder.topic_monitor import BEAT, Limits, TopicMonitor
from clam_ros import names
from clam_ros.messages import Status, StatusReader
from clam_ros.node import ERROR, OK, WARN, Node
from clam_ros.qos import STREAM
from clam_ros.run import run
from clam_ros.throttle import Throttle
from clam_ros.waiting import sleep

STATUS_PERIOD = 0.5  # [s]


class Recorder(Node):
    """Adapter of `RecordingSession`. Subscribes raw, so that nothing is decoded; queues to a writer thread, so that no
    callback waits for a disk.
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        declare_parameters(self)
        self._session: RecordingSession | None = None
        self._room: DiskRoom | None = None
        self._lock: IO[str] | None = None
        self._heard: Subscriptions | None = None
        self._view: Any = None
        self._tail: Tail | None = None
        self._throttle = Throttle()

    def configure(self) -> None:
        """Take the folder, repair what a killed recorder left there, subscribe."""
        try:
            self._configure()
        except BaseException:
            self.cleanup()  # nobody else could have the folder
            raise

    def _configure(self) -> None:
        backend = choose_backend(self.value("backend"))
        BACKENDS[backend].load()
        topics = topics_of(self)
        out = Path(self.value("out")).expanduser()
        self._take(out)
        assert self._room is not None
        self._marks = self.value("session") == "robot"
        self._mark_topic = self.resolve_topic_name(names.RECORD_MARK)
        self._use_sim_time = self.value("use_sim_time")
        self._read_status = StatusReader()
        limits = Limits(self.value("rate_tolerance"), self.value("stale_after"), self.value("stamp_age"))
        self._monitor = TopicMonitor({item.topic: item.rate for item in topics}, limits)
        self._rated = {item.topic for item in topics if item.rate}
        self._heard = Subscriptions(self, topics, self._on_message)
        self._software = {**episode_file.software(), backend: backend_version(backend)}
        recipe = Recipe(
            topics={},
            about=self._about(),
            open_bag=BACKENDS[backend],
            read_status=self._decode_status,
            status_topic=self.resolve_topic_name(names.STATUS),
            queue_bytes=self.value("queue_size") * MEBIBYTE,
        )
        self._session = RecordingSession(out, recipe, self._monitor, self._room, self.value("disk_minutes"))
        self._publish_status = self.publish(String, names.RECORD_STATUS, STREAM)
        self._publish_mark = self.publish(String, names.RECORD_MARK, STREAM)
        self._heard.discover()
        self._heard.check_complete()
        self.every(0.2, self._heard.discover)
        self.every(BEAT, self._monitor.beat)
        self.every(STATUS_PERIOD, self._tick)
        self.serve(Trigger, names.RECORD_START, self._on_start)
        self.serve(Trigger, names.RECORD_STOP, self._on_stop)
        self.serve(Trigger, names.RECORD_DISCARD, self._on_discard)
        self.serve(Trigger, names.RECORD_SUCCESS, self._on_success)
        self._view = make_view(sys.stdout, self.get_logger().info, self.value("status_period"))

    def deactivate(self) -> None:
        """Close an episode that is still being recorded, as not complete."""
        bag = self._session.stop_now() if self._session is not None else None
        if bag is not None:
            self.get_logger().warning(f"stopped while recording: '{bag}' is kept as not complete")

    def cleanup(self) -> None:
        """Let others record into the folder."""
        if self._view is not None:
            self._view.close()
        if self._heard is not None:
            self._heard.close()
        if self._room is not None:
            self._room.drop_ballast()
        if self._lock is not None:
            self._lock.close()
        self._session = self._heard = self._view = self._room = self._lock = None

    def diagnose(self) -> tuple[bytes, str]:
        """Error while a bag cannot be written, warning after drops and while a topic is too slow."""
        session = self._session
        if session is None or session.episode is None:
            return (WARN, f"last recording: {session.fault}") if session and session.fault else (OK, "not recording")
        episode = session.episode
        if episode.error:
            return ERROR, episode.error
        slow = ", ".join(self._monitor.slow(time.monotonic()))
        text = f"{episode.folder.name}: {sum(episode.messages.values())} messages, {episode.dropped} dropped"
        return (WARN if episode.dropped or slow else OK), text + (f", too slow: {slow}" if slow else "")

    def _take(self, out: Path) -> None:
        """Take the folder, and repair what a killed recorder left there."""
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ClamError(f"cannot record to '{out}' ({error.strerror}): choose another `out`") from error
        self._lock = lock_folder(out)
        self._room = DiskRoom(out, self.value("disk_reserve") * MEBIBYTE)
        for result in recover_recordings(out):
            what = result.error or f"it was never closed: recovered {result.messages} messages"
            self.get_logger().warning(f"'{result.bag}': {what}")

    def _about(self) -> dict[str, Any]:
        """What the next episode.yaml says; the parameters may be set between episodes."""
        about: dict[str, Any] = {name: self.value(name) for name in ("env", "task", "kind", "operator")}
        return {**about, "software": self._software}

    # Topics and timer ---------------------------------------------------------------------------------------

    def _on_message(self, topic: str, data: bytes) -> None:
        if self._heard is None:
            return  # it was on its way during a cleanup
        arrived = time.monotonic()
        now, age, kind = self._now(), None, self._heard.types[topic]
        stamp = stamp_of(data) if kind in recorded_topics.STAMPED else 0
        if topic in self._rated and kind in recorded_topics.STAMPED:
            age = (now - stamp) * 1e-9 if stamp else float("inf")
        if self._tail is not None:
            self._tail.hear(topic, stamp)
        self._monitor.note(topic, arrived, len(data), age)
        if self._session is not None and self._session.episode is not None:
            self._session.episode.write(topic, now, data, kind)

    def _now(self) -> int:
        """Time of the messages' arrival [ns]."""
        return int(self.get_clock().now().nanoseconds) if self._use_sim_time else time.time_ns()

    def _decode_status(self, data: bytes) -> Status:
        return self._read_status.read(deserialize_message(data, JointState))

    def _tick(self) -> None:
        """Watch the episode; show and publish how things are."""
        if self._session is None or self._heard is None:
            return
        now = time.monotonic()
        for text in self._session.watch(now):
            self._throttle.say(self.get_logger().warning, text)
        self._session.about = self._about()
        status = self._session.status(now, self._heard.unpublished())
        if not self.active:
            status |= {"state": "inactive", "refusals": ["the recorder is not active: activate it first"]}
        self._publish_status.publish(String(data=json.dumps(status)))
        self._view.show(status, now)

    def _mark(self, what: str) -> None:
        """Tell everybody, and the bag of a robot."""
        message = String(data=what)
        self._publish_mark.publish(message)
        if self._marks and self._session is not None and self._session.episode is not None:
            self._session.episode.write(self._mark_topic, self._now(), serialize_message(message))

    # Services -----------------------------------------------------------------------------------------------

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            return _respond(response, Answer(True, str(self._start())))
        except ClamError as error:
            return _respond(response, Answer(False, str(error)))

    def _start(self) -> Path:
        if not self.active or self._session is None or self._heard is None:
            raise ClamError("the recorder is not active: activate it first")
        self._heard.discover()
        self._heard.check_complete()
        unpublished = self._heard.unpublished()
        self._session.about = self._about()
        marks = {self._mark_topic: recorded_topics.STRING} if self._marks else {}
        folder = self._session.start(time.monotonic(), self._heard.types | marks, unpublished)
        self._mark("start")
        return folder

    async def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _respond(response, await self._end(keep=True))

    async def _on_discard(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _respond(response, await self._end(keep=False))

    async def _end(self, *, keep: bool) -> Answer:
        session = self._session
        if session is None:
            return Answer(False, "the recorder is not active: activate it first")
        if (early := session.take_unanswered()) is not None:
            if not keep:
                early.delete()
            await self._wait_until_ended(early)
            return session.answer_unanswered(early)
        episode = session.begin_end()
        if isinstance(episode, Answer):
            return episode
        if keep:
            await self._wait_for_the_tail(episode)
        if session.episode is episode:  # and not ended by a deactivation meanwhile
            self._mark("stop" if keep else "discard")
            episode.end(keep=keep)
        await self._wait_until_ended(episode)
        if session.episode is not episode:
            return session.answer_stopped(episode)
        self.counters["episodes kept" if keep else "episodes discarded"] += 1
        self.counters["messages dropped"] += episode.dropped
        return session.finish_end(keep=keep)

    async def _wait_until_ended(self, episode: EpisodeRecorder) -> None:
        while not episode.ended:
            await sleep(self, 0.002)

    async def _wait_for_the_tail(self, episode: EpisodeRecorder) -> None:
        """Until what was sent before the stop is in, as far as stamps and `quiet_time` can tell."""
        begin, pause = time.monotonic(), self.value("quiet_time") / LOOKS
        if not pause:
            return
        tail = self._tail = Tail(self._now())
        await sleep(self, pause)
        while not tail.look(time.monotonic() - begin):
            if self._session is None or self._session.episode is not episode:
                break  # it was ended meanwhile
            await sleep(self, pause)
        if self._tail is tail:
            self._tail = None

    async def _on_success(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Mark the running episode, or the last one that was kept."""
        while self._session is not None and self._session.state == "ending":
            await sleep(self, 0.02)
        if self._session is None:
            return _respond(response, Answer(False, "the recorder is not active: activate it first"))
        if self._session.episode is not None:
            self._mark("success")
        return _respond(response, self._session.mark_success())


def _respond(response: Trigger.Response, answer: Answer) -> Trigger.Response:
    response.success, response.message = answer.success, answer.message
    return response


def main() -> int:
    """Console script."""
    return run(Recorder)


if __name__ == "__main__":
    raise SystemExit(main())
