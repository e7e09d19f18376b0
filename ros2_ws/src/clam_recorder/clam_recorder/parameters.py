"""The parameters of the recorder."""

from __future__ import annotations

from dataclasses import replace

from clam_core.errors import ClamError
from clam_recorder.bag_writer import BACKENDS
from clam_recorder.recorded_topics import (
    CAMERA_RATE,
    IMAGES,
    SESSIONS,
    RecordedTopic,
    session_topics,
    with_rates,
    with_topics,
)
from clam_recorder.topic_monitor import Limits
from clam_ros.node import Node


def declare_parameters(node: Node) -> None:
    """Declare all of them on `node`."""
    node.declare("out", "recordings", "Folder that the bags episode_0000, episode_0001, … go into.")
    node.declare("env", "", "Environment family or robot, for episode.yaml.")
    node.declare("task", "", "Task, for episode.yaml.")
    node.declare("kind", "expert", "expert, mixed, play or random, for episode.yaml.")
    node.declare("operator", "", "Who or what operates, for episode.yaml.")
    _declare_topics(node)
    node.declare("backend", "auto", "Library that writes the bags.", choices=("auto", *BACKENDS))
    about = "record/stop waits until all topics were silent for this long [s]; 0 to end at once."
    node.declare("quiet_time", 0.05, about, low=0.0, high=5.0)
    node.declare("queue_size", 256, "Bound on what waits to be written [MiB].", low=1, high=65536)
    about = "An episode ends before less than this is free on the disk [MiB]."
    node.declare("disk_reserve", 256, about, low=0, high=2**20)
    about = "Refuse to begin when the disk does not last for this long at the rate measured [min]."
    node.declare("disk_minutes", 10.0, about, low=0.0, high=10000.0)
    about = "How often to log the status where there is no terminal [s]; 0 for never."
    node.declare("status_period", 5.0, about, low=0.0, high=3600.0)


def _declare_topics(node: Node) -> None:
    about = "What is recorded by default, and whether it must flow before an episode begins."
    node.declare("session", "simulator", about, choices=SESSIONS)
    node.declare("topics", [""], "Topics instead of the session's: `topic` or `topic:package/msg/Type`.")
    node.declare("cameras", [""], "Cameras to record too, by their names.")
    node.declare("images", "compressed", "Of a robot's cameras: camera/NAME/compressed or image_raw.", choices=IMAGES)
    about = "Rate that a robot's cameras must have [Hz]; 0 for any."
    node.declare("camera_rate", CAMERA_RATE, about, low=0.0, high=1000.0)
    node.declare("required", [""], "Rates that topics must have, `topic:hz`, beside the session's; 0 for any.")
    limits = Limits()
    about = "Share by which a rate may differ from the one required."
    node.declare("rate_tolerance", limits.tolerance, about, low=0.01, high=1.0)
    about = "A required topic may be silent for so long [s], or for three periods."
    node.declare("stale_after", limits.stale_after, about, low=0.05, high=60.0)
    about = "Its stamps may differ so much from this machine's clock [s]."
    node.declare("stamp_age", limits.stamp_age, about, low=0.01, high=3600.0)


def topics_of(node: Node) -> list[RecordedTopic]:
    """Those that the parameters of `node` say, by their full names.

    Raises:
        ClamError: a name is none, or `required` is wrong.
    """
    topics = session_topics(
        node.value("session"), node.value("cameras"), node.value("images"), node.value("camera_rate")
    )
    topics = with_rates(with_topics(topics, node.value("topics")), node.value("required"))
    return [replace(item, topic=_full_name(node, item.topic)) for item in topics]


def _full_name(node: Node, topic: str) -> str:
    try:
        return node.resolve_topic_name(topic)
    except RuntimeError as error:  # of rcl
        why = str(error).partition(": ")[2].partition(", at ")[0]
        raise ClamError(f"'{topic}' is no topic ({why}): check `topics` and `cameras`") from error
