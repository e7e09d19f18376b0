"""The WidowX as the driver sees it, and a backend that remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("clam_description", reason="needs the robot description (make setup)")

from clam_arm.arm_controller import ArmController
from clam_arm.arm_model import ArmModel, arm_model
from clam_core.errors import ClamError
from clam_core.safety import FilterSettings, Measurement, SafetyFilter


class FakeBackend:
    """Honest about being one: an arm that is at its setpoint at once, and breaks on demand."""

    def __init__(self, positions: Any) -> None:
        self.positions = np.array(positions, dtype=float)
        self.events: list[Any] = []
        self.fails = False
        self.dead = False
        self._stamp = 0.0

    def read(self, now: float) -> Measurement:
        if self.fails:
            raise ClamError("the bus is down")
        self._stamp = self._stamp if self.dead else now
        return Measurement(self._stamp, self.positions.copy())

    def read_anew(self) -> None:
        self.events.append("anew")

    def send(self, setpoint: Any) -> None:
        if self.fails:
            raise ClamError("the bus is down")
        self.positions = setpoint.copy()
        self.events.append("send")

    def torque(self, on: bool) -> None:
        self.events.append(f"torque {on}")

    def close(self) -> None:
        self.events.append("close")


class Rig:
    """A controller on the fake, and a clock that is a number."""

    def __init__(self, model: ArmModel, **settings: Any) -> None:
        self.backend = FakeBackend(model.start)
        options = {"startup_time": 0.1, "startup_speed": 1.0, **settings}
        self.safety = SafetyFilter(model.limits, model.kinematics, FilterSettings(**options))
        self.controller = ArmController(self.backend, self.safety, model.speed(0.5))
        self.now = 10.0
        self.tick()
        self.safety.enable(self.now)
        self.tick(5)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 0.02
            self.controller.tick(self.now)

    @property
    def state(self) -> str:
        return str(self.controller.state(self.now).value)


@pytest.fixture(scope="session")
def model() -> ArmModel:
    return arm_model("wx250s")


@pytest.fixture
def make_rig(model: ArmModel) -> Callable[..., Rig]:
    return lambda **settings: Rig(model, **settings)
