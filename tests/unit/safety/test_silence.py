"""Nothing moves because an e-stop was reset, or torque came back: whoever commanded on must pause first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clam_core.safety.silence import Silence

END: dict[str, Callable[[Any], Any]] = {
    "the e-stop": lambda arm: arm.filter.reset_estop(arm.now),
    "the switching of torque": lambda arm: arm.filter.enable(arm.now),
}


@pytest.mark.parametrize("what", END)
def test_who_went_on_is_refused_until_the_pause_and_who_was_silent_is_not(make_arm: Any, what: str) -> None:
    arm = make_arm(command_timeout=0.3)
    silence = arm.filter.silence
    assert silence.heard(arm.now) is None
    arm.filter.estop(arm.now)
    arm.tick(10)
    silence.heard(arm.now)
    arm.tick(10)
    END[what](arm)
    for _ in range(50):
        refusal = silence.heard(arm.now)
        assert refusal.reason.value == "went_on"
        assert f"went on through {what}: stop it" in refusal.text and "enable it again" in refusal.text
        arm.tick(10)  # 0.2 s
    arm.tick(10)
    assert silence.heard(arm.now) is None, "it paused for 0.4 s"
    arm.tick()
    assert silence.heard(arm.now) is None, "once is enough"
    arm.tick(20)
    END[what](arm)
    assert silence.heard(arm.now) is None, "it was silent meanwhile"


def test_a_refused_reset_demands_nothing(make_arm: Any) -> None:
    arm = make_arm()
    arm.tick(40, measure=False)
    assert arm.filter.silence.heard(arm.now) is None
    assert arm.filter.reset_estop(arm.now) is not None
    assert arm.filter.silence.heard(arm.now) is None


def test_the_first_command_ever_counts() -> None:
    silence = Silence(0.5)
    silence.demand("the switching of torque")
    assert silence.lasts(3.0) and silence.heard(3.0) is None and not silence.lasts(3.4) and silence.lasts(3.5)
