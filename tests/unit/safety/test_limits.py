from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from clam_core.errors import ClamError
from clam_core.safety import ForwardKinematics, Limits, Refusal
from clam_core.safety.checks import Checks
from clam_core.safety.limits import FINGERTIP, WORKSPACE_LOWER, WORKSPACE_UPPER, joint_limits
from clam_core.safety.settings import FilterSettings


def test_vectors_end_with_the_gripper(make_limits: Any) -> None:
    limits = make_limits()
    assert limits.names == ("yaw", "pitch", "slide", "gripper")
    assert limits.low.tolist() == [-2, -1.5, 0, 0.03]
    assert limits.high.tolist() == [2, 1.5, 0.2, 0.074]
    assert limits.speed.tolist() == [3, 2, 0.5, 0.5]


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 1e6, -1e6])
@pytest.mark.parametrize(
    "key", ["lower", "upper", "velocity", "gripper_lower", "gripper_upper", "gripper_velocity", "workspace_lower"]
)
def test_no_limit_can_be_switched_off(make_limits: Any, key: str, bad: float) -> None:
    values = getattr(make_limits(), key)
    with pytest.raises(ClamError, match="cannot be switched off") as error:
        make_limits(**{key: (bad, *values[1:]) if isinstance(values, tuple) else bad})
    assert str(bad) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"lower": (2.0, -1.5, 0.0)},
            "joint 'yaw' has lower limit 2.0 rad and upper limit 2.0 rad: lower must be less",
        ),
        ({"velocity": (0.0, 2.0, 0.5)}, "velocity limit 0.0"),
        ({"velocity": (-1.0, 2.0, 0.5)}, "velocity limit -1.0"),
        ({"gripper_upper": 0.02}, "lower must be less"),
        ({"workspace_upper": (0.7, -0.5, 0.6)}, "workspace y"),
        ({"workspace_upper": (0.7, 0.5)}, "three"),
        ({"lower": (-2.0, -1.5)}, "2 lower limits for 3 joints"),
        ({"gripper": "yaw"}, "each joint once"),
        ({"joints": (), "lower": (), "upper": (), "velocity": ()}, "at least one"),
    ],
)
def test_unsound_limits_are_refused_in_one_line(make_limits: Any, changes: Any, says: str) -> None:
    with pytest.raises(ClamError) as error:
        make_limits(**changes)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_the_fingertips_are_where_the_description_has_them() -> None:
    from clam_core.envs.kitchen_geometry import TIP

    assert pytest.approx(TIP, abs=1e-4) == FINGERTIP


def test_a_widowx_does_not_push_its_fingers_into_the_table() -> None:
    """The end effector is between the fingers: where it is 1 cm high, the tips of fingers that point down are not."""
    from clam_core.operators.kitchen_kinematics import joints_for
    from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, urdf

    box = (WORKSPACE_LOWER, WORKSPACE_UPPER)
    limits = Limits(tuple(ARM_JOINTS), (-6.0,) * 6, (6.0,) * 6, (1.0,) * 6, "gripper", 0.0, 0.1, 0.5, *box)
    kinematics = ForwardKinematics(urdf("wx250s"), BASE_LINK, END_EFFECTOR_LINK, ARM_JOINTS)
    checks = Checks(limits, kinematics)
    for height, refused in ((0.0105, True), (0.018, True), (0.0195, False)):
        pose = joints_for(0.3, 0.05, height)
        assert kinematics.position(pose)[2] == pytest.approx(height, abs=1e-4)
        target = np.append(pose, 0.05)
        if refused:
            with pytest.raises(Refusal, match="outside the workspace box"):
                checks.workspace(target)
        else:
            checks.workspace(target)


def test_limits_cannot_be_left_out() -> None:
    from clam_core.safety import Limits, SafetyFilter

    with pytest.raises(TypeError):
        Limits()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        SafetyFilter()  # type: ignore[call-arg]


def test_limits_come_from_a_urdf(urdf: str) -> None:
    assert joint_limits(urdf, ["pitch", "slide"]) == [(-1.5, 1.5, 2.0), (0.0, 0.2, 0.5)]
    with pytest.raises(ClamError, match="joint 'mount' no lower"):
        joint_limits(urdf, ["mount"])
    with pytest.raises(ClamError, match="joint 'elbow' no lower"):
        joint_limits(urdf, ["elbow"])


@pytest.mark.parametrize(
    "settings",
    [{"horizon": 10.0}, {"command_timeout": math.inf}, {"measurement_timeout": math.nan}, {"on_fast": "ignore"}],
)
def test_no_check_can_be_switched_off(settings: Any) -> None:
    with pytest.raises(ClamError, match=next(iter(settings))):
        FilterSettings(**settings)
