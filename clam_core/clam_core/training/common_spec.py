"""The one environment or robot that all datasets of a training come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, ObservationSpec, widest

RATES = 0.05  # how far rates may differ: those of bags are measured


def common_spec(stores: Mapping[str, Sequence[EpisodeStore]], lead: str) -> EnvironmentSpec:
    """What all `stores` (by role) show; its task is that of role `lead`.

    Its actions are those of the stores that were opened with them, in the widest limits: those of a robot are as wide
    as each recording's commands, and who shows no actions need not have any.

    Raises:
        ClamError: other observations, another rate, or other actions.
    """
    first = stores[lead][0]
    every = [store for of_role in stores.values() for store in of_role]
    labeled = [store for store in every if store.has_actions] or [first]
    spec, acting = first.info.spec, labeled[0]
    for store in every:
        other = store.info.spec
        if other.observation != spec.observation:
            seen, asked = _cameras(other.observation), _cameras(spec.observation)
            if seen != asked:
                mend = "make both with the same cameras and --image-size"
                raise _differs(store, first, f"cameras ({seen} beside {asked})", mend)
            raise _differs(store, first, "observations", "use datasets of one robot and one set of topics")
        if abs(other.rate - spec.rate) > RATES * spec.rate:
            rates = f"rate ({other.rate:.3g} Hz beside {spec.rate:.3g} Hz)"
            raise _differs(store, first, rates, "import both with the same --rate")
    for store in labeled:
        mine, theirs = (s.info.spec.action for s in (acting, store))
        if (mine.names, mine.units) != (theirs.names, theirs.units):
            raise _differs(store, acting, "actions", "use datasets of one robot and one set of topics")
    return replace(spec, action=widest([store.info.spec.action for store in labeled]))


def _cameras(observation: ObservationSpec) -> str:
    return ", ".join(f"{camera.name} {camera.width}×{camera.height}" for camera in observation.cameras) or "none"


def _differs(store: EpisodeStore, first: EpisodeStore, what: str, mend: str) -> ClamError:
    names = [f"'{s.path}' of {s.info.spec.env}/{s.info.spec.task}" for s in (store, first)]
    return ClamError(f"dataset {names[0]} has other {what} than {names[1]}: {mend}")
