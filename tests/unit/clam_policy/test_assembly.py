"""A policy is shown what its networks look at, from the topic that has it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rclpy.serialization import serialize_message

from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec
from clam_policy.assembly import Assembly, state_topic
from clam_policy.observation_join import Together
from clam_policy.policy_runner import Refused
from clam_ros.images import ImageWriter
from clam_ros.messages import MessageRefused, NamedVectorWriter

NAMES = ("block_x", "waist", "gripper")
TOPIC = "camera/external/image_raw"
SPEC = EnvironmentSpec(
    env="test",
    task="arm",
    observation=ObservationSpec(NAMES, ("m", "rad", "m"), (CameraSpec("external", 4, 4),)),
    action=ActionSpec(("waist", "gripper"), ("rad", "m"), (-1.0, 0.0), (1.0, 1.0)),
    rate=5.0,
    max_steps=100,
)


@dataclass(frozen=True)
class Seeing:
    """Names and cameras of a policy."""

    state_names: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    spec: EnvironmentSpec = SPEC


@pytest.mark.parametrize(
    ("names", "cameras", "lockstep", "topic"),
    [
        (("waist", "gripper"), (), False, "joint_states"),
        (("gripper", "left_finger"), ("external",), False, "joint_states"),
        (("waist", "block_x"), ("external",), False, "observation/state"),
        (("waist", "gripper"), (), True, "observation/state"),
        ((), ("external",), False, ""),
        ((), ("external",), True, "observation/state"),
    ],
)
def test_the_state_comes_from_the_topic_that_has_it(names, cameras, lockstep, topic) -> None:
    assert state_topic(Seeing(names, cameras), "", lockstep=lockstep) == topic
    assert state_topic(Seeing(names, cameras), "elsewhere", lockstep=lockstep) == "elsewhere"


def test_entries_are_found_by_name_and_the_others_are_not_needed() -> None:
    assembly = Assembly(Seeing(("waist", "gripper")), "joint_states", {}, False, print)
    read = assembly.read_state(NamedVectorWriter(("gripper", "elbow", "waist")).message(7, [0.05, 9.0, 0.5]))
    sample = assembly.sample(Together(7, {"joint_states": read}))
    np.testing.assert_array_equal(sample.state, [0.0, 0.5, 0.05])
    assert sample.stamp == 7 and sample.episode is None and sample.images == {}
    with pytest.raises(MessageRefused, match="'joint_states': missing names: waist"):
        assembly.read_state(NamedVectorWriter(("gripper",)).message(8, [0.05]))


def test_images_get_the_bundle_s_size_and_what_was_done_is_said_once() -> None:
    said: list[str] = []
    assembly = Assembly(Seeing((), ("external",)), "", {TOPIC: "external"}, False, said.append)
    assert list(assembly.streams) == [TOPIC]
    data = serialize_message(ImageWriter("external").message(7, np.full((6, 8, 3), 9, dtype=np.uint8)))
    for _ in range(2):
        sample = assembly.sample(Together(7, {TOPIC: data}))
    np.testing.assert_array_equal(sample.images["external"], np.full((4, 4, 3), 9))
    assert said == [f"'{TOPIC}': 8x6 → 4x4, its middle"]


def test_an_image_that_cannot_be_read_is_refused_by_its_topic() -> None:
    assembly = Assembly(Seeing((), ("external",)), "", {TOPIC: "external"}, False, print)
    depth = ImageWriter("external", encoding="16UC1").message(7, np.zeros((6, 8), dtype=np.uint16))
    with pytest.raises(Refused, match=f"'{TOPIC}': encoding '16UC1'"):
        assembly.sample(Together(7, {TOPIC: serialize_message(depth)}))


def test_nobody_minds_what_the_networks_do_not_look_at() -> None:
    bare = replace(SPEC, observation=replace(SPEC.observation, cameras=()))
    assembly = Assembly(Seeing(("block_x",), spec=bare), "observation/state", {}, False, print)
    writer = NamedVectorWriter((*NAMES, "episode/index", "episode/step"))
    sample = assembly.sample(
        Together(7, {"observation/state": assembly.read_state(writer.message(7, [1.0, np.nan, np.nan, 3, 4]))})
    )
    np.testing.assert_array_equal(sample.state, [1.0, 0.0, 0.0])
    assert (sample.episode, sample.step) == (3, 4)
