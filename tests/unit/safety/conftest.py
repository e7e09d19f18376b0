"""A small arm: two joints that turn and one that slides the hand, with a gripper. Not a WidowX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clam_core.safety import FilterSettings, ForwardKinematics, Limits, Measurement, SafetyFilter

URDF = """<robot name="small">
  <link name="world"/><link name="base"/><link name="upper"/><link name="lower"/><link name="hand"/><link name="tip"/>
  <joint name="mount" type="fixed"><parent link="world"/><child link="base"/><origin xyz="5 5 5"/></joint>
  <joint name="yaw" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0 0 0.1"/><axis xyz="0 0 1"/><limit lower="-2" upper="2" velocity="3" effort="5"/></joint>
  <joint name="pitch" type="revolute"><parent link="upper"/><child link="lower"/>
    <origin xyz="0 0 0.2"/><axis xyz="0 1 0"/><limit lower="-1.5" upper="1.5" velocity="2" effort="5"/></joint>
  <joint name="slide" type="prismatic"><parent link="lower"/><child link="hand"/>
    <origin xyz="0.3 0 0" rpy="0.3 -0.2 0.1"/><axis xyz="2 0 1"/>
    <limit lower="0" upper="0.2" velocity="0.5" effort="5"/></joint>
  <joint name="end" type="fixed"><parent link="hand"/><child link="tip"/>
    <origin xyz="0.1 0 0.02" rpy="0 0.4 0"/></joint>
</robot>"""
JOINTS = ("yaw", "pitch", "slide")
NUMBERS: dict[str, Any] = {
    "joints": JOINTS,
    "lower": (-2.0, -1.5, 0.0),
    "upper": (2.0, 1.5, 0.2),
    "velocity": (3.0, 2.0, 0.5),
    "gripper": "gripper",
    "gripper_lower": 0.03,
    "gripper_upper": 0.074,
    "gripper_velocity": 0.5,
    "workspace_lower": (-0.2, -0.5, 0.05),
    "workspace_upper": (0.7, 0.5, 0.6),
}


class Arm:
    """A filter in front of an ideal arm that is at its setpoint one period after it was sent; time is a number."""

    period = 0.02

    def __init__(self, limits: Limits, kinematics: ForwardKinematics, settings: FilterSettings) -> None:
        self.filter = SafetyFilter(limits, kinematics, settings)
        self.names = limits.names
        self.positions = np.array([0.0, 0.0, 0.1, 0.05])
        self.now = 100.0
        self.sent: list[Any] = []

    def tick(self, times: int = 1, *, measure: bool = True) -> Any:
        for _ in range(times):
            self.now += self.period
            if measure:
                self.filter.observe(Measurement(self.now, self.positions.copy()), self.now)
            output = self.filter.output(self.now)
            self.sent.append(output)
            if output is not None:
                self.positions = output.copy()
        return self.sent[-1]

    def command(self, *positions: float, names: Any = None) -> str:
        """Reason of the refusal, or an empty text."""
        refusal = self.filter.command(self.names if names is None else names, positions, self.now)
        return "" if refusal is None else str(refusal.reason.value)

    @property
    def state(self) -> str:
        return str(self.filter.state(self.now).value)


@pytest.fixture
def urdf() -> str:
    return URDF


@pytest.fixture
def make_limits() -> Callable[..., Limits]:
    """``make_limits(lower=…)``: the small arm's limits with changes."""
    return lambda **changes: Limits(**{**NUMBERS, **changes})


@pytest.fixture
def make_arm(make_limits: Callable[..., Limits]) -> Callable[..., Arm]:
    """``make_arm(limits={…}, on_fast="scale", …)``: enabled, measured, holding, past its start-up."""

    def make(*, warm: bool = True, limits: dict[str, Any] | None = None, **settings: Any) -> Arm:
        arm = Arm(
            make_limits(**(limits or {})), ForwardKinematics(URDF, "base", "tip", JOINTS), FilterSettings(**settings)
        )
        arm.tick()
        if warm:
            arm.filter.enable(arm.now)
            arm.tick(120)
        return arm

    return make
