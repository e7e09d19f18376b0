from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.errors import ClamError
from clam_core.models.config import CnnConfig, LamConfig
from clam_core.models.impala import ImpalaCnn, ImpalaEncoder
from clam_core.models.impala_lam import ImpalaFDM, ImpalaIDM
from clam_core.models.lam import LatentActionModel
from clam_core.models.latent_space import LatentSpace
from clam_core.models.observations import Observations

SMALL = CnnConfig(channels=(4, 8, 8), scale=1, embedding_dim=16)
SIZES = [(64, 64), (84, 84), (50, 50), (33, 47)]


def _config(context: int = 1, residual: bool = False) -> LamConfig:
    return LamConfig(architecture="impala", context=context, latent_dim=3, residual=residual, cnn=SMALL)


def _window(size: tuple[int, int], state_dim: int = 0, frames: int = 3) -> Observations:
    timestep = torch.arange(frames).expand(2, -1)
    return Observations(torch.randn(2, frames, state_dim), torch.rand(2, frames, 6, *size), timestep)


def _lam(size: tuple[int, int], state_dim: int, config: LamConfig) -> LatentActionModel:
    image = (6, *size)
    idm = ImpalaIDM(image, state_dim, config.latent_dim, config)
    fdm = ImpalaFDM(image, state_dim, config)
    return LatentActionModel(idm, fdm, LatentSpace(config.latent, config.latent_dim), predicts_images=True)


def _without_gradient(module: nn.Module) -> list[str]:
    return [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize("size", SIZES)
def test_the_cnn_announces_the_shape_of_its_map(size: tuple[int, int]) -> None:
    cnn = ImpalaCnn(6, CnnConfig(channels=(4, 8, 8), scale=2))
    maps = cnn(torch.rand(2, 6, *size))
    assert maps.shape == (2, *cnn.output_shape(*size))
    assert cnn.widths == (8, 16, 16)
    assert [m.shape[1] for m in cnn.stages(torch.rand(1, 6, *size))] == [6, 8, 16, 16]


def test_a_cnn_of_patches_works_on_fewer_places() -> None:
    cnn = ImpalaCnn(6, replace(SMALL, patch=4))
    maps = cnn.stages(torch.rand(2, 6, 64, 48))
    assert [tuple(m.shape[1:]) for m in maps] == [(4, 16, 12), (4, 8, 6), (8, 4, 3), (8, 2, 2)]
    assert cnn.output_shape(64, 48) == (8, 2, 2)
    with pytest.raises(ClamError, match=r"50×64 do not divide into patches of cnn.patch 4"):
        ImpalaEncoder((3, 50, 64), replace(SMALL, patch=4))


@pytest.mark.parametrize("patch", [1, 4])
def test_what_is_told_to_every_pixel_is_as_if_it_were_channels(patch: int) -> None:
    cnn = ImpalaCnn(9, replace(SMALL, patch=patch))
    images, told = torch.rand(2, 6, 16, 16), torch.randn(2, 3, requires_grad=True)
    spread = torch.cat([images, told[:, :, None, None].expand(-1, -1, 16, 16)], dim=1)
    for short, long in zip(cnn.stages(images, told), cnn.stages(spread), strict=True):
        torch.testing.assert_close(short, long)
        gradients = [torch.autograd.grad(maps.square().sum(), told, retain_graph=True)[0] for maps in (short, long)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


def test_the_encoder_embeds_and_all_of_it_learns() -> None:
    torch.manual_seed(0)
    encoder = ImpalaEncoder((3, 50, 64), SMALL)
    embedding = encoder(torch.rand(4, 3, 50, 64))
    assert embedding.shape == (4, encoder.dim) == (4, 16)
    embedding.square().sum().backward()
    assert _without_gradient(encoder) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state_dim", [0, 5])
def test_shapes_of_the_lam(size: tuple[int, int], state_dim: int) -> None:
    lam = _lam(size, state_dim, _config())
    window = _window(size, state_dim)
    z = lam.infer(window).z
    assert z.shape == (2, 1, 3)
    prediction = lam.predict(window.time(slice(None, -1)), z)
    assert prediction.shape == (2, 1, 6, *size)
    assert prediction.min() >= 0 and prediction.max() <= 1


@pytest.mark.parametrize("context", [0, 2])
def test_the_lam_takes_any_context(context: int) -> None:
    window = _window((32, 32), frames=context + 2)
    lam = _lam((32, 32), 0, _config(context))
    assert lam.predict(window.time(slice(None, -1)), lam.infer(window).z).shape == (2, 1, 6, 32, 32)


@pytest.mark.parametrize("state_dim", [0, 5])
def test_the_lam_loss_trains_everything_and_what_features_returns(state_dim: int) -> None:
    torch.manual_seed(0)
    lam = _lam((40, 40), state_dim, _config(residual=True))
    window = _window((40, 40), state_dim)
    prediction = lam.predict(window.time(slice(None, -1)), lam.infer(window).z)
    functional.mse_loss(prediction[:, 0], lam.observed(window)[:, -1]).backward()  # type: ignore[no-untyped-call]
    assert _without_gradient(lam) == []
    assert isinstance(lam.idm, ImpalaIDM)
    assert lam.idm.encoder.embedding.linear.weight.grad is not None  # the last layer of `features`


def test_features_are_those_of_single_images() -> None:
    idm = ImpalaIDM((6, 40, 40), 0, 3, _config())
    images = torch.rand(5, 6, 40, 40)
    features = idm.features(images)
    assert features.shape == (5, SMALL.embedding_dim)
    torch.testing.assert_close(idm.features(images[2:3]), features[2:3])


def test_the_idm_reads_every_frame_and_the_states() -> None:
    torch.manual_seed(0)
    idm, window = ImpalaIDM((6, 40, 40), 5, 3, _config()), _window((40, 40), 5)
    assert window.images is not None
    window.images.requires_grad_()
    window.state.requires_grad_()
    idm(window).sum().backward()
    assert window.images.grad is not None and (window.images.grad.abs().sum((0, 2, 3, 4)) > 0).all()
    assert window.state.grad is not None and (window.state.grad.abs().sum((0, 2)) > 0).all()


def test_the_prediction_depends_on_the_latent_action_and_on_past_states() -> None:
    torch.manual_seed(0)
    fdm, past = ImpalaFDM((6, 50, 50), 5, _config()), _window((50, 50), 5, frames=2)
    z = torch.randn(2, 1, 3)
    assert (fdm(past, z) - fdm(past, -z)).abs().max() > 1e-4
    other = Observations(past.state + 1, past.images, past.timestep)
    assert (fdm(past, z) - fdm(other, z)).abs().max() > 1e-4


def test_a_residual_fdm_adds_a_change_to_the_last_image() -> None:
    fdm, past = ImpalaFDM((6, 32, 32), 0, _config(residual=True)), _window((32, 32), frames=2)
    last = fdm.to_image[-1]
    assert isinstance(last, nn.Conv2d) and last.bias is not None and past.images is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert torch.equal(fdm(past, torch.randn(2, 1, 3))[:, 0], past.images[:, -1])


def _moving_squares(count: int, generator: torch.Generator) -> Tensor:
    """Videos ``(count, 3, 3, 16, 16)`` of a 4×4 square that steps 2 pixels left or right, each time by chance."""
    place = torch.randint(4, 9, (count, 1, 2), generator=generator)
    moves = torch.tensor([[0, 2], [0, -2]])[torch.randint(0, 2, (count, 2), generator=generator)]
    corners = torch.cat([place, place + moves.cumsum(1)], dim=1).reshape(count, 3, 2, 1, 1)
    pixels = torch.stack(torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij"))
    inside = ((pixels >= corners) & (pixels < corners + 4)).all(2).float()
    return inside[:, :, None].expand(-1, -1, 3, -1, -1)


@pytest.mark.parametrize(("residual", "patch"), [(False, 1), (True, 1), (True, 2)])
def test_the_lam_reconstructs_a_moving_square_better_than_copying_the_last_frame(residual: bool, patch: int) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    cnn = CnnConfig((8, 16, 16), scale=1, embedding_dim=32, patch=patch)
    config = LamConfig("impala", latent_dim=4, residual=residual, cnn=cnn)
    idm, fdm = ImpalaIDM((3, 16, 16), 0, 4, config), ImpalaFDM((3, 16, 16), 0, config)
    lam = LatentActionModel(idm, fdm, LatentSpace(config.latent, 4), predicts_images=True)
    optimizer = torch.optim.Adam(lam.parameters(), 2e-3)

    def loss(images: Tensor) -> Tensor:
        window = Observations(images.new_zeros(len(images), 3, 0), images, torch.zeros(len(images), 3))
        prediction = lam.predict(window.time(slice(None, -1)), lam.infer(window).z)
        return functional.mse_loss(prediction[:, 0], images[:, -1])

    for _ in range(200):
        optimizer.zero_grad()
        loss(_moving_squares(16, generator)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    held_out = _moving_squares(128, generator)
    copied = functional.mse_loss(held_out[:, 1], held_out[:, 2])
    with torch.no_grad():
        assert loss(held_out) < 0.25 * copied  # without z, the mean of both ways gives half of `copied` at best
