"""From the messages of a bag to an episode: match by stamp, prove that nothing is missing, or say why not.

A simulated episode carries its index and step in every observation, so a lost message shows. A real robot's
carries none: there the stamps must be evenly spaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.bag_description import UNFINISHED, ended_early, sag_remarks
from clam_core.data.bag_reader import CameraStream, Recording, Series, difference
from clam_core.data.bag_spec import EPISODE_INDEX, EPISODE_STEP
from clam_core.data.bag_timing import (
    GAP,
    NoMessageError,
    check_clock,
    common_ticks,
    in_force,
    measured_period,
    nearest,
    on_stamp_clock,
    timing,
)
from clam_core.data.episode import Episode
from clam_core.data.importing import EpisodeError
from clam_core.operators import KINDS, keep_episode
from clam_core.spec import EnvironmentSpec

LIMIT_TOLERANCE = 1e-6  # of the action limits: float32 was in between somewhere
RATE_TOLERANCE = 0.05  # share by which the measured rate may differ from the spec's


@dataclass(frozen=True)
class Alignment:
    """How the streams of a robot's bag become steps.

    Attributes:
        rate: decisions per second to resample to [Hz]; None: every state message is a step.
        tolerance: how far a message may be from its step [s]; None: half a period.
    """

    rate: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Joined:
    """A recording whose messages fit together; its `episode` still lacks the images.

    `frames` (camera → numbers ``(T+1,)`` of its messages), and remarks about the recording.
    """

    episode: Episode
    frames: dict[str, npt.NDArray[np.int64]]
    notes: tuple[str, ...]


def join(
    recording: Recording,
    spec: EnvironmentSpec,
    *,
    actions: bool,
    kind: str,
    alignment: Alignment | None = None,
) -> Joined:
    """The episode in `recording`, with the cameras of `spec`.

    Raises:
        EpisodeError: it is not sound.
    """
    alignment = alignment or Alignment()
    early = ended_early(recording.description) or (UNFINISHED if recording.recovered else None)
    notes = [f"recovered: {early}"] if early else []
    notes += sag_remarks(recording.description)
    state = _observations(recording)
    command = _commands(recording, state) if actions else None
    in_band = EPISODE_STEP in state.names
    cameras = _cameras(recording, spec, in_band)
    measured: dict[str, dict[str, Any]] = {}
    if in_band:
        _check_steps(state)
        own = 1.0 / measured_period(state.stamps)
        if alignment.rate is not None and abs(own - alignment.rate) > RATE_TOLERANCE * alignment.rate:
            raise EpisodeError(f"a simulator's steps come at {own:.2f} Hz, not {alignment.rate:g}; leave --rate out")
    else:
        check_clock(state.stamps, state.received, recording.names.state)
        if recording.description.get("dropped"):
            raise EpisodeError(f"its recorder dropped {recording.description['dropped']} messages")
        if alignment.rate is not None:
            others = [camera.stamps for camera in cameras.values()]
            if command is not None:
                late = round(1e9 / alignment.rate)  # the last observation needs no command
                others.append(np.append(command.stamps, command.stamps[-1] + late))
            state, measured[recording.names.state] = _resampled(state, others, alignment, recording.names.state)
        _check_spacing(state, spec)
    tolerance = alignment.tolerance or 0.5 * measured_period(state.stamps)
    frames = {}
    for name, stream in cameras.items():
        with _hint(alignment):
            frames[name] = nearest(stream.stamps, state.stamps, tolerance, stream.topic)
        measured[stream.topic] = timing(stream.stamps, state.stamps, frames[name])
    states = _in_order(state, spec.observation.names, recording.names.state)
    matched = None
    if command is not None:
        with _hint(alignment):
            matched, extra = _actions(command, state, spec, alignment, recording.names.command)
        notes += [f"{extra} commands outside the episode ignored"] if extra else []
    rewards, successes, seed = _status(recording, state, in_band)
    success = bool(successes.any())
    if recording.status is None and recording.description.get("success") is None:
        notes.append("success unknown: neither episode/status nor episode.yaml tells; stored as false")
    elif kind in KINDS and not keep_episode(kind, success):
        raise EpisodeError(f"a {'successful' if success else 'failed'} episode does not belong into {kind} data")
    stamps = (state.stamps - state.stamps[0]) * 1e-9
    metadata = {"bag": recording.bag.name, **({"timing": measured} if measured else {})}
    episode = Episode({"state": states}, matched, rewards, successes, seed, metadata, stamps)
    return Joined(episode, frames, (*notes, *_remarks(measured)))


@contextmanager
def _hint(alignment: Alignment) -> Iterator[None]:
    """Where every state is a step and another stream has no message for one, say what helps."""
    try:
        yield
    except NoMessageError as error:
        hint = "" if alignment.rate is not None else "; where streams have other rates, give --rate"
        raise EpisodeError(f"{error}{hint}") from error


def _cameras(recording: Recording, spec: EnvironmentSpec, in_band: bool) -> dict[str, CameraStream]:
    """The streams of the spec's cameras, their clocks checked (a simulator's own time may run as it likes)."""
    cameras = {}
    for camera in spec.observation.cameras:
        if camera.name not in recording.cameras:
            raise EpisodeError(f"no images of camera '{camera.name}'; the bag has {recording.listed_topics()}")
        stream = cameras[camera.name] = recording.cameras[camera.name]
        if not in_band:
            check_clock(stream.stamps, stream.received, stream.topic)
    return cameras


def _resampled(
    state: Series, others: list[npt.NDArray[np.int64]], alignment: Alignment, topic: str
) -> tuple[Series, dict[str, Any]]:
    """`state` at the policy's rate while there are `others` (stamps [ns]) too, and how well it kept time."""
    assert alignment.rate is not None
    ticks = common_ticks([state.stamps, *others], alignment.rate)
    tolerance = alignment.tolerance or 0.5 / alignment.rate
    rows = nearest(state.stamps, ticks, tolerance, topic)
    received = ticks + (state.received - state.stamps)[rows]
    measured = timing(state.stamps, ticks, rows)
    return replace(state, stamps=ticks, received=received, values=state.values[rows]), measured


def _remarks(measured: dict[str, dict[str, Any]]) -> list[str]:
    """What is worth saying about the timing of streams."""
    remarks = []
    for topic, facts in measured.items():
        if facts["dropped"]:
            gap = facts["longest_gap"]
            remarks.append(f"{facts['dropped']} messages of '{topic}' dropped, longest gap {gap:.3f} s")
        if facts["repeated"]:
            remarks.append(f"{facts['repeated']} steps show the message of '{topic}' that the step before showed")
    return remarks


def _observations(recording: Recording) -> Series:
    """The state messages, repeats of the same message removed."""
    if recording.state is None:
        raise EpisodeError(f"no messages on topic '{recording.names.state}'; the bag has {recording.listed_topics()}")
    state = _unique(recording.state, "observation")
    if not np.isfinite(state.values).all():
        row, column = np.argwhere(~np.isfinite(state.values))[0]
        raise EpisodeError(f"observation {row} has {state.values[row, column]} in '{state.names[column]}'")
    backward = np.flatnonzero(np.diff(state.stamps) <= 0)
    if len(backward):
        raise EpisodeError(f"stamps go back after observation {backward[0]}; they must grow")
    if len(state.stamps) < 2:
        raise EpisodeError(f"{len(state.stamps)} observation; an episode has at least two")
    return state


def _unique(series: Series, what: str) -> Series:
    """`series` without repeats (lockstep sends a message again when no answer comes); first of each stamp."""
    first: dict[int, int] = {}
    for row, stamp in enumerate(series.stamps.tolist()):
        known = first.setdefault(stamp, row)
        if not np.array_equal(series.values[known], series.values[row], equal_nan=True):
            raise EpisodeError(f"two different messages of {what} at stamp {stamp * 1e-9:.6f} s")
    rows = list(first.values())
    return replace(series, stamps=series.stamps[rows], received=series.received[rows], values=series.values[rows])


def _check_steps(state: Series) -> None:
    indices = np.unique(state.column(EPISODE_INDEX)) if EPISODE_INDEX in state.names else np.zeros(1)
    if len(indices) > 1:
        raise EpisodeError(f"{len(indices)} episodes in one bag (episode/index {indices.astype(int).tolist()[:5]})")
    steps = state.column(EPISODE_STEP).astype(int)
    if steps[0] != 0:
        raise EpisodeError(f"the first observation is step {steps[0]}, not 0: the beginning is missing")
    jumps = np.flatnonzero(np.diff(steps) != 1)
    if len(jumps):
        raise EpisodeError(f"step {steps[jumps[0]] + 1} is missing: {steps[jumps[0] + 1]} follows {steps[jumps[0]]}")


def _check_spacing(state: Series, spec: EnvironmentSpec) -> None:
    period = measured_period(state.stamps)
    if abs(1.0 / period - spec.rate) > RATE_TOLERANCE * spec.rate:
        raise EpisodeError(f"observations come at {1.0 / period:.2f} Hz, expected {spec.rate:.2f} Hz")
    gaps = np.flatnonzero(np.diff(state.stamps) * 1e-9 > GAP * period)
    if len(gaps):
        gap = (state.stamps[gaps[0] + 1] - state.stamps[gaps[0]]) * 1e-9
        dropped = f"a frame was dropped: {gap:.3f} s after observation {gaps[0]}, period {period:.3f} s"
        raise EpisodeError(f"{dropped}; a robot's recording wants --rate, e.g. --rate 5")


def _in_order(series: Series, names: tuple[str, ...], topic: str) -> npt.NDArray[np.float64]:
    """Columns of `series` in the order of `names`."""
    found = [name for name in series.names if name not in (EPISODE_INDEX, EPISODE_STEP)]
    if set(found) != set(names):
        raise EpisodeError(f"names in '{topic}' are not those expected: {difference(names, found)}")
    return series.values[:, [series.names.index(name) for name in names]]


def _commands(recording: Recording, state: Series) -> Series:
    """The command messages in the order of their stamps.

    Stamp 0 means "now" to a trajectory controller: where all have it, they are stamped by their arrival.
    """
    if recording.command is None:
        raise EpisodeError(
            f"no messages on topic '{recording.names.command}'; the bag has {recording.listed_topics()} "
            "(import with --no-actions for an unlabeled dataset)"
        )
    command = recording.command
    if not command.stamps.any():
        if EPISODE_STEP in state.names:  # a lockstep simulator's time stands still while it waits
            stamps = np.interp(command.received, state.received, state.stamps).round().astype(np.int64)
        else:
            stamps = on_stamp_clock(command.received, state.stamps, state.received)
        command = replace(command, stamps=stamps)
    else:
        command = _unique(command, "command")
    order = np.argsort(command.stamps, kind="stable")
    return replace(
        command, stamps=command.stamps[order], received=command.received[order], values=command.values[order]
    )


def _actions(
    command: Series, state: Series, spec: EnvironmentSpec, alignment: Alignment, topic: str
) -> tuple[npt.NDArray[np.float64], int]:
    """Actions ``(T, A)``, one for every observation but the last, and how many commands answered none."""
    when = state.stamps
    if alignment.rate is None:
        chosen, extra = _match(command.stamps, when, alignment.tolerance)
    else:
        tolerance, extra = alignment.tolerance or 0.5 / alignment.rate, 0
        chosen = np.append(in_force(command.stamps, when, tolerance, topic), -1)
    missing = np.flatnonzero(chosen[:-1] < 0)
    if len(missing):
        raise NoMessageError(f"no command for observation {missing[0]} ({len(missing)} of {len(chosen) - 1} missing)")
    values = _in_order(command, spec.action.names, topic)[chosen[:-1]]
    low, high = np.asarray(spec.action.low), np.asarray(spec.action.high)
    slack = LIMIT_TOLERANCE * np.maximum(1.0, np.abs(high - low))
    bad = np.argwhere(~((values >= low - slack) & (values <= high + slack)))
    if len(bad):
        row, column = bad[0]
        raise EpisodeError(
            f"action '{spec.action.names[column]}' is {values[row, column]:g} at step {row}, "
            f"limits {low[column]:g} to {high[column]:g}"
        )
    return np.clip(values, low, high), extra


def _match(
    commands: npt.NDArray[np.int64], when: npt.NDArray[np.int64], tolerance: float | None
) -> tuple[npt.NDArray[np.int64], int]:
    """For each observation the row of its command, −1 for none; and how many commands fit no observation.

    A command that bears the stamp of an observation answers that one. Any other belongs to the nearest
    observation within `tolerance` [s], by default half a period; of several, the nearest counts.
    """
    half = np.median(np.diff(when)) / 2 if tolerance is None else tolerance * 1e9
    right = np.clip(np.searchsorted(when, commands), 1, len(when) - 1)
    nearest = np.where(commands - when[right - 1] <= when[right] - commands, right - 1, right)
    distance = np.abs(commands - when[nearest])
    chosen = np.full(len(when), -1, dtype=np.int64)
    best = np.full(len(when), np.inf)
    for row in np.flatnonzero(distance <= half):
        if distance[row] < best[nearest[row]]:
            chosen[nearest[row]], best[nearest[row]] = row, distance[row]
    return chosen, int((distance > half).sum())


def _status(
    recording: Recording, state: Series, in_band: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], int | None]:
    """Rewards ``(T,)``, successes ``(T,)`` and the seed. Without status messages only episode.yaml speaks."""
    steps = len(state.stamps) - 1
    described = recording.description.get("seed")
    if recording.status is None:
        if in_band:
            raise EpisodeError(
                f"no messages on topic '{recording.names.status}'; the bag has {recording.listed_topics()}"
            )
        successes = np.zeros(steps, dtype=bool)
        successes[-1] = bool(recording.description.get("success"))
        return np.zeros(steps), successes, described if isinstance(described, int) else None
    status = _unique(recording.status, "episode/status")
    rows = {stamp: row for row, stamp in enumerate(status.stamps.tolist())}
    missing = [i for i, stamp in enumerate(state.stamps.tolist()) if i and stamp not in rows]
    if missing:
        raise EpisodeError(f"no episode/status for step {missing[0]} ({len(missing)} of {steps} missing)")
    needed = {"reward", "success", "done", "episode/seed"}
    if not needed <= set(status.names):
        raise EpisodeError(
            f"names in '{recording.names.status}' are not those expected: {difference(needed, status.names)}"
        )
    order = [rows[stamp] for stamp in state.stamps[1:].tolist()]
    if not np.isfinite(status.values[order]).all():
        raise EpisodeError("episode/status has values that are not finite")
    if not status.column("done")[order[-1]]:
        raise EpisodeError(f"the episode is not finished: it stops at step {steps}")
    seed = int(status.column("episode/seed")[order[-1]])
    return status.column("reward")[order], status.column("success")[order] > 0.5, seed if seed >= 0 else None
