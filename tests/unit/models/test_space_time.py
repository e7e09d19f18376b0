from dataclasses import replace

import pytest
import torch
from torch import Tensor

from clam_core.errors import ClamError
from clam_core.models.config import TransformerConfig
from clam_core.models.observations import Observations
from clam_core.models.space_time import SpaceTimeBlock, StateFusion, patchify, unpatchify
from clam_core.models.space_time_lam import SpaceTimeFDM, SpaceTimeIDM
from clam_core.models.transformer import causal_mask

IMAGE = (3, 8, 12)
SMALL = TransformerConfig(encoder_layers=2, decoder_layers=2, dim=32, feedforward_dim=64, heads=4, max_timesteps=20)
VARIANTS = [SMALL, replace(SMALL, pre_norm=True), replace(SMALL, timesteps="window")]


def windows(state_dim: int = 2, frames: int = 4, first: int = 3) -> Observations:
    torch.manual_seed(0)
    timestep = first + torch.arange(frames).expand(2, frames)
    return Observations(torch.randn(2, frames, state_dim), torch.rand(2, frames, *IMAGE), timestep)


def halves(config: TransformerConfig, state_dim: int = 2) -> tuple[SpaceTimeIDM, SpaceTimeFDM]:
    torch.manual_seed(1)
    idm, fdm = SpaceTimeIDM(IMAGE, state_dim, 5, 4, config), SpaceTimeFDM(IMAGE, state_dim, 5, 4, config)
    return idm.eval(), fdm.eval()


def changed_at(tensor: Tensor, step: int) -> Tensor:
    other = tensor.clone()
    other[:, step] += 1.0
    return other


def differs(a: Tensor, b: Tensor) -> list[bool]:
    return [not torch.allclose(a[:, step], b[:, step], atol=1e-5) for step in range(a.shape[1])]


def test_the_paper_s_sizes_have_the_paper_s_number_of_parameters() -> None:
    image, config = (3, 64, 64), TransformerConfig()
    halves = SpaceTimeIDM(image, 4, 16, 16, config), SpaceTimeFDM(image, 4, 16, 16, config)
    assert sum(parameter.numel() for half in halves for parameter in half.parameters()) == 12_163_344


def test_patches_are_images_again() -> None:
    images = torch.rand(2, 3, *IMAGE)
    patches = patchify(images, 4)
    assert patches.shape == (2, 3, 6, 48)
    assert torch.equal(patches[0, 0, 4].view(4, 4, 3), images[0, 0, :, 4:8, 4:8].permute(1, 2, 0))
    assert torch.equal(unpatchify(patches, 4, IMAGE), images)


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("state_dim", [0, 2])
def test_one_latent_action_and_one_image_per_transition(config: TransformerConfig, state_dim: int) -> None:
    idm, fdm = halves(config, state_dim)
    window = windows(state_dim)
    z = idm(window)
    assert z.shape == (2, 3, 5)
    assert fdm(window.time(slice(0, -1)), z).shape == (2, 3, *IMAGE)


@pytest.mark.parametrize("config", VARIANTS)
def test_the_idm_sees_the_whole_window(config: TransformerConfig) -> None:
    idm, _ = halves(config)
    window = windows()
    assert window.images is not None
    z = idm(window)
    for step in range(4):
        assert all(differs(z, idm(replace(window, images=changed_at(window.images, step)))))
        assert all(differs(z, idm(replace(window, state=changed_at(window.state, step)))))


@pytest.mark.parametrize("config", VARIANTS)
def test_the_fdm_sees_past_frames_only_but_all_latent_actions(config: TransformerConfig) -> None:
    _, fdm = halves(config)
    past, z = windows(frames=3), torch.randn(2, 3, 5)
    assert past.images is not None
    predicted = fdm(past, z)
    for step, expected in enumerate([[True, True, True], [False, True, True], [False, False, True]]):
        assert differs(predicted, fdm(replace(past, images=changed_at(past.images, step)), z)) == expected
        assert differs(predicted, fdm(replace(past, state=changed_at(past.state, step)), z)) == expected
    assert differs(predicted, fdm(past, changed_at(z, 2))) == [True, True, True]


def test_every_patch_sees_the_whole_image() -> None:
    _, fdm = halves(SMALL)
    past, z = windows(frames=1), torch.randn(2, 1, 5)
    assert past.images is not None
    images = past.images.clone()
    images[..., -1, -1] += 1.0
    changed = patchify(fdm(replace(past, images=images), z) - fdm(past, z), 4).abs().amax(-1)
    assert (changed > 1e-5).all()


@pytest.mark.parametrize("config", VARIANTS)
def test_leaving_out_unread_tokens_changes_no_others(config: TransformerConfig) -> None:
    torch.manual_seed(0)
    block = SpaceTimeBlock(config).eval()
    x, positions, memory = torch.randn(2, 3, 7, 32), torch.randn(2, 3, 7, 32), (torch.randn(2, 3, 32),) * 2
    for mask in (None, causal_mask(3, 3, x.device)):
        for remembered in (None, memory):
            whole = block(x, positions, mask=mask, memory=remembered)
            part = block(x, positions, mask=mask, memory=remembered, tokens=1)
            torch.testing.assert_close(part, whole[:, :, :1])


def test_layer_norms_have_no_parameters_and_look_at_one_token() -> None:
    block = SpaceTimeBlock(SMALL)
    assert not list(block.residual.parameters())
    output = block.eval()(torch.randn(2, 3, 7, 32), torch.randn(2, 3, 7, 32))
    torch.testing.assert_close(output.mean(-1), torch.zeros(2, 3, 7), atol=1e-5, rtol=0)


def test_the_state_is_told_to_every_token_as_if_concatenated() -> None:
    torch.manual_seed(0)
    fusion = StateFusion(2, 32)
    tokens, state = torch.randn(2, 3, 7, 32), torch.randn(2, 3, 2)
    embedding = fusion.embedding(state).unsqueeze(2).expand(-1, -1, 7, -1)
    torch.testing.assert_close(fusion(tokens, state), fusion.joint(torch.cat([tokens, embedding], dim=-1)))


@pytest.mark.parametrize("config", VARIANTS)
def test_every_parameter_learns_but_the_encoder_s_cross_attention(config: TransformerConfig) -> None:
    idm, fdm = halves(config)
    window = windows()
    fdm(window.time(slice(0, -1)), idm(window)).square().sum().backward()
    for half in (idm, fdm):
        for name, parameter in half.named_parameters():
            used = half is fdm or ".cross." not in name
            assert (parameter.grad is not None and bool(parameter.grad.abs().max() > 0)) == used, name


def test_features_are_the_action_token_s_output_for_one_frame() -> None:
    idm, _ = halves(SMALL)
    window = windows(first=0)
    assert window.images is not None
    features = idm.features(window.images[:, 0], window.state[:, 0])
    assert features.shape == (2, 32)
    assert all(differs(features.unsqueeze(1), idm.features(window.images[:, 1], window.state[:, 0]).unsqueeze(1)))
    one_frame = Observations(window.state[:, :1], window.images[:, :1], window.timestep[:, :1])
    alone = idm._encode(window.images[:, :1], one_frame.state, one_frame.timestep)
    torch.testing.assert_close(features, alone[:, 0])


def test_dropout_acts_in_training_only() -> None:
    idm, _ = halves(SMALL)
    window = windows()
    assert torch.equal(idm(window), idm(window))
    idm.train()
    assert not torch.equal(idm(window), idm(window))


def test_images_that_do_not_fit_say_what_to_change() -> None:
    for half in (SpaceTimeIDM, SpaceTimeFDM):
        with pytest.raises(ClamError, match=r"84×84 .* lam.patch_size 16") as error:
            half((3, 84, 84), 0, 5, 16, SMALL)
        assert "\n" not in str(error.value)
        with pytest.raises(ClamError, match=r"256 patches .* larger lam.patch_size"):
            half((3, 64, 64), 0, 5, 4, SMALL)


def test_too_long_an_episode_says_what_to_change() -> None:
    idm, _ = halves(SMALL)
    with pytest.raises(ClamError, match=r"time step 20 .*max_timesteps"):
        idm(windows(first=17))
