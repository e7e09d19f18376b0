from pathlib import Path

import pytest
import torch
from torch import Tensor

from clam_core.errors import ClamError
from clam_core.models.action_token import ActionTokenPolicy, map_positions, sequence_positions
from clam_core.models.config import ActionTokenConfig, InputShape
from clam_core.models.observations import Observations
from clam_core.models.resnet import ResNet18

SMALL = ActionTokenConfig(
    dim=32, layers=2, heads=4, feedforward_dim=64, dropout=0.0, stem_tokens=3, resnet_weights="resnet18.pth"
)  # naming a file freezes the batch normalization; it is read by `load_pretrained` only


def _policy(
    cameras: int = 1,
    frame_stack: int = 1,
    state_dim: int = 0,
    size: tuple[int, int] = (64, 64),
    config: ActionTokenConfig = SMALL,
    squash: bool = False,
) -> ActionTokenPolicy:
    torch.manual_seed(0)
    shape = InputShape(state_dim, (3 * cameras * frame_stack, *size))
    return ActionTokenPolicy(shape, cameras, frame_stack, 7, 5, config, squash)


def _observations(channels: int = 3, size: tuple[int, int] = (64, 64), state_dim: int = 0) -> Observations:
    return Observations(torch.randn(2, state_dim), torch.rand(2, channels, *size), torch.zeros(2, dtype=torch.long))


@pytest.mark.parametrize(
    ("cameras", "frame_stack", "state_dim", "size"),
    [(1, 1, 0, (64, 64)), (2, 1, 6, (84, 84)), (1, 2, 6, (50, 66)), (2, 2, 0, (64, 64))],
)
def test_shapes(cameras: int, frame_stack: int, state_dim: int, size: tuple[int, int]) -> None:
    policy = _policy(cameras, frame_stack, state_dim, size)
    observations = _observations(3 * cameras * frame_stack, size, state_dim)
    assert policy.memory(observations).shape == (2, cameras * frame_stack * 3 + bool(state_dim), 32)
    assert policy.embed(observations).shape == (2, 5, 32)
    assert policy(observations).shape == (2, 5, 7)


def test_all_parameters_learn() -> None:
    policy = _policy(cameras=2, state_dim=6)
    policy(_observations(6, state_dim=6)).square().mean().backward()
    # the keys' bias shifts all scores of a query alike: a third of in_proj_bias has no gradient, softmax ignores it
    assert [name for name, p in policy.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_without_published_weights_batch_normalization_learns_too() -> None:
    policy = _policy(config=ActionTokenConfig(dim=32, layers=1, heads=4, feedforward_dim=64, stem_tokens=3))
    policy(_observations()).square().mean().backward()
    assert [name for name, p in policy.named_parameters() if p.grad is None] == []
    assert any("resnet.bn1" in name for name, _ in policy.named_parameters())


def test_squashed_targets_stay_within_one() -> None:
    policy = _policy(squash=True)
    torch.nn.init.constant_(policy.head.bias, 9.0)
    observations = _observations()
    assert policy(observations).abs().max() <= 1
    assert torch.equal(policy(observations), policy.read(policy.head, policy.embed(observations)).tanh())


def test_a_later_action_token_does_not_change_earlier_targets() -> None:
    policy, observations = _policy().eval(), _observations()
    with torch.no_grad():
        before = policy(observations)
        policy.action_tokens[3] += 1
        change = (policy(observations) - before).abs().amax((0, 2))
    assert (change[:3] == 0).all() and (change[3:] > 0).all()


def test_the_chunks_steps_differ_by_their_fixed_positions() -> None:
    policy = _policy().eval()
    with torch.no_grad():
        policy.action_tokens.zero_()
        targets = policy(_observations())
    assert (targets[:, 1:] - targets[:, :-1]).abs().amax((0, 2)).min() > 1e-4


def _changed_tokens(policy: ActionTokenPolicy, channels: int, channel: int) -> list[bool]:
    """Which memory tokens change with one image channel."""
    observations = _observations(channels)
    assert observations.images is not None
    images = observations.images.clone()
    images[:, channel] = 1 - images[:, channel]
    with torch.no_grad():
        other = policy.memory(Observations(observations.state, images, observations.timestep))
        changed: Tensor = (other - policy.memory(observations)).abs().amax((0, 2)) > 1e-6
    return changed.tolist()


def test_channels_lie_camera_by_camera_then_frame_by_frame() -> None:
    policy = _policy(cameras=2, frame_stack=2).eval()
    for camera in range(2):
        for frame in range(2):
            for rgb in range(3):
                changed = _changed_tokens(policy, 12, (camera * 2 + frame) * 3 + rgb)
                first = (camera * 2 + frame) * SMALL.stem_tokens
                assert [index for index, value in enumerate(changed) if value] == list(range(first, first + 3))


def test_the_policy_sees_where_in_the_image_a_thing_is() -> None:
    policy = _policy().eval()
    features = torch.rand(1, 512, 2, 2)
    stem = policy.stems[0]
    stem.resnet = torch.nn.Identity()
    with torch.no_grad():
        assert (stem(features) - stem(features.flip(-1))).abs().max() > 1e-4


def test_the_state_is_a_modality_and_ignored_without_one() -> None:
    observations = _observations(state_dim=6)
    other = Observations(observations.state + 1, observations.images, observations.timestep)
    with torch.no_grad():
        seeing, blind = _policy(state_dim=6).eval(), _policy().eval()
        assert not torch.allclose(seeing(observations), seeing(other))
        assert torch.equal(blind(observations), blind(other))


def test_a_new_head_reads_the_same_trunk() -> None:
    policy = _policy()
    head = policy.new_head(9)
    assert policy.read(head, policy.embed(_observations())).shape == (2, 5, 9)


def test_pretrained_weights_reach_every_camera(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = ResNet18().state_dict()
    torch.save(weights, tmp_path / "resnet18.pth")
    config = ActionTokenConfig(dim=32, heads=4, layers=1, resnet_weights=str(tmp_path / "resnet18.pth"))
    policy = _policy(cameras=2, config=config)
    policy.load_pretrained()
    loaded = policy.state_dict()
    for camera in range(2):
        for name, value in weights.items():
            assert name.endswith("num_batches_tracked") or torch.equal(loaded[f"stems.{camera}.resnet.{name}"], value)
    with pytest.raises(ClamError, match=r"no file 'resnet18\.pth'"):
        _policy().load_pretrained()


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ClamError, match="needs images"):
        ActionTokenPolicy(InputShape(6), 1, 1, 7, 5, SMALL, False)
    with pytest.raises(ClamError, match="6 channels are not 3"):
        ActionTokenPolicy(InputShape(6, (6, 64, 64)), 1, 1, 7, 5, SMALL, False)
    with pytest.raises(ClamError, match="not divisible"):
        ActionTokenConfig(dim=30, heads=4)


def test_positions_tell_all_places_apart() -> None:
    for positions in (sequence_positions(40, 32), map_positions(7, 7, 32)):
        distances = torch.cdist(positions, positions) + torch.eye(len(positions))
        assert distances.min() > 0.1
