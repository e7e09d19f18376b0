"""What a batch is drawn from: one stream, the same for any number of processes, resumed exactly."""

import pytest
import torch

from clam_core.errors import ClamError
from clam_core.training.sampler import Sampler

CPU = torch.device("cpu")


def test_the_shares_of_two_ranks_interleave_to_the_batch_of_one_process() -> None:
    alone, ranks = Sampler(5, CPU), [Sampler(5, CPU, rank, 2) for rank in range(2)]
    for _ in range(3):
        whole, shares = alone.draw(50, 8), [rank.draw(50, 8) for rank in ranks]
        assert torch.equal(torch.stack(shares, dim=1).flatten(), whole)


def test_draws_are_uniform_with_replacement_and_in_range() -> None:
    counts = Sampler(0, CPU).draw(4, 40_000).bincount(minlength=4)
    assert len(counts) == 4
    assert (counts - 10_000).abs().max() < 500


def test_the_stream_is_apart_from_the_global_one() -> None:
    first = Sampler(1, CPU).draw(1000, 16)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert torch.equal(Sampler(1, CPU).draw(1000, 16), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_restored_state_continues_the_stream() -> None:
    sampler, resumed = Sampler(2, CPU), Sampler(3, CPU)
    sampler.draw(100, 6)
    state = sampler.state()
    expected = [sampler.draw(100, 6), sampler.draw(100, 6)]
    resumed.load_state(state)
    assert torch.equal(torch.stack([resumed.draw(100, 6), resumed.draw(100, 6)]), torch.stack(expected))


def test_a_batch_that_cannot_be_shared_names_both_numbers_and_the_mend() -> None:
    with pytest.raises(ClamError, match=r"batch_size 9 .* 2 processes; choose a multiple"):
        Sampler(0, CPU, 1, 2).draw(10, 9)
