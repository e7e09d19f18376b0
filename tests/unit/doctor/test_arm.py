"""Whether a bundle commands this arm at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clam_core.doctor.arm import check_arm
from clam_core.envs.kitchen_spec import ACTION, kitchen_spec
from clam_core.errors import ClamError

from .conftest import SPEC


def test_the_arms_own_joints_fit_in_any_order() -> None:
    spec = kitchen_spec("reach-block")
    check_arm("runs/a/bundle", spec)
    check_arm("runs/a/bundle", replace(spec, action=replace(ACTION, names=ACTION.names[::-1])))


def test_a_bundle_of_another_robot_is_one_line_that_names_both() -> None:
    with pytest.raises(ClamError, match=r"is of another robot .*commands waist, gripper, this arm") as it:
        check_arm("runs/a/bundle", SPEC)
    assert "'runs/a/bundle'" in str(it.value) and "test/arm" in str(it.value) and "\n" not in str(it.value)
