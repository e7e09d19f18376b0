import pytest

from clam_core.evaluation import wilson


def test_wilson_matches_published_values() -> None:
    # Newcombe (1998), Table I: 81 of 263 and 15 of 148.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_wilson_is_exact_at_the_ends() -> None:
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0


def test_wilson_refuses_no_trials() -> None:
    with pytest.raises(ValueError, match="0 successes of 0 trials"):
        wilson(0, 0)
