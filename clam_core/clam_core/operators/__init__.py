"""Scripted operators: they make expert, mixed and play data where no human teleoperates."""

from __future__ import annotations

import importlib
from typing import cast

from clam_core.errors import ClamError, did_you_mean
from clam_core.operators.base import KINDS, RECIPES, Operator, Recipe, check_kind, keep_episode

#: Environment name → ``module:class``. A class takes ``(task, kind)``.
OPERATORS: dict[str, str] = {
    "metaworld": "clam_core.operators.metaworld:MetaWorldOperator",
    "gym": "clam_core.operators.smooth_random:SmoothRandomOperator",
    "dmcontrol": "clam_core.operators.smooth_random:SmoothRandomDmControl",
    "calvin": "clam_core.operators.calvin:CalvinOperator",
    "kitchen": "clam_core.operators.kitchen:KitchenOperator",
}


def make_operator(env: str, task: str, kind: str) -> Operator:
    """The operator of `kind` for `task`.

    Raises:
        ClamError: no such environment, task or kind, or the task has no scripted expert.
    """
    check_kind(kind)
    if env not in OPERATORS:
        raise ClamError(f"no scripted operator for environment '{env}', {did_you_mean(env, OPERATORS)}")
    module, _, name = OPERATORS[env].partition(":")
    try:
        operator_class = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ClamError(f"operator for '{env}' cannot be loaded ({error}); install its simulator") from error
    return cast(Operator, operator_class(task, kind))


__all__ = [
    "KINDS",
    "OPERATORS",
    "RECIPES",
    "Operator",
    "Recipe",
    "check_kind",
    "keep_episode",
    "make_operator",
]
