from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest

from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_core.evaluation import evaluate, rollout
from clam_core.evaluation.video import VideoRecorder
from clam_core.operators import make_operator
from clam_core.spec import Observation


class Scripted:
    """The expert as a policy."""

    def __init__(self) -> None:
        self.operator = make_operator("metaworld", "assembly", "expert")

    def reset(self) -> None:
        self.operator.reset(0)

    def act(self, observation: Observation) -> np.ndarray:
        return self.operator.act(observation)


def test_rollouts_are_those_of_their_seeds_in_any_order() -> None:
    env = make_env("metaworld", "assembly")
    forward = evaluate(env, Scripted(), [1, 2])
    backward = evaluate(env, Scripted(), [2, 1])
    for one, other in zip(forward, reversed(backward), strict=True):
        assert one.seed == other.seed
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
    assert not np.array_equal(forward[0].rewards, forward[1].rewards)
    assert forward[0].success
    assert forward[0].episode_return == pytest.approx(forward[0].rewards.sum())


def test_a_video_shows_every_second_step(tmp_path: Path) -> None:
    env = make_env("metaworld", "assembly", max_steps=20)
    video = VideoRecorder(env, tmp_path / "rollout.mp4", size=96)
    try:
        rollout(env, Scripted(), 1, video.capture)
    except ClamError as error:
        if "OpenGL" not in str(error):
            raise
        pytest.skip(str(error))
    finally:
        video.close()
        env.close()
    frames = np.stack(imageio.mimread(tmp_path / "rollout.mp4"))
    assert frames.shape == (11, 96, 96, 3)
    assert frames.std() > 20  # a picture, not a grey area
    assert np.abs(frames[0].astype(float) - frames[-1]).max() > 50  # in which something moves
