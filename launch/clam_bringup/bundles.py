"""What the bundles of a graph decide before any node starts: whether they are there, fit, and what is run.

An argument with ``of_bundle: task`` (or ``env``, ``camera``, ``image_size``) that nobody gives is that of the bundle.
Another task than the bundle's is legitimate, as a policy of play does many, and said; another environment or arm, or
fewer cameras than the bundle's, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clam_bringup.graph import Argument, Graph, Node
from clam_core.bundle_file import parse_paths, read_spec, same_task
from clam_core.doctor.arm import check_arm
from clam_core.envs import ENVS, camera_options
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

ARM = "clam_arm"  # package whose nodes obey `command`
UNSEEN = 84  # [pixels] size of images of a bundle without cameras
NOWHERE = ("", "unknown")  # what imported recordings did not tell


@dataclass(frozen=True)
class Bundle:
    """One of the graph's: its folder, and what it was trained on."""

    path: str
    spec: EnvironmentSpec


def settle(graph: Graph, texts: Mapping[str, str]) -> tuple[tuple[Node, ...], list[str]]:
    """The nodes to start for these arguments, and in words what whoever starts them should know.

    Raises:
        ClamError: as `Graph.parse`; a bundle is missing, damaged, or does not fit the environment or the arm.
    """
    values = graph.parse(texts)
    if not any(argument.of_bundle for argument in graph.arguments):
        return graph.nodes_for(values), []
    paths = parse_paths(values.get("bundle", ""), values.get("bundles", ""))
    bundles = [Bundle(path, read_spec(path)) for path in paths]
    nodes, warnings = graph.nodes_for(values), list[str]()
    if any(node.package == ARM for node in nodes):
        for bundle in bundles:
            check_arm(bundle.path, bundle.spec)
    taken = set[str]().union(*(node.takes for node in graph.nodes if node.present(values)))
    for argument in graph.arguments:
        if argument.of_bundle and argument.name in taken:
            settled = SETTLED[argument.of_bundle]
            values[argument.name] = settled(argument, values[argument.name], bundles, warnings)
    return graph.nodes_for(values), warnings


def _env(argument: Argument, given: str, bundles: list[Bundle], warnings: list[str]) -> str:
    name = argument.name
    if not given:
        env = _common(argument, {bundle.spec.env for bundle in bundles})
        if env not in ENVS:
            raise ClamError(
                f"bundle '{bundles[0].path}' is of '{env}', no simulator: "
                f"robot:=mujoco and robot:=interbotix drive an arm; else name one, {name}:={'|'.join(ENVS)}"
            )
        return env
    for bundle in bundles:
        trained = bundle.spec.env
        if trained in ENVS and trained != given:
            raise ClamError(f"{name} is '{given}', but bundle '{bundle.path}' is of '{trained}': leave {name} out")
        if trained != given:  # not a simulator's name: who recorded it may know better
            warnings.append(f"bundle '{bundle.path}' is of '{trained}', {name} is '{given}'")
    return given


def _camera(argument: Argument, given: str, bundles: list[Bundle], _: list[str]) -> str:
    (bundle,) = bundles
    if not given:
        return str(camera_options(bundle.spec).get("camera", ""))
    shown = {name.strip() for name in given.split(",")}
    missing = [camera.name for camera in bundle.spec.observation.cameras if camera.name not in shown]
    if missing:
        looks = f"bundle '{bundle.path}' looks through {' and '.join(missing)} too"
        raise ClamError(f"{looks}: leave {argument.name} out, or name all of them")
    return given


def _image_size(argument: Argument, given: int, bundles: list[Bundle], _: list[str]) -> int:
    (bundle,) = bundles
    return given or int(camera_options(bundle.spec).get("image_size", UNSEEN))


def _task(argument: Argument, given: str, bundles: list[Bundle], warnings: list[str]) -> str:
    if not given:
        return _common(argument, {bundle.spec.task for bundle in bundles})
    for bundle in bundles:
        if bundle.spec.task not in NOWHERE and not same_task(bundle.spec.task, given):
            trained = f"bundle '{bundle.path}' was trained on '{bundle.spec.task}'"
            warnings.append(f"{trained}, {argument.name} is '{given}': fine for a policy of play, else it scores 0")
    return given


def _common(argument: Argument, found: set[str]) -> str:
    """The one that all bundles have, however they spell it."""
    first, *others = sorted(found)
    if not all(same_task(first, other) for other in others):
        raise ClamError(f"the bundles are of {' and '.join(sorted(found))}: say which with {argument.name}:=…")
    if first in NOWHERE:
        raise ClamError(f"the bundle does not say its {argument.of_bundle}: give {argument.name}:=…")
    return first


SETTLED: dict[str, Callable[[Argument, Any, list[Bundle], list[str]], Any]] = {
    "task": _task,
    "env": _env,
    "camera": _camera,
    "image_size": _image_size,
}
