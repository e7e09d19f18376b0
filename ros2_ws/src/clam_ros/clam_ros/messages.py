"""Messages to vectors and back, at lockstep speed.

Checking 41 strings or assigning a Python list costs more than the DDS transport, so writers keep one message
and change only its numbers, and readers remember which names they resolved last.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from clam_ros.names import EPISODE_INDEX, EPISODE_STEP, IN_BAND, STATUS_FIELDS
from clam_ros.stamps import set_stamp, to_duration, to_ns

Vector = npt.NDArray[np.float64]


class MessageRefused(Exception):
    """A message that must not be acted upon; says what is wrong with it in one line."""


def _array(values: npt.ArrayLike) -> array[float]:
    return array("d", np.ascontiguousarray(values, dtype=np.float64).tobytes())


class NamedVectorWriter:
    """Builds JointState messages of fixed `names`. Not thread-safe: the message is reused."""

    def __init__(self, names: Sequence[str]) -> None:
        self._message = JointState(name=list(names))

    def message(self, stamp: int, values: npt.ArrayLike, velocities: npt.ArrayLike | None = None) -> JointState:
        """The message with `stamp` [ns] and positions `values` ``(D,)``; valid until the next call."""
        set_stamp(self._message.header.stamp, stamp)
        self._message.position = _array(values)
        if velocities is not None:
            self._message.velocity = _array(velocities)
        return self._message


class NamedVectorReader:
    """Picks `names` out of JointState messages, whatever their order and whatever else they carry."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._seen: list[str] | None = None
        self._indices: npt.NDArray[np.intp] = np.empty(0, np.intp)

    def read(self, message: JointState) -> Vector:
        """Positions of the names ``(D,)``.

        Raises:
            MessageRefused: a name is missing, or names and positions differ in number.
        """
        if message.name != self._seen:
            self._resolve(message.name)
        if len(message.position) != len(message.name):
            raise MessageRefused(f"{len(message.name)} names but {len(message.position)} positions")
        return np.array(message.position, dtype=np.float64)[self._indices]

    def _resolve(self, names: Sequence[str]) -> None:
        where = {name: index for index, name in enumerate(names)}
        missing = [name for name in self.names if name not in where]
        if missing:
            listed = ", ".join(missing[:5]) + (f", … ({len(missing)} in all)" if len(missing) > 5 else "")
            raise MessageRefused(f"missing names: {listed}")
        self._indices = np.array([where[name] for name in self.names], dtype=np.intp)
        self._seen = list(names)


@dataclass(frozen=True)
class StateSample:
    """One observation/state: `stamp` [ns], values ``(D,)``, and the episode's index and step (None on a
    robot).
    """

    stamp: int
    state: Vector
    episode: int | None
    step: int | None


class StateReader:
    """Reads observation/state. Without `names`, everything except the in-band fields is the state."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = names
        self._seen: list[str] | None = None
        self._reader = NamedVectorReader(())
        self._in_band = False

    def read(self, message: JointState) -> StateSample:
        """The sample.

        Raises:
            MessageRefused: a name is missing, or names and positions differ in number.
        """
        if message.name != self._seen:
            self._in_band = EPISODE_INDEX in message.name and EPISODE_STEP in message.name
            names = [name for name in message.name if name not in IN_BAND] if self._names is None else self._names
            self._reader = NamedVectorReader([*names, *(IN_BAND if self._in_band else ())])
            self._seen = None
        values = self._reader.read(message)
        self._seen = message.name
        stamp = to_ns(message.header.stamp)
        if not self._in_band:
            return StateSample(stamp, values, None, None)
        if not np.isfinite(values[-2:]).all():
            raise MessageRefused(f"{EPISODE_INDEX} and {EPISODE_STEP} are not finite")
        return StateSample(stamp, values[:-2], int(values[-2]), int(values[-1]))


@dataclass(frozen=True)
class Status:
    """One episode/status: what the transition that ends at `stamp` [ns] gave. At step 0 the reward is 0."""

    stamp: int
    episode: int
    step: int
    seed: int
    reward: float
    episode_return: float
    success: bool
    done: bool


class StatusReader:
    """Reads episode/status."""

    def __init__(self) -> None:
        self._reader = NamedVectorReader(STATUS_FIELDS)

    def read(self, message: JointState) -> Status:
        """The status.

        Raises:
            MessageRefused: a field is missing or an index is not finite.
        """
        index, step, seed, reward, episode_return, success, done = self._reader.read(message).tolist()
        if not np.isfinite([index, step, seed]).all():
            raise MessageRefused("index, step or seed is not finite")
        return Status(
            stamp=to_ns(message.header.stamp),
            episode=int(index),
            step=int(step),
            seed=int(seed),
            reward=reward,
            episode_return=episode_return,
            success=bool(success),
            done=bool(done),
        )


class CommandWriter:
    """Builds one-point JointTrajectory commands. Not thread-safe: the message is reused."""

    def __init__(self, names: Sequence[str]) -> None:
        self._point = JointTrajectoryPoint()
        self._message = JointTrajectory(joint_names=list(names), points=[self._point])

    def message(self, stamp: int, action: npt.ArrayLike) -> JointTrajectory:
        """The command that answers the observation of `stamp` [ns]; `action` ``(A,)``."""
        set_stamp(self._message.header.stamp, stamp)
        self._point.positions = _array(action)
        return self._message


class CommandReader:
    """Reads commands of exactly the joints `names`, in any order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def read(self, message: JointTrajectory) -> Vector:
        """The action ``(A,)``.

        Raises:
            MessageRefused: other joints, not one point, another size, or a number that is not finite.
        """
        if len(message.points) != 1:
            raise MessageRefused(f"a command has one point, this one has {len(message.points)}")
        positions = np.array(message.points[0].positions, dtype=np.float64)
        if len(positions) != len(message.joint_names):
            raise MessageRefused(f"{len(message.joint_names)} joint names but {len(positions)} positions")
        if message.joint_names != self.names:
            if sorted(message.joint_names) != sorted(self.names):
                got, wanted = ", ".join(message.joint_names), ", ".join(self.names)
                raise MessageRefused(f"joint names are [{got}], this environment takes [{wanted}]")
            positions = positions[[message.joint_names.index(name) for name in self.names]]
        if not np.isfinite(positions).all():
            raise MessageRefused(f"positions are not finite: {positions.tolist()}")
        return positions


class ChunkWriter:
    """Builds policy/action_chunk messages: K points, `time_from_start` = k / rate."""

    def __init__(self, names: Sequence[str], chunk: int, rate: float) -> None:
        self._points = [JointTrajectoryPoint(time_from_start=to_duration(round(k * 1e9 / rate))) for k in range(chunk)]
        self._message = JointTrajectory(joint_names=list(names), points=self._points)

    def message(self, stamp: int, chunk: Vector) -> JointTrajectory:
        """The chunk ``(K, A)`` predicted from the observation of `stamp` [ns]."""
        set_stamp(self._message.header.stamp, stamp)
        for point, action in zip(self._points, chunk, strict=True):
            point.positions = _array(action)
        return self._message
