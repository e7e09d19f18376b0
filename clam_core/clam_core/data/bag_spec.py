"""The spec of a robot that no environment describes: what its bags show."""

from __future__ import annotations

from collections import Counter

import numpy as np

from clam_core.data.bag_reader import Recording, Series
from clam_core.data.bag_timing import measured_period
from clam_core.data.importing import EpisodeError
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec

EPISODE_INDEX, EPISODE_STEP = "episode/index", "episode/step"


def spec_from_bags(recordings: list[Recording], env: str, task: str, rate: float | None) -> EnvironmentSpec:
    """Spec of a robot that no environment describes: names as seen, limits as wide as the data.

    Without a `rate` [Hz] to resample to, it is that of the states.
    """
    sound = [r for r in recordings if r.state is not None and len(np.unique(r.state.stamps)) > 1]
    if not sound:
        raise EpisodeError("no bag has two observations")
    states = [r.state for r in sound if r.state is not None]
    seen = Counter(state.names for state in states).most_common(1)[0][0]
    names = tuple(name for name in seen if name not in (EPISODE_INDEX, EPISODE_STEP))
    commands = [r.command for r in sound if r.command is not None]
    joints = Counter(command.names for command in commands).most_common(1)[0][0] if commands else ()
    same = [c.values[:, [c.names.index(j) for j in joints]] for c in commands if set(c.names) == set(joints)]
    finite = [v[np.isfinite(v).all(1)] for v in same]
    values = np.concatenate(finite) if finite else np.zeros((0, 0))
    low, high = (values.min(0), values.max(0)) if len(values) else (np.zeros(len(joints)),) * 2
    return EnvironmentSpec(
        env=env,
        task=task,
        observation=ObservationSpec(names, ("",) * len(names)),
        action=ActionSpec(joints, ("",) * len(joints), tuple(map(float, low)), tuple(map(float, high))),
        rate=rate or 1.0 / float(np.median([measured_period(s.stamps) for s in states])),
        max_steps=max(_steps(s, rate) for s in states),
    )


def _steps(state: Series, rate: float | None) -> int:
    if rate is None:
        return len(np.unique(state.stamps)) - 1
    return max(1, int((state.stamps.max() - state.stamps.min()) * 1e-9 * rate))
