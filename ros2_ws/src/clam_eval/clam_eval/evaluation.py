"""What is evaluated, in which order and by which rules, and the files that are open for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from clam_core.bundle_file import parse_paths, read_spec, same_task
from clam_core.data.provenance import software_versions
from clam_core.doctor.arm import check_arm
from clam_core.errors import ClamError
from clam_eval.contender import Contender, read_contenders
from clam_eval.pictures import Pictures
from clam_eval.placement import Placements
from clam_eval.plan import Trial, make_plan
from clam_eval.report import VIDEOS
from clam_eval.results_file import Identity, ResultsFile, check_scorer
from clam_eval.rollout import Rules
from clam_ros.node import Node


@dataclass(frozen=True)
class Evaluation:
    """`patience`: longest wait for a robot that is not ready [s]. Without a camera there are no pictures."""

    rules: Rules
    patience: float
    contenders: tuple[Contender, ...]
    plan: tuple[Trial, ...]
    results: ResultsFile
    software: dict[str, str]
    pictures: Pictures | None
    placements: Placements | None

    @property
    def scored_by(self) -> str:
        """Who scores, as the results file says it."""
        return "person" if self.rules.by_person else "simulator"

    def close(self) -> None:
        """Close files and threads."""
        for part in (self.pictures, self.placements, self.results):
            if part is not None:
                part.close()


def open_evaluation(node: Node) -> Evaluation:
    """What the parameters of `node` ask for (`clam_eval.parameters`).

    Raises:
        ClamError: they contradict each other, a bundle is missing or of another robot, or the results are of another
        evaluation.
    """
    rules = _rules(node)
    contenders = read_contenders(parse_paths(node.value("bundle"), node.value("bundles")))
    for one in contenders:
        check_arm(one.path, read_spec(one.path))
        if not same_task(one.task, node.value("task")):
            node.get_logger().warning(f"a bundle was trained on '{one.task}', the task is '{node.value('task')}'")
    values = {key: node.value(key) for key in ("task", "robot", "seed", "rollouts", "steps")}
    identity = Identity(**values, stop_at_success=rules.stop_at_success, bundles=contenders)
    software = software_versions(("clam_eval", "torch", "mujoco"))
    out, camera = Path(node.value("out")), node.value("camera")
    results = ResultsFile(out, identity, {"software": software})
    evaluation = Evaluation(
        rules,
        math.inf if rules.by_person else float(node.value("patience")),
        contenders,
        make_plan(len(contenders), identity.rollouts, identity.seed),
        results,
        software,
        Pictures(out / VIDEOS) if camera else None,
        Placements(out / "placements", identity.task, camera) if camera else None,
    )
    try:
        check_scorer(results, evaluation.scored_by)
    except ClamError:
        evaluation.close()
        raise
    if results.torn:
        node.get_logger().warning(f"an unfinished line was cut off the results: {results.torn[:80]}")
    return evaluation


def _rules(node: Node) -> Rules:
    if not node.value("task"):
        raise ClamError("parameter 'task' is empty: name what is evaluated, for example reach-block")
    simulated, scorer = node.value("robot") == "mujoco", node.value("scorer")
    if scorer == "simulator" and not simulated:
        raise ClamError("scorer is 'simulator', but a real robot is scored by a person: leave it out")
    by_person = scorer == "person" or not simulated
    return Rules(node.value("steps"), by_person, node.value("stop_at_success") and not by_person)
