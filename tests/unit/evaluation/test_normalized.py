import numpy as np
import pytest

from clam_core.errors import ClamError
from clam_core.evaluation import bootstrap_mean, normalized_return, summarize_normalized


def test_a_random_agent_has_0_and_an_expert_100_whatever_the_version():
    for version in ("-v2", "-v5", ""):
        assert normalized_return("gym", f"Hopper{version}", -20.272305) == 0.0
        assert normalized_return("gym", f"Hopper{version}", 3234.3) == 100.0
        assert normalized_return("gym", f"HalfCheetah{version}", 12135.0) == 100.0


def test_the_published_value_of_a_medium_hopper():
    # d4rl.get_normalized_score("hopper-medium-v2", 1000.0) == 0.31348…
    assert normalized_return("gym", "Hopper-v5", 1000.0) == pytest.approx(100 * 1020.272305 / 3254.572305)


def test_a_task_without_references_has_no_normalized_return():
    assert summarize_normalized("gym", "Pendulum-v1", [1.0]) is None
    assert summarize_normalized("dmcontrol", "hopper-hop", [1.0]) is None
    with pytest.raises(ClamError, match="no reference scores"):
        normalized_return("gym", "Pendulum-v1", 1.0)


def test_the_interval_of_a_mean_is_repeatable_and_shrinks_with_more_episodes():
    values = np.random.default_rng(0).normal(50.0, 10.0, 200)
    low, high = bootstrap_mean(values)
    assert bootstrap_mean(values) == (low, high)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.1)  # the normal approximation
    few_low, few_high = bootstrap_mean(values[:10])
    assert few_high - few_low > 2 * (high - low)
    assert bootstrap_mean([7.0]) == (7.0, 7.0)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])
