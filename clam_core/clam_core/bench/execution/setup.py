"""What a process needs for its trials: the bundle, the kitchen, the arm in it, and where the block goes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from clam_core.bench.execution.trial import Arm, Move, Trial, run_trial
from clam_core.bench.execution.ways import Way
from clam_core.deploy import Policy, load_bundle
from clam_core.envs import Environment, make_env_of
from clam_core.envs.kitchen_tasks import BLOCK_HIGH, BLOCK_LOW
from clam_core.errors import ClamError
from clam_core.safety.kinematics import ForwardKinematics
from clam_core.spec import EnvironmentSpec, Observation
from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, urdf

Vector = npt.NDArray[np.float64]

ENSEMBLING = (0.5, 0.0, -0.5)  # Appendix F's m, all chunks alike, and the newest weighing most
FIRST_MOVE = 5  # steps: the arm is on its way
DISTANCE = 0.06  # [m] that the block is moved
TASKS = ("reach-block", "put-block-in-pot-and-slide-right")  # those that are about the block


@dataclass(frozen=True)
class Setup:
    """What is executed where. The block is moved after `first_move` to `first_move` + K − 1 steps."""

    bundle: Path
    device: str
    first_seed: int
    first_move: int

    def digest(self) -> str:
        """Of all that decides about a trial's numbers besides its way and seed."""
        content = hashlib.sha256(f"{self.first_seed} {self.first_move} {DISTANCE} {self.device}".encode())
        for name in ("bundle.json", "weights.safetensors"):
            content.update((self.bundle / name).read_bytes())
        return content.hexdigest()[:12]


def try_way(setup: Setup, way: Way, seed: int) -> Trial:
    """Runs in a process of its own, one thread: then the numbers do not depend on how many there are."""
    torch.set_num_threads(1)
    policy, env = _loaded(setup)
    policy.execute(way.ensembling_m, way.infer_every)
    move = None
    if moves_something(policy.spec):
        # Chunks begin at steps that depend on the way: every phase gets its share of the moves.
        step = setup.first_move + (seed - setup.first_seed) % policy.chunk
        move = Move(step, lambda observation: along_the_counter(policy.spec, observation))
    return run_trial(way.name, seed, env, policy, kitchen_arm(policy.spec), move)


@cache
def _loaded(setup: Setup) -> tuple[Policy, Environment]:
    policy = load_bundle(setup.bundle, setup.device)
    return policy, make_env_of(policy.spec)


def check_kitchen(spec: EnvironmentSpec, first_move: int, chunk: int) -> None:
    """Refuse a bundle that this benchmark cannot measure.

    Raises:
        ClamError: it is not of the kitchen, or the block would be moved before the first or after the last step.
    """
    if spec.env != "kitchen":
        raise ClamError(
            f"a bundle of {spec.env} given: this benchmark moves the kitchen's block; use a kitchen's bundle"
        )
    last = spec.max_steps - chunk
    if moves_something(spec) and not 1 <= first_move <= last:
        raise ClamError(f"move step {first_move}: an episode has {spec.max_steps} steps, choose 1 to {last}")


def moves_something(spec: EnvironmentSpec) -> bool:
    """Whether the task is about the block, so that a policy should react to it."""
    return spec.task in TASKS


def kitchen_arm(spec: EnvironmentSpec) -> Arm:
    """The WidowX of the kitchen. The gripper is left out: it opens in metres, and does not move the end effector."""
    kinematics = ForwardKinematics(urdf("wx250s"), BASE_LINK, END_EFFECTOR_LINK, ARM_JOINTS)
    return Arm(
        [spec.action.names.index(name) for name in ARM_JOINTS],
        [spec.observation.names.index(name) for name in ARM_JOINTS],
        kinematics.position,
    )


def along_the_counter(spec: EnvironmentSpec, observation: Observation) -> Vector:
    """`DISTANCE` along y ``(2,)`` [m], towards the middle of where layouts put the block: it stays among them."""
    y = float(observation["state"][spec.observation.names.index("block_y")])
    return np.array([0.0, DISTANCE if y < (BLOCK_LOW[1] + BLOCK_HIGH[1]) / 2 else -DISTANCE])
