"""A robot with an arm of two joints and one camera, as a bundle needs it, and heard as it should be."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clam_core.deploy.camera_view import CameraView
from clam_core.deploy.view_calibration import calibrate
from clam_core.doctor.heard import STATE_TYPE, Heard, JointNames, Needs, Seen, Stream
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec

from ...conftest import scene

STATE, IMAGE = "joint_states", "camera/top/image_raw"
IMAGE_TYPE = "sensor_msgs/msg/Image"
SPEC = EnvironmentSpec(
    env="test",
    task="arm",
    observation=ObservationSpec(("waist", "gripper"), ("rad", "m"), (CameraSpec("top", 32, 32),)),
    action=ActionSpec(("waist", "gripper"), ("rad", "m"), (-2.0, 0.0), (2.0, 0.1)),
    rate=5.0,
    max_steps=100,
)
NOW = 1_000 * 10**9


def stream(rate: float, age: float = 0.02, seconds: float = 3.0) -> Stream:
    """Messages up to now, `age` [s] old when they come."""
    arrivals = tuple(NOW - round(k / rate * 1e9) for k in reversed(range(round(rate * seconds))))
    return Stream(tuple(arrival - round(age * 1e9) for arrival in arrivals), arrivals)


@dataclass
class Robot:
    """Change what is not as it should be, then ask for `heard`."""

    streams: dict[str, Stream] = field(default_factory=lambda: {STATE: stream(50.0), IMAGE: stream(30.0, 0.05)})
    joints: dict[str, JointNames] = field(
        default_factory=lambda: {STATE: JointNames(("waist", "elbow", "gripper"), (0.5, 9.0, 0.05))}
    )
    seen: dict[str, Seen] = field(default_factory=lambda: {"top": Seen(32, 32, "rgb8", scene())})
    offered: dict[str, tuple[str, ...]] = field(default_factory=lambda: {STATE: (STATE_TYPE,), IMAGE: (IMAGE_TYPE,)})
    topics: dict[str, str] = field(default_factory=lambda: {"/" + STATE: STATE_TYPE, "/" + IMAGE: IMAGE_TYPE})
    more: dict[str, object] = field(default_factory=lambda: {"command_listeners": 1})

    @property
    def heard(self) -> Heard:
        return Heard(NOW, 3.0, self.streams, self.joints, self.seen, self.offered, self.topics, **self.more)  # type: ignore[arg-type]


@pytest.fixture
def robot() -> Robot:
    return Robot()


@pytest.fixture
def needs() -> Needs:
    return Needs(SPEC, 5, STATE, ("waist", "gripper"), {IMAGE: "top"}, IMAGE_TYPE, 0.5)


@pytest.fixture
def view() -> CameraView:
    return calibrate(scene()[None], [scene()], [scene(7)])
