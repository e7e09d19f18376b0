"""A trained run beside the data that it learned from, split as training split it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError, did_you_mean
from clam_core.methods.base import Method
from clam_core.training.run import EPISODES, load_method, load_role
from clam_core.training.transitions import RawEpisodes, Span, Transitions

MEMORY_GIB = 0.5  # few images are looked at: more of a role's are streamed from disk


@dataclass(frozen=True)
class Shown:
    """The episodes of a role that are shown; `held_out` is false where training had too few to hold any out."""

    episodes: RawEpisodes
    held_out: bool
    role: str

    @property
    def words(self) -> str:
        """For titles."""
        name = "play" if self.role == "labeled" else f"{self.role} data"
        return f"held-out {name}" if self.held_out else f"{name} that was trained on (none was held out)"


class Learned:
    """The method of a run folder, and its datasets by role.

    `data` names other folders for roles than those that the run's configuration names.

    Raises:
        ClamError: no run folder, no checkpoint, or a role in `data` that the method does not learn from.
    """

    def __init__(self, run: Path, device: torch.device, data: Mapping[str, tuple[str, ...]]) -> None:
        if not (run / "config.yaml").is_file() and (run / "bundle.json").is_file():
            raise ClamError(f"'{run}' is a bundle, which holds the policy alone; give the run folder that it came from")
        self.run = run
        self.method: Method = load_method(run, device)
        for role in data:
            if role not in self.method.USES:
                name = self.method.config.method
                raise ClamError(f"'{name}' does not learn from a role '{role}': {did_you_mean(role, self.method.USES)}")
        self._device, self._data = device, data
        self._roles: dict[str, RawEpisodes] = {}

    @cached_property
    def finished(self) -> bool:
        """Whether all stages are trained."""
        return (self.run / "bundle").is_dir()

    def shown(self, role: str) -> Shown:
        """The held-out episodes of `role`; all of them where none was held out.

        Raises:
            ClamError: the data is gone, or of another environment.
        """
        episodes = self._open(role)
        held = episodes.split(self.method.config.data.held_out)[1]
        return Shown(held or episodes, held is not None, role)

    def trained(self, role: str) -> RawEpisodes:
        """The episodes of `role` that training saw."""
        return self._open(role).split(self.method.config.data.held_out)[0]

    def transitions(self, episodes: RawEpisodes, span: Span) -> Transitions:
        """`episodes` as the method sees them."""
        return self.method.transitions(episodes, span)

    def _open(self, role: str) -> RawEpisodes:
        if role not in self._roles:
            self._roles[role] = self._load(role)
        return self._roles[role]

    def _load(self, role: str) -> RawEpisodes:
        config, spec = self.method.config, self.method.spec
        paths = self._data.get(role) or getattr(config.data, role)
        stores = []
        for path in paths:
            if not Path(path).exists():
                raise ClamError(f"the {role} data of run '{self.run}' is not at '{path}'; give --data {role}=DIR")
            stores.append(EpisodeStore.open(path, actions=role == "labeled"))
            found = stores[-1].info.spec
            acts_alike = role != "labeled" or found.action.names == spec.action.names
            if found.observation != spec.observation or not acts_alike:
                raise ClamError(
                    f"dataset '{path}' of {found.env}/{found.task} has other observations or actions than run "
                    f"'{self.run}' learned from ({spec.env}/{spec.task}); give --data {role}=DIR"
                )
        limit = min(MEMORY_GIB, config.data.memory_limit_gib)
        config = replace(config, data=replace(config.data, memory_limit_gib=limit))
        return load_role(stores, config, spec, self._device, self._firsts(role, len(stores)))

    def _firsts(self, role: str, stores: int) -> list[int] | None:
        """As training numbered the episodes; None for a run that did not, or other data than its own."""
        path = self.run / EPISODES
        firsts: dict[str, list[int]] = json.loads(path.read_text()) if path.is_file() else {}
        found = firsts.get(role)
        return found if found is not None and len(found) == stores else None


def evenly(count: int, limit: int) -> Tensor:
    """At most `limit` of the numbers below `count`, evenly spaced."""
    if count <= limit:
        return torch.arange(count)
    return torch.arange(limit) * (count - 1) // max(limit - 1, 1)


def place_of(number: int, transitions: Transitions) -> tuple[int, int]:
    """Transition `number` as its episode among those shown and its step in it."""
    for episode, length in enumerate(transitions.lengths):
        if number < length:
            return episode, number
        number -= length
    raise IndexError(f"no transition {number}")
