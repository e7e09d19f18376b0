"""Which bundle runs when: every bundle meets every layout, in an order that nobody can foresee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trial:
    """One rollout that shall be scored. `layout` counts from 0; `seed` is the one that the simulator places things by;
    `contender` is a place in the list of bundles.
    """

    index: int
    layout: int
    seed: int
    contender: int


def make_plan(contenders: int, layouts: int, seed: int) -> tuple[Trial, ...]:
    """`layouts` rollouts of each of `contenders` bundles.

    All bundles meet a layout before the next one comes: who resets a scene by hand does it alike for all of them, and
    what drifts during a day (light, a loose screw) is the same for all. Their order is drawn for each layout, the same
    one for the same `seed`.
    """
    trials: list[Trial] = []
    for layout in range(layouts):
        order = np.random.default_rng([seed, layout]).permutation(contenders)
        trials += [Trial(len(trials) + i, layout, seed + layout, int(one)) for i, one in enumerate(order)]
    return tuple(trials)
