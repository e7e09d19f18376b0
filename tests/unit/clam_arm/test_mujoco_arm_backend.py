from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mujoco")

from clam_arm.arm_controller import ArmController
from clam_arm.arm_model import HOME, SLEEP
from clam_arm.backend import BackendSettings, make_backend
from clam_core.errors import ClamError
from clam_core.safety import SafetyFilter


def settings(model: Any, **changes: Any) -> BackendSettings:
    return BackendSettings(
        **{"robot": "wx250s", "urdf": model.urdf, "limits": model.limits, "start": model.start, **changes}
    )


def test_it_begins_asleep_and_stays(model: Any) -> None:
    backend = make_backend("mujoco_arm", settings(model))
    for tick in range(100):
        measurement = backend.read(5.0 + tick * 0.02)
    assert measurement is not None
    assert measurement.positions == pytest.approx(model.start, abs=0.015)
    assert measurement.stamp == pytest.approx(5.0 + 99 * 0.02, abs=0.003)


def test_it_keeps_pace_with_the_clock_and_forgets_long_pauses(model: Any) -> None:
    backend: Any = make_backend("mujoco_arm", settings(model))
    backend.read(0.0)
    for now in np.cumsum([0.02, 0.013, 0.05, 0.0003, 0.1]):
        measurement = backend.read(float(now))
        assert 0 <= now - measurement.stamp < 0.002 + 1e-9
    assert backend._data.time == pytest.approx(0.1833, abs=0.003)
    backend.read(100.0)
    assert backend._data.time < 0.5


def test_home_and_sleep_under_gravity_stay_within_limits_and_follow_closely(model: Any) -> None:
    backend = make_backend("mujoco_arm", settings(model))
    safety = SafetyFilter(model.limits, model.kinematics)
    controller = ArmController(backend, safety, model.speed(0.5))
    controller.tick(0.0)
    safety.enable(0.0)
    now, behind = 0.0, 0.0
    for name, pose in (("home", HOME), ("sleep", SLEEP)):
        controller.move(name, pose, now)
        for _ in range(450):
            now += 0.02
            controller.tick(now)
            behind = max(behind, safety.following_error)
            positions = safety.measured.positions  # type: ignore[union-attr]
            assert (positions > model.limits.low - 0.02).all() and (positions < model.limits.high + 0.02).all()
        assert controller.distance(pose) < 0.02, name
    assert behind < 0.06
    assert not safety.counts


def test_without_torque_it_falls_and_with_torque_it_holds(model: Any) -> None:
    backend = make_backend("mujoco_arm", settings(model, start=(*HOME, 0.05)))
    backend.read(0.0)
    backend.torque(False)
    for tick in range(50):
        measurement = backend.read(tick * 0.02)
    assert measurement is not None and measurement.positions[1] > 0.2
    backend.send(measurement.positions)
    backend.torque(True)
    fallen = measurement.positions[1]
    for tick in range(50, 150):
        measurement = backend.read(tick * 0.02)
    assert measurement is not None and measurement.positions[1] == pytest.approx(fallen, abs=0.3)
    assert np.abs(measurement.velocities).max() < 0.01  # type: ignore[arg-type]


def test_the_gripper_moves_by_its_gap(model: Any) -> None:
    backend = make_backend("mujoco_arm", settings(model))
    backend.send(np.array([*SLEEP, 0.034]))
    for tick in range(100):
        measurement = backend.read(tick * 0.02)
    assert measurement is not None and measurement.positions[-1] == pytest.approx(0.034, abs=0.001)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mujocco", "did you mean 'mujoco'"),
        ("nowhere.module:Arm", "cannot be imported"),
        ("clam_arm.backends.mujoco_arm:Arm", "cannot be imported"),
    ],
)
def test_a_backend_that_is_not_there_is_one_clear_line(model: Any, name: str, says: str) -> None:
    with pytest.raises(ClamError, match=says):
        make_backend(name, settings(model))


def test_a_missing_library_says_how_to_get_it(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mujoco", None)
    with pytest.raises(ClamError, match="pip install mujoco"):
        make_backend("mujoco_arm", settings(model))


def test_a_urdf_without_the_joints_is_refused(model: Any) -> None:
    with pytest.raises(ClamError, match="needs joint 'waist'"):
        make_backend("mujoco_arm", settings(model, urdf=model.urdf.replace('"waist"', '"hip"')))
    with pytest.raises(ClamError, match="refuses the URDF"):
        make_backend("mujoco_arm", settings(model, urdf=model.urdf.replace("revolute", "resolute")))
