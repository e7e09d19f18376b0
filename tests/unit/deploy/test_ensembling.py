import numpy as np
import pytest

from clam_core.deploy import TemporalEnsembler


def test_oldest_prediction_weighs_most() -> None:
    ensembler = TemporalEnsembler(chunk=3, m=0.5)
    ensembler.add(0, np.array([[0.0], [0.0], [1.0]]))
    ensembler.add(1, np.array([[0.0], [2.0], [0.0]]))
    ensembler.add(2, np.array([[3.0], [0.0], [0.0]]))
    weights = np.exp([0.0, -0.5, -1.0])
    expected = (weights * [1.0, 2.0, 3.0]).sum() / weights.sum()
    assert ensembler.action_at(2) == pytest.approx([expected])


def test_without_ensembling_the_newest_prediction_wins() -> None:
    ensembler = TemporalEnsembler(chunk=2, m=None)
    ensembler.add(0, np.array([[1.0], [2.0]]))
    ensembler.add(1, np.array([[5.0], [6.0]]))
    assert ensembler.action_at(1) == pytest.approx([5.0])


def test_a_late_chunk_lands_on_the_steps_it_was_predicted_for() -> None:
    ensembler = TemporalEnsembler(chunk=4, m=None)
    ensembler.add(10, np.array([[0.0], [1.0], [2.0], [3.0]]))
    assert ensembler.action_at(12) == pytest.approx([2.0])


def test_uncovered_step_is_an_error_and_reset_forgets() -> None:
    ensembler = TemporalEnsembler(chunk=2, m=0.1)
    ensembler.add(0, np.zeros((2, 1)))
    with pytest.raises(LookupError, match="step 2"):
        ensembler.action_at(2)
    ensembler.reset()
    with pytest.raises(LookupError):
        ensembler.action_at(0)


def test_chunks_that_can_no_longer_matter_are_dropped() -> None:
    ensembler = TemporalEnsembler(chunk=2, m=0.1)
    for step in range(100):
        ensembler.add(step, np.full((2, 1), float(step)))
    assert len(ensembler._chunks) == 2
