"""What the topics of an episode are called: as the user says, or as a bag shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clam_core.data.bag_images import camera_topics

STATE_TOPIC, COMMAND_TOPIC, STATUS_TOPIC = "/observation/state", "/command", "/episode/status"
JOINT_TOPIC = "/joint_states"  # what a robot has for a state


@dataclass(frozen=True)
class Topics:
    """Names of the topics that make an episode; `cameras` (name → topic) beside those that a bag shows to have.

    Where one is None, the bag tells: `STATE_TOPIC`, or else `JOINT_TOPIC`, `COMMAND_TOPIC` and `STATUS_TOPIC`, or the
    only topic of that name in a namespace.
    """

    state: str | None = None
    command: str | None = None
    status: str | None = None
    cameras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicNames:
    """What the topics of one bag are called."""

    state: str
    command: str
    status: str

    @classmethod
    def of_bag(cls, in_bag: Iterable[str], topics: Topics) -> TopicNames:
        """Those of `topics`, else those that the bag's topics `in_bag` show."""
        return cls(
            topics.state or _find(in_bag, STATE_TOPIC, JOINT_TOPIC),
            topics.command or _find(in_bag, COMMAND_TOPIC),
            topics.status or _find(in_bag, STATUS_TOPIC),
        )

    @property
    def namespace(self) -> str:
        """What stands before the state's own name; empty or ``/robot``."""
        for name in (STATE_TOPIC, JOINT_TOPIC):
            if self.state.endswith(name):
                return self.state.removesuffix(name)
        return ""


def _find(in_bag: Iterable[str], *names: str) -> str:
    """The first of `names` that is in the bag, else the only topic there that ends so; the first name if none is."""
    known = set(in_bag)
    for name in names:
        if name in known:
            return name
    for name in names:
        matches = [topic for topic in known if topic.endswith(name)]
        if len(matches) == 1:
            return matches[0]
    return names[0]


def camera_topics_of(in_bag: dict[str, str], namespace: str) -> dict[str, str]:
    """Camera name → topic; the bag's namespace is no part of a camera's name."""
    plain = {topic.removeprefix(namespace): kind for topic, kind in in_bag.items()}
    back = {topic.removeprefix(namespace): topic for topic in in_bag}
    return {name: back[topic] for name, topic in camera_topics(plain).items()}
