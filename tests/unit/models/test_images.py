import torch

from clam_core.models.images import relative_change


def test_what_moves_counts_more_than_what_stays() -> None:
    before, after = torch.zeros(1, 1, 3, 20, 20), torch.zeros(1, 1, 3, 20, 20)
    after[..., 4:8, 4:8] = 1.0
    weight = relative_change(before, after)
    assert weight.shape == (1, 1, 1, 20, 20)
    assert weight[..., 5, 5] > 5 and weight[..., 15, 15] == 0
    assert 0.9 < weight.mean() <= 1


def test_the_noise_of_a_still_picture_counts_little() -> None:
    torch.manual_seed(0)
    before = torch.full((2, 1, 3, 20, 20), 0.5)
    weight = relative_change(before, before + 1e-4 * torch.randn_like(before))
    assert weight.mean() < 0.2
