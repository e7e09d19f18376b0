"""What a bundle needs of a robot's ROS graph, and what was heard there. Plain data: listening is somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import numpy.typing as npt

from clam_core.spec import EnvironmentSpec

STATE_TYPE = "sensor_msgs/msg/JointState"


@dataclass(frozen=True)
class Needs:
    """`state_topic` (empty: none) with the entries `state_names`, and `cameras`: topic → camera, of `image_type`.

    `max_age` [s]: older observations are refused. `each_counts`: every state message is an observation of its own.
    """

    spec: EnvironmentSpec
    chunk: int
    state_topic: str
    state_names: tuple[str, ...]
    cameras: Mapping[str, str]
    image_type: str
    max_age: float
    each_counts: bool = False

    @property
    def types(self) -> dict[str, str]:
        """Topic → type of everything that is needed, the state first."""
        return ({self.state_topic: STATE_TYPE} if self.state_topic else {}) | dict.fromkeys(
            self.cameras, self.image_type
        )


@dataclass(frozen=True)
class Stream:
    """Of each message of a topic the stamp and when it came [ns], both by the ROS clock."""

    stamps: tuple[int, ...] = ()
    arrivals: tuple[int, ...] = ()

    @property
    def rate(self) -> float:
        """Messages per second as they came; 0 for fewer than two."""
        span = self.arrivals[-1] - self.arrivals[0] if len(self.arrivals) > 1 else 0
        return (len(self.arrivals) - 1) / span * 1e9 if span > 0 else 0.0

    @property
    def longest_pause(self) -> float:
        """Between two messages [s]; 0 for fewer than two."""
        return max(np.diff(self.arrivals), default=0) / 1e9

    @property
    def age(self) -> float:
        """Of a message when it comes, median [s]; negative: stamps lie in the future."""
        return median(a - s for a, s in zip(self.arrivals, self.stamps, strict=True)) / 1e9


@dataclass(frozen=True)
class JointNames:
    """Names and positions of the newest JointState of a topic."""

    names: tuple[str, ...]
    positions: tuple[float, ...]


@dataclass(frozen=True)
class Seen:
    """A camera's newest image: its size [pixels] and encoding as it came, and `picture` ``(H, W, 3)`` as the policy
    gets it; without one, `problem` says why.
    """

    height: int = 0
    width: int = 0
    encoding: str = ""
    picture: npt.NDArray[np.uint8] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Heard:
    """What there was in the `seconds` before `now` [ns, ROS clock].

    `streams`, `joints`: by topic as `Needs` names it. `seen`: by camera. `offered`: topic → types of its publishers,
    of every topic that is needed. `topics`: every topic that is published, by full name → type; `namespace` is that of
    the topics that are needed. `other_commanders`: how many more publish commands.
    """

    now: int
    seconds: float
    streams: Mapping[str, Stream] = field(default_factory=dict)
    joints: Mapping[str, JointNames] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "/"
    use_sim_time: bool = False
    clock_publishers: int = 0
    command_listeners: int = 0
    other_commanders: int = 0
