"""All checks together, in their order; and the picture for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clam_core.deploy.camera_view import CameraView
from clam_core.doctor.bundle import examine
from clam_core.doctor.finding import first_failure, is_ready
from clam_core.doctor.heard import STATE_TYPE, JointNames, Needs, Stream
from clam_core.doctor.picture import side_by_side

from .conftest import IMAGE, STATE, stream


class Policy:
    """Remembers what it was shown."""

    def reset(self) -> None:
        pass

    def predict_chunk(self, observation: Any) -> Any:
        self.shown = observation
        return np.zeros((5, 2))


def test_a_sound_robot_is_ready_and_one_finding_is_about_each_thing(needs: Needs, robot: Any, view: Any) -> None:
    policy, observation = Policy(), {"state": np.ones(2)}
    findings = examine(needs, robot.heard, policy, {"top": view}, observation)
    assert is_ready(findings) and first_failure(findings) == "" and policy.shown is observation
    about = [finding.about for finding in findings]
    assert len(about) == len(set(about))
    assert about[:4] == [f"names of {STATE}", f"joints of {STATE}", STATE, IMAGE]
    assert {"view of top", "inference", "disk"} <= set(about)


def test_the_first_failure_is_the_cause_not_what_follows_from_it(needs: Needs, robot: Any, view: Any) -> None:
    robot.streams[IMAGE], robot.offered[IMAGE], robot.topics, robot.seen = Stream(), (), {}, {}
    policy = Policy()
    findings = examine(needs, robot.heard, policy, {"top": view})
    assert first_failure(findings).startswith(f"{IMAGE}: nobody publishes it") and not is_ready(findings)
    failures = sum(finding.level == "fail" for finding in findings)
    assert f"({failures - 1} more" in first_failure(findings) or failures == 1
    assert policy.shown["top"].shape == (32, 32, 3), "inference is timed all the same"


def test_another_robot_is_the_cause_and_not_the_rate_that_its_state_comes_at(needs: Needs, robot: Any) -> None:
    """A bundle of 40 Hz that commands what this arm does not have, beside a simulator's state at 5 Hz."""
    state = "observation/state"
    action = replace(needs.spec.action, names=("hand_x", "hand_y"))
    spec = replace(needs.spec, env="metaworld", rate=40.0, action=action)
    other = replace(needs, spec=spec, state_topic=state, state_names=("hand_x",), cameras={})
    robot.streams = {STATE: robot.streams[STATE], state: stream(5.0)}
    robot.joints[state] = JointNames(("block_x",), (0.1,))
    robot.offered[state] = (STATE_TYPE,)
    findings = examine(other, robot.heard, Policy(), {})
    assert any("the policy looks 40 times" in finding.text for finding in findings if finding.level == "fail")
    assert first_failure(findings).startswith(f"joints of {STATE}: the policy commands hand_x, hand_y, which the arm")


def test_a_policy_that_breaks_is_a_finding(needs: Needs, robot: Any, view: CameraView) -> None:
    class Broken(Policy):
        def predict_chunk(self, observation: Any) -> Any:
            raise RuntimeError("out of memory")

    findings = examine(needs, robot.heard, Broken(), {"top": view})
    assert "out of memory" in first_failure(findings)


def test_the_picture_has_a_row_for_each_camera_also_where_one_is_missing(needs: Needs, robot: Any, view: Any) -> None:
    both = replace(needs, cameras={IMAGE: "top", "camera/side/image_raw": "side"})
    picture = side_by_side(both, robot.heard, {"top": view})
    assert picture.shape == (2 * 344, 640, 3)
    training, live = picture[24:344, :320], picture[24:344, 320:]
    assert np.ptp(training) > 50
    np.testing.assert_array_equal(training, live)
    assert np.ptp(picture[344 + 24 :]) == 0
    with pytest.raises(ValueError, match="no camera"):
        side_by_side(replace(needs, cameras={}), robot.heard, {})
