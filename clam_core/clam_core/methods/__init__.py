"""The systems of the paper, one short file each; the loss of each reads like its algorithm."""

from __future__ import annotations

from clam_core.errors import ClamError, did_you_mean
from clam_core.methods.base import Method
from clam_core.methods.bc import BehaviourCloning
from clam_core.methods.clam import Clam
from clam_core.methods.dynamo import Dynamo
from clam_core.methods.lapa import Lapa
from clam_core.methods.lapo import Lapo
from clam_core.methods.vpt import Vpt

METHODS: dict[str, type[Method]] = {
    "clam": Clam,
    "bc": BehaviourCloning,
    "vpt": Vpt,
    "lapo": Lapo,
    "lapa": Lapa,
    "dynamo": Dynamo,
}


def method_class(name: str) -> type[Method]:
    """The method called `name`.

    Raises:
        ClamError: no such method.
    """
    if name not in METHODS:
        raise ClamError(f"unknown method '{name}': {did_you_mean(name, METHODS)}")
    return METHODS[name]


__all__ = ["METHODS", "Method", "method_class"]
