"""What a bundle must be shown, and how messages become it: topics, state entries by name, images of its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from clam_core.spec import EnvironmentSpec
from clam_policy.observation_join import Together
from clam_policy.policy_runner import Refused, Sample
from clam_ros import names
from clam_ros.images import ImageReader
from clam_ros.messages import MessageRefused, StateReader, StateSample

FINGERS = ("left_finger", "right_finger")  # the driver's joints that no command names


class Seeing(Protocol):
    """What the assembly needs of `clam_core.deploy.Policy`."""

    @property
    def spec(self) -> EnvironmentSpec: ...
    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def state_names(self) -> tuple[str, ...]: ...


def state_topic(policy: Seeing, wanted: str, *, lockstep: bool) -> str:
    """Topic of the state: `wanted` unless empty; else that which has all that the networks look at.

    In lockstep that is the simulator's, which also says where episodes begin. Otherwise ``joint_states`` where joints
    are enough, and none for a policy that only looks through cameras.
    """
    if wanted or lockstep:
        return wanted or names.OBSERVATION
    if not policy.state_names:
        return "" if policy.cameras else names.OBSERVATION
    joints = {*policy.spec.action.names, *FINGERS}
    return names.JOINT_STATES if joints.issuperset(policy.state_names) else names.OBSERVATION


class Assembly:
    """Builds the samples of one policy. `camera_topics`: topic → camera; `log` hears once how images are resized."""

    def __init__(
        self, policy: Seeing, topic: str, camera_topics: dict[str, str], compressed: bool, log: Callable[[str], None]
    ) -> None:
        spec = policy.spec.observation
        self._topic, self._cameras = topic, camera_topics
        self._size = len(spec.names)
        self._indices = np.array([spec.names.index(name) for name in policy.state_names], dtype=np.intp)
        self._reader = StateReader(policy.state_names)
        sizes = {camera.name: (camera.height, camera.width) for camera in spec.cameras}
        self._images = {camera: ImageReader(*sizes[camera], compressed=compressed) for camera in camera_topics.values()}
        self._log = log
        self._seen: set[str] = set()

    @property
    def streams(self) -> Sequence[str]:
        """All topics, the state's first."""
        return [*([self._topic] if self._topic else []), *self._cameras]

    def read_state(self, message: Any) -> StateSample:
        """The state entries that the policy looks at, of a JointState.

        Raises:
            MessageRefused: entries are missing or broken; names the topic.
        """
        try:
            return self._reader.read(message)
        except MessageRefused as refusal:
            raise MessageRefused(f"'{self._topic}': {refusal}") from refusal

    def sample(self, together: Together[Any]) -> Sample:
        """State ``(D,)``, zero where nobody looks, and images from messages that belong together.

        Raises:
            Refused: an image cannot be read.
        """
        state, episode, step = np.zeros(self._size), None, None
        if self._topic:
            read: StateSample = together.messages[self._topic]
            state[self._indices] = read.state
            episode, step = read.episode, read.step
        images = {}
        for topic, camera in self._cameras.items():
            reader = self._images[camera]
            try:
                images[camera] = reader.read(together.messages[topic])
            except MessageRefused as refusal:
                raise Refused(f"image refused: '{topic}': {refusal}") from refusal
            if camera not in self._seen:
                self._seen.add(camera)
                self._log(f"'{topic}': {reader.how}")
        return Sample(together.stamp, state, episode, step, images)
