"""Attention that is read off the networks: it is theirs, and they do not notice."""

import pytest
import torch
from torch import Tensor, nn

from clam_core.models.action_token import ActionTokenPolicy
from clam_core.models.config import ActionTokenConfig, InputShape, TransformerConfig
from clam_core.models.observations import Observations
from clam_core.models.space_time_lam import SpaceTimeIDM
from clam_core.models.transformer import Attention, causal_mask
from clam_core.pictures.attention import idm_attention, policy_attention, recorded_attention, saliency

CONFIG = TransformerConfig(encoder_layers=2, dim=32, feedforward_dim=64, heads=4, max_timesteps=20)
TOKENS = ActionTokenConfig(dim=32, layers=2, heads=4, feedforward_dim=64, stem_tokens=3)


def idm_and_window() -> tuple[SpaceTimeIDM, Observations]:
    torch.manual_seed(0)
    idm = SpaceTimeIDM((3, 8, 12), 2, 5, 4, CONFIG).eval()  # 2 rows of 3 patches
    return idm, Observations(torch.randn(2, 3, 2), torch.rand(2, 3, 3, 8, 12), torch.arange(3).expand(2, 3))


def policy_and_observations() -> tuple[ActionTokenPolicy, Observations]:
    torch.manual_seed(0)
    shape = InputShape(4, (12, 64, 96))  # two cameras, two frames of each; maps of 2 rows and 3 columns
    policy = ActionTokenPolicy(shape, 2, 2, 7, 5, TOKENS, squash=False).eval()
    return policy, Observations(torch.randn(3, 4), torch.rand(3, 12, 64, 96), torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize("keys", [2, 30])  # with and without matrix products, see `attend`
@pytest.mark.parametrize("masked", [False, True])
def test_weights_are_those_that_the_output_is_made_with(keys: int, masked: bool) -> None:
    torch.manual_seed(0)
    attention = Attention(16, 4, 0.1).eval()
    query, key, value = torch.randn(2, keys, 16), torch.randn(2, keys, 16), torch.randn(2, keys, 16)
    mask = causal_mask(keys, keys, query.device) if masked else None
    weights = attention.weights(query, key, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, keys))
    if masked:
        assert weights.triu(1).abs().max() == 0
    values = nn.functional.linear(value, attention.in_proj_weight[32:], attention.in_proj_bias[32:])
    heads = weights @ values.view(2, keys, 4, 4).transpose(1, 2)
    torch.testing.assert_close(
        attention.out_proj(heads.transpose(1, 2).flatten(-2)), attention(query, key, value, mask)
    )


def test_recording_leaves_the_outputs_as_they_are_and_ends() -> None:
    idm, window = idm_and_window()
    policy, observations = policy_and_observations()
    for network, given in ((idm, window), (policy, observations)):
        modules = [m for m in network.modules() if isinstance(m, Attention | nn.MultiheadAttention)]
        with torch.no_grad():
            before = network(given)
            with recorded_attention(modules) as weights:
                assert torch.equal(network(given), before)
            assert torch.equal(network(given), before)
        recorded = [calls for calls in weights.values() if calls]
        assert all(len(calls) == 1 for calls in recorded)  # what came after was not recorded
        for (looks,) in recorded:
            torch.testing.assert_close(looks.sum(-1), torch.ones(looks.shape[:-1]))


def test_hooks_are_gone_after_an_error_too() -> None:
    attention = Attention(16, 4, 0.1)
    with pytest.raises(ValueError, match="on purpose"), recorded_attention([attention]):
        raise ValueError("on purpose")
    assert not attention._forward_hooks


def test_the_action_token_s_attention_lies_where_its_patch_is() -> None:
    idm, window = idm_and_window()
    looks = idm_attention(idm, window)
    assert looks.shape == (2, 3, 2, 3)
    assert (looks > 0).all() and (looks.sum((-1, -2)) < 1).all()  # some of it is on the token itself
    spatial = idm.encoder.blocks[-1].spatial
    with torch.no_grad():  # queries that ask for a position that only the last patch of the first row has
        spatial.in_proj_weight.zero_()
        spatial.in_proj_weight[32:64] = torch.eye(32)
        spatial.in_proj_bias[:32] = 10.0
        idm.spatial_positions.weight[3] += 100.0
    looks = idm_attention(idm, window)
    torch.testing.assert_close(looks[..., 0, 2], torch.ones(2, 3))


def test_the_policy_s_attention_is_one_over_cameras_frames_cells_and_state() -> None:
    policy, observations = policy_and_observations()
    maps, state = policy_attention(policy, observations)
    assert maps.shape == (3, 5, 2, 2, 2, 3)
    torch.testing.assert_close(maps.sum((2, 3, 4, 5)) + state, torch.ones(3, 5))
    assert maps.std() > 0 and state.min() > 0


def test_the_policy_s_attention_lies_in_the_cell_camera_and_frame_that_it_looks_at() -> None:
    policy, observations = policy_and_observations()
    with torch.no_grad():
        for camera, stem in enumerate(policy.stems):
            _ask(stem.attention, 50.0)
            stem.positions[4 if camera else 0] += 100.0  # of 2 rows of 3: the middle of the second, or the first
        for layer in policy.decoder.layers:
            _ask(layer.multihead_attn, 50.0)
        policy.memory_positions[9:12] += 100.0  # the tokens of the second camera's newest frame
    maps, state = policy_attention(policy, observations)
    torch.testing.assert_close(maps[:, :, 1, 1, 1, 1], torch.ones(3, 5))
    assert state.max() < 1e-3


def _ask(attention: nn.MultiheadAttention, strength: float) -> None:
    """Queries that are the same for all, keys that are the inputs."""
    dim = attention.embed_dim
    attention.in_proj_weight.zero_()
    attention.in_proj_weight[dim : 2 * dim] = torch.eye(dim)
    attention.in_proj_bias[:dim] = strength


def test_saliency_of_a_linear_map_is_the_length_of_its_columns() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 6 * 4 * 3, generator=generator)  # two cameras of 4 rows and 3 columns

    def function(images: Tensor) -> Tensor:
        return images.flatten(1) @ weight.T

    found = saliency(function, torch.rand(2, 6, 4, 3), 2)
    expected = weight.view(5, 2, 3, 4, 3).square().sum((0, 2)).sqrt()
    torch.testing.assert_close(found, expected.expand(2, 2, 4, 3))
