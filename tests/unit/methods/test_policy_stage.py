"""What the policy is judged by and what it sees: switches of ours beside Algorithm 1."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clam_core.methods import method_class
from clam_core.methods.base import LEAST_SPREAD
from clam_core.methods.clam import Clam
from clam_core.models.config import InputShape, LamConfig, PolicyConfig
from clam_core.models.encoders import build_encoder
from clam_core.models.observations import Observations
from clam_core.training.config import Config
from clam_core.training.load_config import load_config
from clam_core.training.run import load_method, open_data, train
from clam_core.training.transitions import Batch

MakeDataset = Callable[..., Path]
QUICK = ["device=cpu", "features.difference=true", "policy.encoder=none", "policy.hidden=[16]", "lam.latent_dim=4",
         "lam_training.updates=20", "policy_training.updates=20", "lam.hidden=[16]", "lam.context=0"]  # fmt: skip


def config(data: list[str], *extra: str) -> Config:
    return load_config("clam", overrides=[*QUICK, *data, *extra])


def opened(settings: Config) -> tuple[Clam, Batch]:
    """An untrained method with some demonstrations."""
    torch.manual_seed(0)
    found = open_data(Clam.USES, settings, torch.device("cpu"))
    method = method_class("clam")(settings, found.spec)
    assert isinstance(method, Clam) and found.datasets.expert
    method.fit_features(found.datasets)
    train_part, _ = method.demonstrations(found.datasets.expert)
    return method.eval(), next(train_part.batches(64))


def test_decoded_weight_judges_the_policy_by_the_actions_of_its_latent_actions(data: list[str]) -> None:
    method, batch = opened(config(data, "policy.decoded_weight=1.0"))
    assert method.actor.decoder is not None and batch.target is not None
    latents = (batch.target, method.actor.policy(batch.observation))
    wanted, got = (method.actor.decoder(z * method.latent_std + method.latent_mean) for z in latents)
    expected = (got - wanted.clamp(-1, 1)).square().mean()
    assert method.imitation_loss(batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_share_of_decoded_weight_mixes_both_errors(data: list[str]) -> None:
    losses = {}
    for weight in (0.0, 0.25, 1.0):
        method, batch = opened(config(data, f"policy.decoded_weight={weight}"))
        losses[weight] = method.imitation_loss(batch).item()
    assert losses[0.25] == pytest.approx(0.75 * losses[0.0] + 0.25 * losses[1.0], rel=1e-5)


def test_the_decoder_does_not_change_while_the_policy_is_judged_by_it(data: list[str], tmp_path: Path) -> None:
    settings = config(data, "policy.decoded_weight=1.0")
    train(settings, tmp_path / "run", until="lam")
    before = load_method(tmp_path / "run", torch.device("cpu")).actor.decoder
    train(settings, tmp_path / "run", resume=True)
    after = load_method(tmp_path / "run", torch.device("cpu")).actor.decoder
    assert before is not None and after is not None
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(old, new)


def test_a_policy_without_motion_acts_alike_wherever_it_came_from(data: list[str], tmp_path: Path) -> None:
    for use_motion in (True, False):
        run = tmp_path / f"motion-{use_motion}"
        train(config(data, f"policy.use_motion={str(use_motion).lower()}"), run)
        actor = load_method(run, torch.device("cpu")).actor
        state, earlier = torch.rand(8, 4), torch.rand(8, 4)
        with torch.no_grad():
            same = torch.allclose(actor(state, state), actor(state, earlier))
        assert same is not use_motion


def test_only_a_policy_without_tanh_can_ask_for_more_than_the_limit(data: list[str], tmp_path: Path) -> None:
    largest = {}
    for squash in (True, False):
        settings = load_config("bc", overrides=[*QUICK, data[1], f"policy.squash={str(squash).lower()}"])
        method = method_class("bc")(settings, open_data(("labeled",), settings, torch.device("cpu")).spec)
        with torch.no_grad():
            method.actor.policy.head.bias.fill_(3.0)
            largest[squash] = method.actor(torch.rand(8, 4), torch.rand(8, 4)).max().item()
    assert largest[True] <= 2.0 < largest[False]  # the limit is 2 N; `Policy.act` clips to it


def test_exact_entries_keep_their_value_in_noisy_batches(data: list[str]) -> None:
    settings = config(data, "grounding.state_noise=1.0", "grounding.exact=[v*]")
    method, batch = opened(settings)
    changed = (method.noisy(batch).window.state != batch.window.state).flatten(0, 1).any(0)
    names = method.spec.observation.names
    assert names == ("x", "y", "vx", "vy")
    assert changed[:4].tolist() == [True, True, False, False]
    assert not changed[4:].any()  # motion_noise is 0
    everything = replace(settings, grounding=replace(settings.grounding, exact=("*",)))
    method, batch = opened(everything)
    assert torch.equal(method.noisy(batch).window.state, batch.window.state)


def test_the_policy_is_given_the_state_without_its_change() -> None:
    encoder = build_encoder(PolicyConfig(encoder="none"), InputShape(6), LamConfig(), state_dim=4)
    state = torch.arange(12.0).reshape(2, 6)
    assert torch.equal(encoder(Observations(state, None, torch.zeros(2))), state[:, :4])


def test_errors_of_actions_count_in_their_spread_over_what_is_imitated(data: list[str]) -> None:
    for unit, expected in (("spread", [0.5, LEAST_SPREAD]), ("range", [1.0, 1.0])):
        settings = load_config("bc", overrides=[*QUICK, data[1], f"policy.error_unit={unit}"])
        found = open_data(("labeled",), settings, torch.device("cpu"))
        method = method_class("bc")(settings, found.spec)
        assert found.datasets.labeled
        episodes = method.transitions(found.datasets.labeled, method.span)
        alternating = torch.arange(len(episodes)) % 2 - 0.5
        actions = torch.stack([0.3 + alternating, torch.full_like(alternating, -0.7)], dim=1)
        method.measure_error_unit(episodes.with_targets(actions, method.span))
        assert method.error_unit.tolist() == pytest.approx(expected, rel=1e-3)


def test_a_latent_policy_is_judged_by_decoded_actions_in_the_unit_of_those_of_its_labels(data: list[str]) -> None:
    method, batch = opened(config(data, "policy.error_unit=spread", "policy.decoded_weight=1.0"))
    assert method.actor.decoder is not None and batch.target is not None
    train_part, _ = method.demonstrations(open_data(Clam.USES, method.config, torch.device("cpu")).datasets.expert)
    method.imitation_stage(train_part, None)
    labels = method.decoded(train_part.targets).clamp(-1, 1)
    unit = labels.std(0, correction=0).clamp_min(LEAST_SPREAD)
    wanted, got = (method.decoded(z) for z in (batch.target, method.actor.policy(batch.observation)))
    expected = ((got - wanted.clamp(-1, 1)) / unit).square().mean()
    assert method.imitation_loss(batch).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["bc", "vpt", "lapa", "dynamo", "lapo", "clam"])
def test_every_method_trains_with_errors_in_units_of_spread(name: str, data: list[str], tmp_path: Path) -> None:
    roles = [role for role in data if role.split("=")[0].removeprefix("data.") in method_class(name).USES]
    more = ["policy.decoded_weight=1.0", "grounding_training.updates=5"]
    errors = []
    for unit in ("range", "spread"):
        settings = load_config(name, overrides=[*QUICK, *roles, *more, f"policy.error_unit={unit}"])
        errors.append(train(settings, tmp_path / unit)["policy/held_out_loss"])
    assert errors[1] > 1.2 * errors[0]  # actions of these datasets spread over less than half of their range


def test_a_policy_of_actions_is_judged_in_the_unit_of_its_targets(data: list[str]) -> None:
    settings = load_config("bc", overrides=[*QUICK, data[1], "policy.error_unit=spread"])
    found = open_data(("labeled",), settings, torch.device("cpu"))
    method = method_class("bc")(settings, found.spec)
    method.fit_features(found.datasets)
    stage = next(method.stages(found.datasets))
    train_part, _ = method.split(found.datasets.labeled, method.span)
    assert train_part.targets is not None
    unit = train_part.targets.std(0, correction=0)
    batch = next(train_part.batches(64))
    expected = ((method.actor.policy(batch.observation) - batch.target) / unit).square().mean()
    assert stage.loss(batch)["loss"].item() == pytest.approx(expected.item(), rel=1e-4)
