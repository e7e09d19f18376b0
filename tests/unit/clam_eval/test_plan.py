from __future__ import annotations

from collections import Counter

from clam_eval.plan import make_plan


def test_every_bundle_meets_every_layout_once_and_layouts_come_one_after_the_other() -> None:
    plan = make_plan(3, 10, seed=1000)
    assert [trial.index for trial in plan] == list(range(30))
    assert [trial.layout for trial in plan] == [layout for layout in range(10) for _ in range(3)]
    assert all(trial.seed == 1000 + trial.layout for trial in plan)
    assert Counter((trial.layout, trial.contender) for trial in plan) == Counter(
        (layout, contender) for layout in range(10) for contender in range(3)
    )


def test_the_order_is_drawn_for_each_layout_and_the_same_for_the_same_seed() -> None:
    orders = {tuple(t.contender for t in make_plan(2, 40, seed=5) if t.layout == layout) for layout in range(40)}
    assert orders == {(0, 1), (1, 0)}
    assert make_plan(2, 40, seed=5) == make_plan(2, 40, seed=5)
    assert [t.contender for t in make_plan(2, 40, seed=5)] != [t.contender for t in make_plan(2, 40, seed=6)]
    first = [t.contender for t in make_plan(2, 400, seed=5)][::2]
    assert 150 < sum(first) < 250, "nobody is always first"


def test_a_longer_evaluation_begins_like_a_shorter_one() -> None:
    assert make_plan(2, 10, seed=5)[:8] == make_plan(2, 4, seed=5)
