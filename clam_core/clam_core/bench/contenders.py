"""Two implementations of the same training step: ours, and the authors' modules where their code is at hand.

The step (Tables 11 and 12): 128 unlabeled windows through latent IDM and latent FDM, and every second update 128
labeled ones through latent IDM and action decoder; one backward pass, gradients clipped to norm 1, AdamW.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.methods.clam import Clam
from clam_core.methods.stage import Datasets
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec
from clam_core.training.distributed import Process
from clam_core.training.load_config import load_config
from clam_core.training.metrics import MetricsLog
from clam_core.training.sampler import Sampler
from clam_core.training.stack import Stack, stackable
from clam_core.training.stage_run import StageRun, Surroundings
from clam_core.training.transitions import RawEpisodes

PRESET = "paper/table12_transformer"
STATE_DIM, ACTION_DIM, LATENT_DIM, STEPS = 39, 4, 16, 100
BATCH, WINDOW, EVERY = 128, 3, 2

Step = Callable[[int], None]


def our_step(device: torch.device, overrides: list[str]) -> Step:
    """The trainer's own update of CLAM's first stage on synthetic episodes, sampling included."""
    run = _stage_run(device, overrides)

    def step(update: int) -> None:
        run.update(update)

    return step


def stacked_step(device: torch.device, overrides: list[str], size: int) -> Step:
    """`our_step` of `size` runs at once."""
    runs = [_stage_run(device, overrides, seed) for seed in range(size)]
    if not all(stackable(run) for run in runs):
        raise ClamError("these networks cannot be stacked: leave out compile=true, or --stack")
    stack = Stack(runs)

    def step(update: int) -> None:
        stack.backward([run.stage.draw(update) for run in runs])
        for run in runs:
            run.descend()

    return step


def _stage_run(device: torch.device, overrides: list[str], seed: int = 0) -> StageRun:
    torch.manual_seed(seed)
    config = load_config("clam", PRESET, overrides=["data.held_out=0", *overrides])
    names = tuple(f"s{i}" for i in range(STATE_DIM))
    actions = tuple(f"a{i}" for i in range(ACTION_DIM))
    action = ActionSpec(actions, ("1",) * ACTION_DIM, (-1.0,) * ACTION_DIM, (1.0,) * ACTION_DIM)
    spec = EnvironmentSpec("bench", "train-step", ObservationSpec(names, ("1",) * STATE_DIM), action, 10.0, STEPS)
    method = Clam(config, spec).to(device)
    method.sampler = Sampler(seed, device)
    data = Datasets(*(_episodes(device, labeled) for labeled in (False, True, False)))
    method.fit_features(data)
    nowhere = Path()
    around = Surroundings(method, Process(device), nowhere, MetricsLog(nowhere, writes=False))
    run = StageRun(around, method.lam_stage(data), 0)
    run.prepare()
    return run


def _episodes(device: torch.device, labeled: bool, count: int = 50) -> RawEpisodes:
    states = [torch.rand(STEPS + 1, STATE_DIM, device=device) for _ in range(count)]
    actions = [torch.rand(STEPS, ACTION_DIM, device=device) * 2 - 1 for _ in range(count)] if labeled else None
    return RawEpisodes(states, actions)


class Settings(dict[str, Any]):
    """Nested settings with attribute access, as the authors' modules expect them."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def reference_step(device: torch.device, folder: Path) -> Step:
    """The authors' TransformerCLAM and action decoder in their trainer's order of calls, on batches at hand.

    Raises:
        ClamError: their code is not in `folder`, or lacks a package.
    """
    model, decoder = _reference_modules(folder)
    model, decoder = model.to(device).train(), decoder.to(device).train()
    optimizers = [
        torch.optim.AdamW(module.parameters(), lr=3e-4, eps=1e-5, weight_decay=0.001) for module in (model, decoder)
    ]
    observations = torch.rand(64, BATCH, WINDOW, STATE_DIM, device=device)
    targets = torch.rand(64, BATCH, WINDOW - 1, ACTION_DIM, device=device) * 2 - 1
    timesteps = torch.arange(WINDOW, device=device).expand(BATCH, -1)
    mse = nn.MSELoss()

    def step(update: int) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        windows: Tensor = observations[update % 64]
        loss = mse(model(windows, timesteps=timesteps).reconstructed_obs, windows[:, 1:])
        labeled = update % EVERY == 0
        if labeled:
            latent = model(observations[-1 - update % 64], timesteps=timesteps).la[:, 1:]
            loss = loss + mse(decoder(latent), targets[update % 64])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizers[0].step()
        if labeled:
            nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
            optimizers[1].step()

    return step


def _reference_modules(folder: Path) -> tuple[nn.Module, nn.Module]:
    if not (folder / "clam/models/clam/transformer_clam.py").is_file():
        raise ClamError(
            f"the authors' code is not in '{folder}': give a checkout of clamrobot/clam_code as --reference"
        )
    sys.path.insert(0, str(folder))
    try:
        transformer = importlib.import_module("clam.models.clam.transformer_clam")
        policy = importlib.import_module("clam.models.mlp_policy")
    except ImportError as error:
        raise ClamError(
            f"the authors' code in '{folder}' cannot be imported ({error}); install what it needs"
        ) from error
    finally:
        sys.path.remove(str(folder))
    net = Settings(
        n_encoder_layers=3, n_decoder_layers=3, dim_model=256, dim_feedforward=2048, n_heads=4, dropout=0.1,
        pre_norm=False, feedforward_activation="gelu", pos_enc="learned",
    )  # fmt: skip
    half = Settings(input_embed_dim=256, la_dim=LATENT_DIM, net=net, quantize_la=False)
    model = transformer.TransformerCLAM(Settings(idm=half, fdm=half), input_dim=STATE_DIM)
    mlp = Settings(hidden_dims=[1024, 1024, 1024])
    options = Settings(image_obs=False, embedding_dim=512, net=mlp, action_activation="Tanh", action_scale=1.0)
    return model, policy.MLPPolicy(options, input_dim=LATENT_DIM, output_dim=ACTION_DIM)
