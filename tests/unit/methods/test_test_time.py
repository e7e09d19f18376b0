"""Labels that are means over shifted views, and what is not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clam_core.methods import method_class
from clam_core.methods.clam import Clam
from clam_core.pictures.latents import reading
from clam_core.training.augmentation import shifted_views
from clam_core.training.load_config import load_config
from clam_core.training.run import open_data
from clam_core.training.transitions import Batch

CNN = "{channels: [4, 4], scale: 1, embedding_dim: 8}"
QUICK = ["device=cpu", "features.cameras=['*']", "lam.architecture=impala", "lam.context=1", f"lam.cnn={CNN}",
         f"policy.cnn={CNN}", "policy.encoder=impala", "lam.latent_dim=4"]  # fmt: skip


@pytest.fixture
def make_method(make_dataset: Callable[..., Path]) -> Callable[..., tuple[Any, Any, Batch]]:
    """``make_method(name, override, …)``: an untrained method, its demonstrations, and a batch of them."""
    expert = make_dataset("expert", "expert", 3, seed=2, image_size=16)
    play = make_dataset("play", "play", 3, seed=1, image_size=16)

    def make(name: str, *overrides: str) -> tuple[Any, Any, Batch]:
        roles = {"unlabeled": play, "labeled": play, "expert": expert}
        wanted = [f"data.{role}={path}" for role, path in roles.items() if role in method_class(name).USES]
        config = load_config(name, overrides=[*QUICK, *wanted, *overrides])
        torch.manual_seed(0)
        found = open_data(method_class(name).USES, config, torch.device("cpu"))
        method = method_class(name)(config, found.spec).eval()
        method.fit_features(found.datasets)
        assert found.datasets.expert
        return method, found.datasets.expert, next(method.transitions(found.datasets.expert, method.span).batches())

    return make


def over_views(method: Any, label: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
    """Mean of `label` over the nine views, one by one."""
    seen = [replace(batch, window=view) for view in shifted_views(batch.window, method.config.augmentation)]
    assert len(seen) == 9
    return torch.stack([label(view) for view in seen]).mean(0)


@torch.no_grad()
def test_vpt_labels_with_the_mean_action(make_method: Callable[..., tuple[Any, Any, Batch]]) -> None:
    plain, _, batch = make_method("vpt")
    method, _, _ = make_method("vpt", "augmentation.test_time=2")
    expected = over_views(method, plain.label, batch)
    assert torch.allclose(method.label(batch), expected, atol=1e-6)
    assert not torch.allclose(plain.label(batch), expected, atol=1e-6)


@torch.no_grad()
def test_clam_imitates_and_decodes_the_mean_latent_action(make_method: Callable[..., tuple[Any, Any, Batch]]) -> None:
    method, expert, batch = make_method("clam", "augmentation.test_time=2", "data.held_out=0")
    assert isinstance(method, Clam) and method.actor.decoder is not None
    z = over_views(method, lambda view: method.latent_action(view.window), batch)
    assert torch.allclose(method.label(batch), method.actor.decoder(z), atol=1e-6)
    train, _ = method.demonstrations(expert)
    assert train.targets is not None
    assert torch.allclose(train.targets[: len(z)] * method.latent_std + method.latent_mean, z, atol=1e-5)
    shown = reading(method).latent
    assert shown is not None and torch.allclose(shown(batch), z, atol=1e-6)  # the pictures show what is imitated


@torch.no_grad()
def test_codes_have_no_mean(make_method: Callable[..., tuple[Any, Any, Batch]]) -> None:
    method, _, batch = make_method("clam", "augmentation.test_time=2", "lam.latent.kind=vq")
    assert torch.equal(method.settled_latent_action(batch.window), method.latent_action(batch.window))
