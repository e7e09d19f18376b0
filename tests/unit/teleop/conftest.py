"""The WidowX as teleoperation sees it, an arm that obeys after a while, and a hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mink", reason="needs mink (make setup)")
pytest.importorskip("clam_description", reason="needs the robot description (make setup)")

from clam_core.safety import ForwardKinematics, Limits
from clam_core.safety.limits import joint_limits
from clam_core.teleop.clutch import State
from clam_core.teleop.differential_kinematics import DifferentialKinematics
from clam_core.teleop.messages import HandPose, InputMessage
from clam_core.teleop.settings import TeleopSettings
from clam_core.teleop.teleoperator import Teleoperator
from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, urdf

PERIOD = 0.02
READY = np.array([0.0, -0.6, 0.6, 0.0, 0.8, 0.0, 0.05])  # [rad], gap [m]


@pytest.fixture(scope="session")
def limits() -> Limits:
    lower, upper, velocity = zip(*joint_limits(urdf("wx250s"), ARM_JOINTS), strict=True)
    box: Any = ((-0.1, -0.5, 0.01), (0.65, 0.5, 0.7))
    return Limits(tuple(ARM_JOINTS), lower, upper, velocity, "gripper", 0.03, 0.074, 0.5, *box)


@pytest.fixture(scope="session")
def forward() -> ForwardKinematics:
    return ForwardKinematics(urdf("wx250s"), BASE_LINK, END_EFFECTOR_LINK, ARM_JOINTS)


@pytest.fixture
def make_kinematics(limits: Limits) -> Callable[..., DifferentialKinematics]:
    """``make_kinematics(description="wx250s", straight=())``."""

    def make(description: str = "wx250s", straight: Sequence[str] = ()) -> DifferentialKinematics:
        return DifferentialKinematics(
            urdf(description),
            ARM_JOINTS,
            base=BASE_LINK,
            tip=END_EFFECTOR_LINK,
            lower=limits.lower,
            upper=limits.upper,
            speed=[1.5] * 6,
            straight=straight,
        )

    return make


@pytest.fixture
def kinematics(make_kinematics: Callable[..., DifferentialKinematics]) -> DifferentialKinematics:
    return make_kinematics(straight=["forearm_roll"])


class Rig:
    """A teleoperator, an arm that is `sluggish` behind its commands, a hand, and a clock that is a number."""

    def __init__(self, teleoperator: Teleoperator, forward: ForwardKinematics) -> None:
        self.teleoperator, self.forward = teleoperator, forward
        self.arm, self.sluggish, self.blocked, self.measured = READY.copy(), 0.4, False, True
        self.position, self.squeeze, self.trigger = np.array([0.0, 1.3, -0.4]), 0.0, 0.0  # WebXR's axes
        self.buttons: frozenset[str] = frozenset()
        self.device, self.tracked, self.silent = "headset", True, False
        self.now, self.sequence = 100.0, 0
        self.commands: list[Any] = []

    def message(self) -> InputMessage:
        self.sequence += 1
        motion: Any = HandPose(tuple(self.position.tolist()), (0.0, 0.0, 0.0, 1.0)) if self.tracked else None
        if self.device != "headset":
            motion = (0.0,) * 6
        return InputMessage(
            self.device, self.sequence, self.now - 50.0, self.squeeze, self.trigger, self.buttons, motion
        )

    def tick(self, times: int = 1, hand: Any = (0.0, 0.0, 0.0)) -> Any:
        """So many periods, in which the hand moves by `hand` [m] in all; returns the last command."""
        command = None
        for _ in range(times):
            self.now += PERIOD
            self.position = self.position + np.asarray(hand) / times
            if not self.silent:
                self.teleoperator.receive(self.message(), self.now)
            if self.measured:
                self.teleoperator.observe(self.arm.copy(), self.now)
            command = self.teleoperator.tick(self.now)
            if command is not None:
                self.commands.append(command)
                if not self.blocked:
                    self.arm = self.arm + self.sluggish * (command - self.arm)
        return command

    def engage(self) -> Rig:
        self.squeeze = 0.0
        self.tick(2)
        self.squeeze = 1.0
        self.tick()
        assert self.state is State.ENGAGED, self.teleoperator.clutch.reason
        return self

    @property
    def state(self) -> State:
        return self.teleoperator.clutch.state

    @property
    def place(self) -> Any:
        """Of the end effector (3,) [m]."""
        return self.forward.position(self.arm[:-1])


@pytest.fixture
def make_rig(kinematics: DifferentialKinematics, limits: Limits, forward: ForwardKinematics) -> Callable[..., Rig]:
    def make(**settings: Any) -> Rig:
        rig = Rig(Teleoperator(kinematics, limits, TeleopSettings(**settings)), forward)
        rig.teleoperator.open(rig.now)
        return rig

    return make
