from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.config import TransformerConfig
from clam_core.models.dropout import Dropout, keep_mask
from clam_core.models.observations import Observations
from clam_core.models.transformer import Attention, EncoderLayer, causal_mask, transition_ends
from clam_core.models.transformer_lam import TransformerFDM, TransformerIDM

PAPER = TransformerConfig()
SMALL = TransformerConfig(encoder_layers=2, decoder_layers=2, dim=32, feedforward_dim=64, heads=4, max_timesteps=20)
VARIANTS = [SMALL, replace(SMALL, pre_norm=True), replace(SMALL, timesteps="window")]


def windows(batch: int = 4, frames: int = 4, state_dim: int = 6, first: int = 3) -> Observations:
    torch.manual_seed(0)
    timestep = first + torch.arange(frames).expand(batch, frames)
    return Observations(torch.randn(batch, frames, state_dim), None, timestep)


def halves(config: TransformerConfig, **options: bool) -> tuple[TransformerIDM, TransformerFDM]:
    torch.manual_seed(1)
    idm = TransformerIDM(6, 5, config, causal=options.get("causal", False))
    fdm = TransformerFDM(6, 5, config, causal_cross=options.get("causal_cross", False))
    return idm.eval(), fdm.eval()


def changed_at(tensor: Tensor, step: int) -> Tensor:
    """`tensor` ``(B, T, ·)`` with other values at one time step."""
    other = tensor.clone()
    other[:, step] += 1.0
    return other


def differs(a: Tensor, b: Tensor) -> list[bool]:
    """Per time step of ``(B, T, ·)``."""
    return [not torch.allclose(a[:, step], b[:, step], atol=1e-5) for step in range(a.shape[1])]


def test_the_paper_s_sizes_have_the_paper_s_number_of_parameters() -> None:
    halves = TransformerIDM(39, 16, PAPER), TransformerFDM(39, 16, PAPER)
    assert sum(parameter.numel() for half in halves for parameter in half.parameters()) == 8_874_551


@pytest.mark.parametrize("config", VARIANTS)
def test_one_latent_action_and_one_prediction_per_transition(config: TransformerConfig) -> None:
    idm, fdm = halves(config)
    window = windows()
    z = idm(window)
    assert z.shape == (4, 3, 5)
    assert fdm(window.time(slice(0, -1)), z).shape == (4, 3, 6)
    assert TransformerFDM(6, 5, config, output_dim=9)(window.time(slice(0, -1)), z).shape == (4, 3, 9)


@pytest.mark.parametrize("config", VARIANTS)
def test_the_idm_sees_the_whole_window_unless_causal(config: TransformerConfig) -> None:
    window = windows()
    later = replace(window, state=changed_at(window.state, -1))
    idm, _ = halves(config)
    assert differs(idm(window), idm(later)) == [True, True, True]
    idm, _ = halves(config, causal=True)
    assert differs(idm(window), idm(later)) == [False, False, True]


@pytest.mark.parametrize("config", VARIANTS)
def test_the_fdm_sees_past_observations_only(config: TransformerConfig) -> None:
    _, fdm = halves(config)
    past, z = windows(frames=3), torch.randn(4, 3, 5)
    for step, expected in enumerate([[True, True, True], [False, True, True], [False, False, True]]):
        other = replace(past, state=changed_at(past.state, step))
        assert differs(fdm(past, z), fdm(other, z)) == expected


@pytest.mark.parametrize("config", VARIANTS)
def test_the_fdm_sees_all_latent_actions_unless_causal(config: TransformerConfig) -> None:
    past, z = windows(frames=3), torch.randn(4, 3, 5)
    _, fdm = halves(config)
    assert differs(fdm(past, z), fdm(past, changed_at(z, 2))) == [True, True, True]
    _, fdm = halves(config, causal_cross=True)
    assert differs(fdm(past, z), fdm(past, changed_at(z, 1))) == [False, True, True]


def test_leaving_out_unread_outputs_changes_no_others() -> None:
    torch.manual_seed(0)
    x, positions = torch.randn(3, 5, 32), torch.randn(3, 5, 32)
    for config in VARIANTS:
        layer = EncoderLayer(config).eval()
        for mask in (None, causal_mask(5, 5, x.device)):
            torch.testing.assert_close(layer(x, positions, mask, 2), layer(x, positions, mask)[:, -2:])


@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_equals_torch(masked: bool) -> None:
    ours, theirs = attentions()
    x, positions = torch.randn(3, 5, 32), torch.randn(3, 5, 32)
    keys = x + positions
    mask = causal_mask(5, 5, x.device) if masked else None
    expected, _ = theirs(keys, keys, x, attn_mask=None if mask is None else ~mask)
    torch.testing.assert_close(ours(keys, keys, x, mask), expected)
    expected.square().sum().backward()
    ours(keys, keys, x, mask).square().sum().backward()
    torch.testing.assert_close(ours.in_proj_weight.grad, theirs.in_proj_weight.grad)


def test_cross_attention_equals_torch() -> None:
    ours, theirs = attentions()
    queries, keys, values = torch.randn(3, 2, 32), torch.randn(3, 5, 32), torch.randn(3, 5, 32)
    torch.testing.assert_close(ours(queries, keys, values), theirs(queries, keys, values)[0])


def attentions() -> tuple[Attention, nn.MultiheadAttention]:
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(32, 4, dropout=0.3, batch_first=True).eval()
    nn.init.normal_(theirs.in_proj_bias)
    ours = Attention(32, 4, dropout=0.3).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("config", VARIANTS)
def test_every_parameter_learns(config: TransformerConfig) -> None:
    idm, fdm = halves(config)
    window = windows()
    fdm(window.time(slice(0, -1)), idm(window)).square().sum().backward()
    for name, parameter in [*idm.named_parameters(), *fdm.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("config", [PAPER, SMALL])
def test_dropout_acts_in_training_only(config: TransformerConfig) -> None:
    window = windows()
    idm = TransformerIDM(6, 5, config)
    assert not torch.equal(idm(window), idm(window))
    idm.eval()
    assert torch.equal(idm(window), idm(window))


def test_positions_follow_the_episode_or_the_window() -> None:
    early, late = windows(first=0), windows(first=9)
    idm, fdm = halves(SMALL)
    z = torch.randn(4, 3, 5)
    assert all(differs(idm(early), idm(late)))
    assert all(differs(fdm(early.time(slice(0, -1)), z), fdm(late.time(slice(0, -1)), z)))
    idm, fdm = halves(replace(SMALL, timesteps="window"))
    assert torch.equal(idm(early), idm(late))
    assert torch.equal(fdm(early.time(slice(0, -1)), z), fdm(late.time(slice(0, -1)), z))


def test_a_transition_of_a_padded_window_ends_where_it_begins() -> None:
    assert transition_ends(torch.tensor([[0, 0, 1], [4, 5, 6]])).tolist() == [[0, 1, 2], [5, 6, 7]]


def test_too_long_an_episode_says_what_to_change() -> None:
    for config in (SMALL, replace(SMALL, pre_norm=True)):
        idm, fdm = halves(config)
        with pytest.raises(ClamError, match=r"time step 20 .* 20: .*max_timesteps.*timesteps=window") as error:
            idm(windows(first=17))
        assert "\n" not in str(error.value)
        with pytest.raises(ClamError, match="time step 20"):  # that of the last transition's end
            fdm(windows(frames=3, first=17), torch.randn(4, 3, 5))
    idm, fdm = halves(replace(SMALL, timesteps="window"))
    fdm(windows(first=1000).time(slice(0, -1)), idm(windows(first=1000)))


def test_cheap_dropout_drops_and_scales_as_asked() -> None:
    torch.manual_seed(0)
    for p in (0.1, 0.5):
        mask = keep_mask(torch.Size([1001, 999]), p, torch.float32)
        assert (mask == 0).float().mean().item() == pytest.approx(p, abs=2e-3)
        assert mask.mean().item() == pytest.approx(1, abs=2e-3)
        assert torch.unique(mask).tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-3)
        drops = (mask == 0).float()  # neighbours share a random number, but not its bits
        for offset in (1, 2, 3, 999):
            flat = drops.flatten()
            assert (flat[offset:] * flat[:-offset]).mean().item() == pytest.approx(p * p, abs=2e-3)


def test_cheap_dropout_s_edges() -> None:
    x = torch.randn(7, 3, requires_grad=True)
    assert torch.equal(Dropout(0.0)(x), x) and torch.equal(Dropout(0.5).eval()(x), x)
    assert not Dropout(1.0)(x).any()
    dropped = Dropout(0.5)(x)
    dropped.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(dropped, x * x.grad)
    torch.manual_seed(3)
    first = Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(first, Dropout(0.5)(x))
