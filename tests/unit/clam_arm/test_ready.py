from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_arm.arm_model import READY
from clam_core.envs.kitchen_tasks import READY_GAP, sample_layout


def test_ready_is_the_middle_of_where_training_episodes_begin() -> None:
    starts = [sample_layout("reach-block", np.random.default_rng(seed)) for seed in range(500)]
    assert np.mean([layout.arm for layout in starts], axis=0) == pytest.approx(READY[:-1], abs=0.03)
    assert READY_GAP[0] < READY[-1] < READY_GAP[1]


def test_a_move_to_ready_opens_the_gripper_on_the_way_and_keeps_to_the_limits(make_rig: Any) -> None:
    rig = make_rig()
    rig.controller.move("ready", READY[:-1], rig.now, gap=READY[-1])
    fastest = np.zeros(7)
    while rig.controller.moving:
        before = rig.backend.positions.copy()
        rig.tick()
        fastest = np.maximum(fastest, np.abs(rig.backend.positions - before) / 0.02)
    assert rig.backend.positions == pytest.approx(READY)
    assert fastest[:6].max() <= 0.5 + 1e-6 and fastest[6] <= 0.05 + 1e-6 and not rig.safety.counts
