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
from clam_core.training.metrics import read_metrics

#: What may differ from the run that is taken over from: keys, or what they begin with.
MAY_DIFFER = (
    "policy.", "policy_training.", "rollouts.", "data.expert", "data.memory_limit_gib", "seed", "device", "bf16",
    "compile", "log_every", "checkpoint_", "wandb",
)  # fmt: skip
#: What may differ, too, where no held-out error decided which weights were kept: they may have had part in that.
MAY_HAVE_JUDGED = ("augmentation.test_time", "evaluate_every", "evaluate_transitions")
#: Stages that train the policy, and weights that are theirs.
_POLICY_STAGES = ("latent_policy", "policy")
_POLICY_WEIGHTS = ("actor.policy.", "latent_head.")


def learned_stages(config: Config) -> tuple[str, ...]:
    """The stages of `config` that another training can take over, e.g. ``("lam",)``; DynaMo's encoder is a policy's."""
    names = method_class(config.method).stage_names(config)
    before = names[: next(i for i, name in enumerate(names) if name in _POLICY_STAGES)]
    return before if before and before[0] in ("lam", "idm") else ()


def deviations(config: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """Key and both values, where `config` may not differ from the `other` whose stages it is to take over."""
    free, judged = list(MAY_DIFFER), [other.lam_training]
    if "decoder" in learned_stages(config):
        judged.append(other.grounding_training)
    else:
        free.append("grounding_training.")
    if not any(stage.select == "best" or stage.early_stopping for stage in judged):
        free.extend(MAY_HAVE_JUDGED)
    return [entry for entry in differences(_plain(config), _plain(other)) if not entry[0].startswith(tuple(free))]


def check_lam_from(run: Path, other: Config, config: Config) -> None:
    """Whether a training with `config` can take over from `run`, which was trained with `other`.

    Raises:
        ClamError: it has another method, nothing to take over, or other numbers.
    """
    if other.method != config.method:
        raise ClamError(f"run '{run}' trains '{other.method}', not '{config.method}': name one of the same method")
    if not learned_stages(config):
        raise ClamError(f"'{config.method}' learns nothing that another policy could take over; leave out --lam-from")
    if changed := deviations(config, other):
        listed = "; ".join(f"{key} is {there} there, not {here}" for key, here, there in changed)
        raise ClamError(
            f"what '{run}' learned before its policy is another: {listed}; only the policy, data.expert, seed and "
            "device may differ, and without select=best and early_stopping how labels are averaged and errors are "
            f"measured (moved datasets: name the new places in '{run / 'config.yaml'}')"
        )


def _plain(config: Config) -> dict[str, Any]:
    values = to_plain(config)
    for role, paths in values["data"].items():
        if isinstance(paths, list):
            values["data"][role] = [str(Path(path).resolve()) for path in paths]
    return values


@dataclass(frozen=True)
class LamSource:
    """What the run folder `run` learned before its policy, and the lines of its log about that; see `open`."""

    run: Path
    weights: dict[str, torch.Tensor]
    log: list[dict[str, Any]]

    @classmethod
    def open(cls, run: Path, config: Config, spec: EnvironmentSpec) -> LamSource:
        """`run`, trained with `config`, for a training in the environment `spec`.

        Raises:
            ClamError: it has other observations and actions, or has not got so far.
        """
        theirs = EnvironmentSpec.from_json(json.loads((run / "spec.json").read_text()))
        if (theirs.observation, theirs.action) != (spec.observation, spec.action):
            raise ClamError(f"run '{run}' has other observations or actions than these datasets; leave out --lam-from")
        method = method_class(config.method)(config, theirs)
        loaded = load_checkpoint(run / "checkpoints", method)
        end, at = _end(config), loaded[0] if loaded else Position(0, 0)
        if (at.stage, at.update) < (end.stage, end.update):
            raise ClamError(
                f"run '{run}' has not finished its stage '{learned_stages(config)[-1]}'; wait for it, or resume it"
            )
        learned = {k: v for k, v in method.state_dict().items() if not k.startswith(_POLICY_WEIGHTS)}
        return cls(run.resolve(), learned, [line for line in read_metrics(run) if line["stage"] <= end.stage])

    def give(self, method: Method) -> Position:
        """Load the weights into `method`; returns the position from which only the policy is left to train."""
        method.load_state_dict(method.state_dict() | self.weights)
        return _end(method.config)


def _end(config: Config) -> Position:
    """Where the last stage before the policy is done."""
    stages = learned_stages(config)
    options = config.grounding_training if stages[-1] == "decoder" else config.lam_training
    return Position(len(stages) - 1, options.updates)
