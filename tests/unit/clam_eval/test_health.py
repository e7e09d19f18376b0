from __future__ import annotations

import pytest

from clam_eval.health import ERROR, OK, WARN, Health


@pytest.fixture
def health() -> Health:
    made = Health(policy="/policy", arm="/arm", watch="/watch", camera="external")
    made.hear("/arm", OK, "hold", {"state": "hold", "active": "true", "e-stop": "-"}, 100.0)
    made.hear("/policy", OK, "commanding", {}, 100.0)
    made.picture(100.0)
    return made


def test_nothing_is_wrong_with_a_robot_that_says_so(health: Health) -> None:
    assert not health.not_ready(100.0) and not health.fault(100.0) and not health.estopped()
    health.hear("/arm", WARN, "active: velocity_limit", {"state": "active"}, 100.0)
    assert not health.fault(100.0), "that commands are refused is the policy's own doing"


def test_a_robot_that_was_not_heard_is_not_ready() -> None:
    health = Health(policy="/policy", arm="/arm", watch="/watch", camera="external")
    assert health.not_ready(0.0) == "/arm has not been heard yet"
    health.hear("/arm", OK, "hold", {}, 0.0)
    assert health.not_ready(0.0).startswith("camera external gives no picture yet: ")
    health.picture(0.0)
    assert not health.not_ready(0.0)
    without = Health(policy="/policy", arm="/arm", watch="/watch")
    without.hear("/arm", OK, "hold", {}, 0.0)
    assert not without.not_ready(5.0) and not without.fault(5.0)


@pytest.mark.parametrize(
    ("level", "facts", "said"),
    [
        (ERROR, {"state": "fault"}, "arm: message"),
        (OK, {"state": "disabled", "active": "true"}, "no torque"),
        (OK, {"active": "false"}, "not active"),
    ],
)
def test_an_arm_that_obeys_nobody_is_a_fault(health: Health, level: int, facts: dict[str, str], said: str) -> None:
    health.hear("/arm", level, "message", facts, 99.0)
    assert said in health.fault(100.0) and said in health.not_ready(100.0)


def test_a_short_fault_of_the_arm_is_a_hiccup_that_is_counted_and_nothing_begins_meanwhile(health: Health) -> None:
    health.begin(100.0)
    for begin in (100.0, 101.0):
        health.hear("/arm", ERROR, "fault: measurement_stale", {"state": "fault"}, begin)
        health.hear("/arm", ERROR, "fault: measurement_stale", {"state": "fault"}, begin + 0.5)
        assert not health.fault(begin + 0.9) and "stale" in health.not_ready(begin + 0.9)
        health.hear("/arm", OK, "active", {"state": "active"}, begin + 0.9)
    assert not health.fault(102.0) and health.hiccups == 2
    health.begin(102.0)
    assert health.hiccups == 0


def test_an_e_stop_is_known_as_one(health: Health) -> None:
    health.hear("/arm", ERROR, "e-stop (requested)", {"state": "e-stop", "e-stop": "requested"}, 100.0)
    assert health.estopped() and "e-stop" in health.not_ready(100.0)


def test_an_arm_that_a_person_stopped_is_barred_and_one_with_a_fault_is_not(health: Health) -> None:
    assert not health.barred()
    health.hear("/arm", ERROR, "fault", {"state": "fault", "e-stop": "-"}, 100.0)
    assert not health.barred()
    for facts in ({"state": "e-stop", "e-stop": "requested"}, {"state": "disabled", "e-stop": "-"}):
        health.hear("/arm", ERROR, "stopped", facts, 100.0)
        assert health.barred()
        health.release()
        assert not health.barred()


@pytest.mark.parametrize("facts", [{"state": "e-stop", "e-stop": "requested"}, {"state": "disabled", "e-stop": "-"}])
def test_an_arm_that_was_stopped_and_obeys_again_is_barred_until_it_is_released(
    health: Health, facts: dict[str, str]
) -> None:
    health.hear("/arm", ERROR, "stopped", facts, 100.0)
    health.hear("/arm", OK, "hold", {"state": "hold", "active": "true", "e-stop": "-"}, 100.1)
    assert health.barred() and not health.estopped() and not health.not_ready(100.1)
    health.begin(100.2)
    assert health.barred(), "the beginning of a rollout says nothing about who is at the arm"
    health.release()
    health.hear("/policy", OK, "commanding", {}, 100.3)
    assert not health.barred()
    health.hear("/arm", ERROR, "stopped", facts, 100.4)
    assert health.barred()


def test_a_single_warning_of_the_policy_is_none_but_two_in_a_row_are(health: Health) -> None:
    health.hear("/policy", WARN, "no command: a hiccup", {}, 101.0)
    health.hear("/policy", OK, "commanding", {}, 102.0)
    health.hear("/policy", WARN, "no command: a hiccup", {}, 103.0)
    health.picture(104.0)
    assert not health.fault(103.0)
    health.hear("/policy", WARN, "no command: camera external is silent", {}, 104.0)
    assert health.fault(104.0) == "policy: no command: camera external is silent"
    assert not health.not_ready(104.0), "a policy that is off or fails may be loaded anew"
    health.begin(105.0)
    assert not health.fault(105.0), "what it said before is of no concern"


def test_a_policy_that_fails_or_says_nothing_is_a_fault(health: Health) -> None:
    health.hear("/policy", ERROR, "no command: not finite", {}, 101.0)
    assert health.fault(101.0) == "policy: no command: not finite"
    health.begin(102.0)
    health.picture(109.0)
    health.hear("/arm", OK, "hold", {"state": "hold"}, 109.0)
    assert "has said nothing for 7 s" in health.fault(109.0)


def test_a_silent_camera_a_silent_arm_and_what_the_watch_says_are_faults(health: Health) -> None:
    assert health.fault(102.5).startswith("camera external has been silent for 2 s: ")
    health.picture(107.0)
    health.hear("/policy", OK, "commanding", {}, 107.0)
    assert "/arm has said nothing for 7 s" in health.fault(107.0)
    health.hear("/arm", OK, "hold", {"state": "hold"}, 107.0)
    assert not health.fault(107.0)
    health.hear("/watch", ERROR, "/camera_2 is silent for 3 s", {}, 107.0)
    assert health.fault(107.0) == "/camera_2 is silent for 3 s"
