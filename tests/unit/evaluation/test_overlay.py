"""The overlay shows what the policy answered each observation with, and changes no number of the rollout."""

from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt
import pytest

from clam_core.deploy.ensembling import TemporalEnsembler
from clam_core.envs.base import Step
from clam_core.envs.kitchen_spec import kitchen_spec
from clam_core.evaluation import evaluate, rollout
from clam_core.evaluation import video as video_module
from clam_core.evaluation.overlay import ActionPlots, draw_path, kitchen_path, write_words
from clam_core.evaluation.video import ChunkVideo
from clam_core.evaluation.watching import ChunkMemory, WatchedEnvironment
from clam_core.spec import ActionSpec, EnvironmentSpec, Observation, ObservationSpec

STEPS = 6
SPEC = EnvironmentSpec(
    "test",
    "count",
    ObservationSpec(("n",), ("1",)),
    ActionSpec(("a", "b"), ("1", "1"), (-9, -9), (99, 99)),
    10.0,
    STEPS,
)


class Counting:
    """An observation is the step's number; drawn as an image of that brightness."""

    spec = SPEC

    def reset(self, seed: int) -> Observation:
        self.step_number = 0
        return {"state": np.array([0.0])}

    def step(self, action: npt.NDArray[np.float64]) -> Step:
        self.step_number += 1
        state = {"state": np.array([float(self.step_number)])}
        return Step(state, float(action[0]), self.step_number == 4, self.step_number == STEPS)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        return np.full((height, width, 3), 10 * self.step_number, dtype=np.uint8)

    def close(self) -> None: ...


class Chunked:
    """A policy whose chunk of 3 begins with the observation's number."""

    def __init__(self) -> None:
        self.ensembler = TemporalEnsembler(3, 0.5)

    def reset(self) -> None:
        self.ensembler.reset()
        self.number = 0

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        chunk = observation["state"][0] + np.arange(3.0)[:, None] + np.array([0.0, 0.5])
        self.ensembler.add(self.number, chunk)
        action = self.ensembler.action_at(self.number)
        self.number += 1
        return action


def test_watching_changes_no_number() -> None:
    plain = evaluate(Counting(), Chunked(), [0, 1])
    policy = Chunked()
    policy.ensembler = ChunkMemory(policy.ensembler)
    watched = evaluate(WatchedEnvironment(Counting()), policy, [0, 1])
    for one, other in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)


def test_the_standing_is_that_of_this_episode() -> None:
    env = WatchedEnvironment(Counting())
    env.reset(0)
    for _ in range(4):
        env.step(np.array([2.0, 0.0]))
    assert env.standing == f"step 4/{STEPS}, return 8.0 so far, success"
    env.reset(1)
    assert env.standing == f"step 0/{STEPS}, return 0.0 so far"


def test_each_frame_has_the_chunk_of_its_own_observation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    class Noted(ActionPlots):
        def draw(self, taken: list[npt.NDArray[np.float64]], chunk: npt.NDArray[np.float64] | None):  # type: ignore[no-untyped-def, override]
            drawn.append((len(taken), None if chunk is None else chunk[0, 0]))
            return super().draw(taken, chunk)

    monkeypatch.setattr(video_module, "ActionPlots", Noted)
    env, policy = WatchedEnvironment(Counting()), Chunked()
    policy.ensembler = chunks = ChunkMemory(policy.ensembler)
    video = ChunkVideo(env, chunks, tmp_path / "rollouts.mp4", size=96)
    for seed in (0, 1):
        rollout(env, policy, seed, video.capture)
    video.close()
    episode = [*((step, float(step)) for step in range(STEPS)), (STEPS, None)]
    assert drawn == [*episode, *episode]
    frames = np.stack(imageio.mimread(tmp_path / "rollouts.mp4"))
    assert frames.shape == (2 * (STEPS + 1), 96 + 72, 96, 3)
    brightness = frames[:, 50:90].mean((1, 2, 3))
    np.testing.assert_allclose(brightness[: STEPS + 1], 10 * np.arange(STEPS + 1), atol=4)


def test_a_path_is_drawn_through_its_pixels_and_nowhere_else() -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    draw_path(image, np.array([[20.5, 30.5], [60.5, 30.5], [60.5, 80.5], [np.nan, np.nan]]))
    assert image[30, 40].max() > 100 and image[55, 60].max() > 100
    touched = np.argwhere(image.max(-1) > 0)
    assert (touched.min(0) >= (26, 16)).all() and (touched.max(0) <= (84, 64)).all()
    before = np.zeros((100, 100, 3), dtype=np.uint8)
    draw_path(before, np.full((3, 2), np.nan))
    assert not before.any()


def test_the_plots_show_what_was_taken_grey_and_what_is_to_come_red() -> None:
    plots = ActionPlots(SPEC, 200)
    strip = plots.draw([np.array([1.0, 5.0]), np.array([2.0, 5.0])], np.array([[3.0, 5.0], [8.0, 5.0]])).astype(int)
    assert strip.shape == (72, 200, 3)
    red = strip[..., 0] - strip[..., 1] > 100
    for left in (0, 100):
        assert red[:, left + 70 : left + 100].any() and not red[:, left : left + 70].any()
    rows = np.nonzero(red[:, :100])[0]
    still = np.nonzero(red[:, 100:])[0]
    assert rows.max() - rows.min() > 25  # from 3 to 8, in a range of 1 to 8
    assert still.max() - still.min() <= 5  # an action that stays is a flat line


def test_words_are_on_the_upper_edge_only() -> None:
    image = np.full((240, 240, 3), 200, dtype=np.uint8)
    write_words(image, "step 3/100, score 0.5 so far")
    assert image[:12].min() < 100 and image[:12].max() > 230
    assert (image[30:] == 200).all()


def test_only_the_kitchen_s_chunk_is_a_path() -> None:
    assert kitchen_path(SPEC, np.zeros(1), np.zeros((3, 2)), 96, 96) is None
    spec = kitchen_spec("reach-block")
    state, chunk = np.zeros(len(spec.observation.names)), np.zeros((5, 7))
    place = spec.observation.names.index("end_effector_x")
    state[place : place + 3] = [0.3, 0.0, 0.3]
    path = kitchen_path(spec, state, chunk, 480, 480)
    assert path is not None and path.shape == (6, 2)
    np.testing.assert_allclose(path[1:], np.tile(path[1], (5, 1)))  # the same joints, the same place
    assert np.linalg.norm(path[0] - path[1]) > 20
