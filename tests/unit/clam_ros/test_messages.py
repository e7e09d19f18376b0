"""Messages to vectors and back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2 message packages")

from clam_ros.messages import (
    ChunkWriter,
    CommandReader,
    CommandWriter,
    MessageRefused,
    NamedVectorReader,
    NamedVectorWriter,
    StateReader,
    StatusReader,
)
from clam_ros.names import IN_BAND, STATUS_FIELDS
from clam_ros.stamps import to_duration, to_ns, to_time


@pytest.mark.parametrize("ns", [0, 1, 999_999_999, 1_000_000_000, 1_795_243_500_123_456_789])
def test_stamps_round_trip(ns: int) -> None:
    assert to_ns(to_time(ns)) == ns
    assert to_ns(to_duration(ns)) == ns


def test_vectors_round_trip_bit_for_bit_and_a_reused_message_holds_only_the_last() -> None:
    values = np.array([np.pi, -0.0, 1e-308])
    writer, reader = NamedVectorWriter(("a", "b", "c")), NamedVectorReader(("a", "b", "c"))
    assert reader.read(writer.message(5, values)).tobytes() == values.tobytes()
    np.testing.assert_array_equal(reader.read(writer.message(6, values + 1)), values + 1)


def test_a_reader_notices_when_names_change() -> None:
    reader = NamedVectorReader(("a", "b"))
    assert reader.read(NamedVectorWriter(("a", "b")).message(0, [1, 2])).tolist() == [1, 2]
    assert reader.read(NamedVectorWriter(("b", "x", "a")).message(0, [2, 0, 1])).tolist() == [1, 2]
    with pytest.raises(MessageRefused, match="missing names: b"):
        reader.read(NamedVectorWriter(("a", "x")).message(0, [1, 2]))


def test_state_reader_splits_off_the_episode_and_does_without_it() -> None:
    reader = StateReader(("a",))
    sample = reader.read(NamedVectorWriter(("a", *IN_BAND)).message(8, [0.5, 3, 4]))
    assert (sample.stamp, sample.state.tolist(), sample.episode, sample.step) == (8, [0.5], 3, 4)
    sample = reader.read(NamedVectorWriter(("a",)).message(9, [0.25]))
    assert (sample.state.tolist(), sample.episode, sample.step) == ([0.25], None, None)


def test_status_round_trip() -> None:
    status = StatusReader().read(NamedVectorWriter(STATUS_FIELDS).message(8, [1, 2, 3, 0.5, 1.5, 1, 0]))
    assert (status.episode, status.step, status.seed, status.stamp) == (1, 2, 3, 8)
    assert (status.reward, status.episode_return, status.success, status.done) == (0.5, 1.5, True, False)


def test_commands_round_trip_in_any_order_of_joints() -> None:
    reader = CommandReader(("a", "b"))
    assert reader.read(CommandWriter(("a", "b")).message(1, [1, 2])).tolist() == [1, 2]
    assert reader.read(CommandWriter(("b", "a")).message(1, [2, 1])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("names", "action", "why"),
    [
        (("a", "c"), [1, 2], "joint names"),
        (("a",), [1], "joint names"),
        (("a", "b"), [1], "2 joint names but 1"),
        (("a", "b"), [1, np.nan], "not finite"),
    ],
)
def test_unsound_commands_are_refused(names: tuple[str, ...], action: list[float], why: str) -> None:
    with pytest.raises(MessageRefused, match=why):
        CommandReader(("a", "b")).read(CommandWriter(names).message(0, action))


def test_a_command_has_one_point() -> None:
    chunk = ChunkWriter(("a",), 3, rate=10.0).message(0, np.zeros((3, 1)))
    with pytest.raises(MessageRefused, match="one point"):
        CommandReader(("a",)).read(chunk)
