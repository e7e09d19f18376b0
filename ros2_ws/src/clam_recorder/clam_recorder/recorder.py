"""Recorder: one bag and one episode.yaml for each record/start … record/stop."""

from __future__ import annotations

import fcntl
import importlib
import json
import time
from functools import partial
from pathlib import Path
from typing import IO, Any

from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from clam_core.data.bag_recovery import recover_bag
from clam_core.errors import ClamError
from clam_recorder import episode_file
from clam_recorder.bag_writer import BACKENDS, backend_version, choose_backend
from clam_recorder.episode_recorder import EpisodeRecorder, Recipe
from clam_ros import names
from clam_ros.messages import Status, StatusReader
from clam_ros.node import ERROR, OK, WARN, Node, run
from clam_ros.qos import COLLECT
from clam_ros.waiting import sleep

#: Types of CLAM's own topics; those of others are written `topic:package/msg/Type` or looked up in the graph.
TYPES = {
    names.OBSERVATION: "sensor_msgs/msg/JointState",
    names.COMMAND: "trajectory_msgs/msg/JointTrajectory",
    names.STATUS: "sensor_msgs/msg/JointState",
    names.ACTION_CHUNK: "trajectory_msgs/msg/JointTrajectory",
}


class Recorder(Node):
    """Subscribes raw, so that nothing is decoded; queues to a writer thread, so that no callback waits for a
    disk.
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        topics = [names.OBSERVATION, names.COMMAND, names.STATUS]
        self.declare("out", "recordings", "Folder that the bags episode_0000, episode_0001, … go into.")
        self.declare("env", "", "Environment family or robot, for episode.yaml.")
        self.declare("task", "", "Task, for episode.yaml.")
        self.declare("kind", "expert", "expert, mixed, play or random, for episode.yaml.")
        self.declare("operator", "", "Who or what operates, for episode.yaml.")
        self.declare("topics", topics, "Topics to record: `topic` or `topic:package/msg/Type`.")
        self.declare("cameras", [""], "Cameras to record too: images on camera/NAME/image_raw.")
        self.declare("backend", "auto", "Library that writes the bags.", choices=("auto", *BACKENDS))
        self.declare(
            "quiet_time",
            0.05,
            "record/stop waits until no message came for this long [s].",
            low=0.0,
            high=5.0,
        )
        self.declare("queue_size", 256, "Bound on what waits to be written [MiB].", low=1, high=65536)
        self._episode: EpisodeRecorder | None = None
        self._ending = False
        self._last_message = 0.0
        self._fault = ""
        self._lock: IO[str] | None = None

    def configure(self) -> None:
        """Take the folder, repair what a killed recorder left there, subscribe."""
        self._out = Path(self.value("out")).expanduser()
        self._take_folder()
        self._backend = choose_backend(self.value("backend"))
        self._recover()
        self._types: dict[str, str] = {}
        self._subscribed: set[str] = set()
        self._wanted: dict[str, str] = {}
        for entry in self.value("topics"):
            topic, _, kind = entry.partition(":")
            self._wanted[self.resolve_topic_name(topic)] = kind or TYPES.get(topic.lstrip("/"), "")
        for camera in filter(None, self.value("cameras")):
            self._wanted[self.resolve_topic_name(names.IMAGE.format(name=camera))] = "sensor_msgs/msg/Image"
        self._status_topic = self.resolve_topic_name(names.STATUS)
        self._read_status = StatusReader()
        self._use_sim_time = self.value("use_sim_time")
        self._discover()
        self.every(0.2, self._discover)
        self.serve(Trigger, names.RECORD_START, self._on_start)
        self.serve(Trigger, names.RECORD_STOP, self._on_stop)
        self.serve(Trigger, names.RECORD_DISCARD, self._on_discard)

    def deactivate(self) -> None:
        """Close an episode that is still being recorded, as not complete."""
        if self._episode is not None:
            self.get_logger().warning(f"stopped while recording: '{self._episode.folder}' is kept as not complete")
            self._episode.end(keep=True, complete=False)
            self._episode.join()
            self._episode = None

    def cleanup(self) -> None:
        """Let others record into the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def diagnose(self) -> tuple[bytes, str]:
        """Error while a bag cannot be written, warning after drops."""
        if self._episode is None:
            return (WARN, f"last recording: {self._fault}") if self._fault else (OK, "not recording")
        if self._episode.error:
            return ERROR, self._episode.error
        messages = sum(self._episode.messages.values())
        level = WARN if self._episode.dropped else OK
        return level, f"{self._episode.folder.name}: {messages} messages, {self._episode.dropped} dropped"

    # Folder -------------------------------------------------------------------------------------------------

    def _take_folder(self) -> None:
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            self._lock = (self._out / ".recorder.lock").open("w")
        except OSError as error:
            raise ClamError(f"cannot record to '{self._out}' ({error.strerror}): choose another `out`") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClamError(f"another recorder writes to '{self._out}': stop it or choose another `out`") from error

    def _recover(self) -> None:
        for bag in episode_file.unfinished(self._out):
            try:
                self.get_logger().warning(f"'{bag}' was never closed: recovered {recover_bag(bag)} messages")
            except ClamError as error:
                self.get_logger().warning(str(error))

    # Topics -------------------------------------------------------------------------------------------------

    def _discover(self) -> None:
        """Subscribe to what is not subscribed yet, as soon as its type is known."""
        missing = [topic for topic in self._wanted if topic not in self._subscribed]
        graph = dict(self.get_topic_names_and_types()) if missing else {}
        for topic in missing:
            kind = self._wanted[topic] or next(iter(graph.get(topic, ())), "")
            if not kind:
                continue
            self.subscribe(_message_class(kind), topic, partial(self._on_message, topic), self._qos(topic), raw=True)
            self._types[topic] = kind
            self._subscribed.add(topic)

    def _qos(self, topic: str) -> QoSProfile:
        """Best effort where a publisher is (a reliable reader would not match it), reliable otherwise."""
        best_effort = ReliabilityPolicy.BEST_EFFORT
        if any(info.qos_profile.reliability == best_effort for info in self.get_publishers_info_by_topic(topic)):
            return QoSProfile(depth=100, reliability=best_effort)
        return COLLECT

    def _on_message(self, topic: str, data: bytes) -> None:
        self._last_message = time.monotonic()
        if self._episode is not None:
            now = self.get_clock().now().nanoseconds if self._use_sim_time else time.time_ns()
            self._episode.write(topic, now, data)

    def _decode_status(self, data: bytes) -> Status:
        return self._read_status.read(deserialize_message(data, JointState))

    # Services -----------------------------------------------------------------------------------------------

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = str(self._start())
            response.success = True
        except ClamError as error:
            response.success, response.message = False, str(error)
        return response

    def _start(self) -> Path:
        if not self.active:
            raise ClamError("the recorder is not active: activate it first")
        if self._episode is not None:
            state = "still closing" if self._ending else "already recording"
            raise ClamError(f"{state} {self._episode.folder.name}: call record/stop or record/discard first")
        self._discover()
        silent = [topic for topic in self._wanted if not self.count_publishers(topic)]
        if silent:
            raise ClamError(f"nobody publishes {', '.join(silent)}: start its node, or take it out of `topics`")
        about: dict[str, Any] = {name: self.value(name) for name in ("env", "task", "kind", "operator")}
        versions = {**episode_file.software(), self._backend: backend_version(self._backend)}
        recipe = Recipe(
            topics=dict(self._types),
            about={**about, "software": versions},
            open_bag=BACKENDS[self._backend],
            read_status=self._decode_status,
            status_topic=self._status_topic,
            queue_bytes=self.value("queue_size") * 2**20,
        )
        self._episode = EpisodeRecorder(episode_file.next_folder(self._out), recipe)
        self._fault = ""
        return self._episode.folder

    async def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return await self._end(response, keep=True)

    async def _on_discard(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return await self._end(response, keep=False)

    async def _end(self, response: Trigger.Response, *, keep: bool) -> Trigger.Response:
        episode = self._episode
        if episode is None or self._ending:
            response.success = False
            response.message = "not recording: call record/start first" if episode is None else "already ending"
            return response
        self._ending = True
        if keep:
            await self._wait_until_quiet()
        episode.end(keep=keep)
        while not episode.ended:
            await sleep(self, 0.002)
        self._episode, self._ending = None, False
        self.counters["episodes kept" if keep else "episodes discarded"] += 1
        self.counters["messages dropped"] += episode.dropped
        response.success = not (keep and episode.error)
        if response.success:
            response.message = json.dumps(episode.summary())
        else:
            self._fault = episode.error
            response.message = f"{episode.error}; {episode.dropped} messages are lost, the rest is in the bag"
        return response

    async def _wait_until_quiet(self) -> None:
        """Until the tail is in: no message for `quiet_time`, at most four times that where topics never rest."""
        quiet, begin = self.value("quiet_time"), time.monotonic()
        while True:
            now = time.monotonic()
            rest = min(quiet - (now - max(begin, self._last_message)), 4 * quiet - (now - begin))
            if rest <= 0:
                return
            await sleep(self, rest)


def _message_class(kind: str) -> type:
    package, _, name = kind.partition("/msg/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ClamError(f"message type '{kind}' is not installed ({error}): check parameter `topics`") from error


def main() -> int:
    """Console script."""
    return run(Recorder)


if __name__ == "__main__":
    raise SystemExit(main())
