"""``clam train METHOD --preset …`` for every method, on states and images: its bundle acts as the trained network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clam_core.cli import main
from clam_core.deploy import load_bundle
from clam_core.deploy.policy import Policy
from clam_core.methods import METHODS
from clam_core.models.actor import Actor
from clam_core.spec import EnvironmentSpec
from clam_core.training import run as run_module

IMAGE_SIZE = 32
QUICK = [
    "device=cpu", "data.held_out=0.25", "evaluate_transitions=64",
    *(f"{stage}_training.updates=3" for stage in ("lam", "grounding", "policy")),
    *(f"{stage}_training.batch_size=8" for stage in ("lam", "grounding", "policy")),
    "grounding.batch_size=8", "grounding.every=1", "lam.latent.codebook_size=8", "lam.latent.dead_code_threshold=0",
]  # fmt: skip
SMALL_TRANSFORMER = [
    "lam.transformer.dim=32", "lam.transformer.feedforward_dim=32", "lam.transformer.encoder_layers=1",
    "lam.transformer.decoder_layers=1",
]  # fmt: skip
SMALL_IMAGES = [
    f"features.image_size={IMAGE_SIZE}", "lam.cnn.scale=1", "policy.cnn.scale=1", "policy.cnn.embedding_dim=16",
    *SMALL_TRANSFORMER,
]  # fmt: skip
PRESETS = {
    "recommended/state": SMALL_TRANSFORMER,  # DynaMo's dynamics are a transformer
    "paper/table11_mlp": ["lam.hidden=[32]", "grounding.decoder.hidden=[32]", *SMALL_TRANSFORMER],
    "paper/table12_transformer": SMALL_TRANSFORMER,
    "recommended/state_transformer": SMALL_TRANSFORMER,
    "recommended/image": SMALL_IMAGES,
    "recommended/image_space_time": [*SMALL_IMAGES, "lam.image_size=16", "lam.patch_size=8"],
    "paper/table14_metaworld_impala": SMALL_IMAGES,
    "paper/figure10_space_time": ["features.include=[x,y]", *SMALL_IMAGES],
    "paper/appendix_f_widowx": [
        *SMALL_IMAGES, "lam.image_size=16", "lam.patch_size=8", "policy.action_token.dim=32",
        "policy.action_token.layers=1", "policy.action_token.feedforward_dim=32", "policy.action_token.heads=2",
    ],
}  # fmt: skip
#: Every method on states and on images, and CLAM with every preset.
CASES = [(method, preset) for method in METHODS for preset in ("recommended/state", "recommended/image")]
CASES += [("clam", preset) for preset in PRESETS if ("clam", preset) not in CASES]
CASES += [
    ("lapa", "paper/appendix_f_widowx"),
    ("vpt", "paper/figure10_space_time"),
    ("dynamo", "paper/table12_transformer"),
]


@pytest.mark.parametrize(("method", "preset"), CASES)
def test_training_ends_in_a_bundle_that_acts_as_the_trained_network_did(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, preset: str
) -> None:
    images = IMAGE_SIZE if any(word in preset for word in ("image", "impala", "space", "widowx")) else 0
    kinds = {"unlabeled": "mixed", "labeled": "play", "expert": "expert"}
    roles = [f"data.{role}={make_dataset(role, kind, 4, image_size=images)}" for role, kind in kinds.items()]
    trained: list[Policy] = []
    save = run_module.save_bundle

    def remember(
        folder: Path, actor: Actor, spec: EnvironmentSpec, m: float | None, provenance: dict[str, Any], views: Any
    ) -> None:
        trained.append(Policy(actor, spec, torch.device("cpu"), m, {}))
        save(folder, actor, spec, m, provenance, views)

    monkeypatch.setattr(run_module, "save_bundle", remember)
    out = tmp_path / "run"
    command = ["train", method, "--preset", preset, *QUICK, *PRESETS[preset], *roles, "--out", str(out)]
    assert main(command) == 0

    loaded = load_bundle(out / "bundle", "cpu")
    assert loaded.provenance["config"]["method"] == method
    rng = np.random.default_rng(0)
    for _ in range(7):
        observation: dict[str, Any] = {"state": rng.normal(size=4)}
        if images:
            observation["top"] = rng.integers(0, 256, (images, images, 3), dtype=np.uint8)
        action = trained[0].act(observation)
        assert np.array_equal(action, loaded.act(observation))
        assert np.isfinite(action).all() and action.shape == (2,)
