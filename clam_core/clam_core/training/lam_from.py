"""A training that takes over what another one learned before its policy: one latent action model, many policies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clam_core.errors import ClamError
from clam_core.methods import Method, method_class
from clam_core.plain import differences, to_plain
from clam_core.spec import EnvironmentSpec
from clam_core.training.checkpoint import Position, load_checkpoint
from clam_core.training.config import Config

#: What alone may differ from the run that is taken over from: dotted keys, or what they begin with.
OWN = (
    "policy.", "policy_training.", "rollouts.", "augmentation.test_time", "data.expert", "data.memory_limit_gib",
    "seed", "device", "bf16", "compile", "log_every", "evaluate_every", "evaluate_transitions", "checkpoint_every",
    "wandb",
)  # fmt: skip
#: Stages that train the policy, and weights that are theirs.
_POLICY_STAGES = ("latent_policy", "policy")
_POLICY_WEIGHTS = ("actor.policy.", "latent_head.")


def learned_stages(config: Config) -> tuple[str, ...]:
    """The stages of `config` before its policy, e.g. ``("lam",)``; empty where the first one trains the policy."""
    names = method_class(config.method).stage_names(config)
    before = names[: next(i for i, name in enumerate(names) if name in _POLICY_STAGES)]
    return before if before and before[0] in ("lam", "idm") else ()  # DynaMo's encoder is the policy's own


def foreign(config: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """Key and both values, where `config` may not differ from the `other` that its latent action model comes from."""
    return [entry for entry in differences(_plain(config), _plain(other)) if not entry[0].startswith(OWN)]


def _plain(config: Config) -> dict[str, Any]:
    values = to_plain(config)
    for role, paths in values["data"].items():
        if isinstance(paths, list):
            values["data"][role] = [str(Path(path).resolve()) for path in paths]
    return values


@dataclass(frozen=True)
class LamSource:
    """The run folder `run`, all of whose stages before the policy are done; see `open`."""

    run: Path
    weights: dict[str, torch.Tensor]

    @classmethod
    def open(cls, run: Path, other: Config, config: Config, spec: EnvironmentSpec) -> LamSource:
        """`run`, trained with `other`, for a training with `config` in the environment `spec`.

        Raises:
            ClamError: it has another method, other numbers, or other observations and actions; or has not got so far.
        """
        stages = learned_stages(config)
        if other.method != config.method:
            raise ClamError(f"run '{run}' trains '{other.method}', not '{config.method}': name one of the same method")
        if not stages:
            raise ClamError(f"'{config.method}' trains nothing before its policy; leave out --lam-from")
        if changed := foreign(config, other):
            listed = "; ".join(f"{key} is {there} there, not {here}" for key, here, there in changed)
            raise ClamError(f"the latent action model of '{run}' is another: {listed}; only the policy's may differ")
        theirs = EnvironmentSpec.from_json(json.loads((run / "spec.json").read_text()))
        if (theirs.observation, theirs.action) != (spec.observation, spec.action):
            raise ClamError(f"run '{run}' has other observations or actions than these demonstrations; train anew")
        method = method_class(other.method)(other, theirs)
        loaded = load_checkpoint(run / "checkpoints", method)
        last = len(stages) - 1
        at = loaded[0] if loaded else Position(0, 0)
        if at.stage < last or (at.stage == last and at.update < _updates(other, stages[-1])):
            raise ClamError(f"run '{run}' has not finished its stage '{stages[-1]}'; wait for it, or resume it")
        learned = {k: v for k, v in method.state_dict().items() if not k.startswith(_POLICY_WEIGHTS)}
        return cls(run, learned)

    def give(self, method: Method) -> Position:
        """Load the weights into `method`; returns the position at which only the policy is left to train."""
        method.load_state_dict(method.state_dict() | self.weights)
        stages = learned_stages(method.config)
        return Position(len(stages) - 1, _updates(method.config, stages[-1]))


def _updates(config: Config, stage: str) -> int:
    return (config.grounding_training if stage == "decoder" else config.lam_training).updates
