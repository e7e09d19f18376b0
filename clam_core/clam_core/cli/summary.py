"""Layers and parameter count of a network, with the paper's sizes unless a preset or override says otherwise.

MODEL is a latent action model (mlp, transformer, space_time, impala) or a policy (bc_mlp, action_token). The latent
action models that see images (and action_token) take --image-size; space_time also takes --gripper-dim state entries.

Examples:
  clam summary transformer --obs-dim 39 --latent-dim 16
  clam summary space_time --latent-dim 16 --json
  clam summary bc_mlp --obs-dim 39 --action-dim 7
  clam summary transformer --obs-dim 39 --preset paper/table13_calvin_transformer
  clam summary mlp --obs-dim 39 lam.context=0 lam.hidden=[128,128]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

from torch import nn

from clam_core.cli.types import positive_int
from clam_core.training.load_config import load_config

NAME = "summary"
HELP = "layers and parameter count of a network"
LAMS = ("mlp", "transformer", "space_time", "impala")
MODELS = (*LAMS, "bc_mlp", "action_token")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam summary``."""
    parser.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. lam.context=2 lam.transformer.dim=512")
    parser.add_argument("--preset", help="sizes of this preset instead of the paper's (see `clam train --help`)")
    parser.add_argument("--obs-dim", type=positive_int, default=39, metavar="D", help="state entries (default: 39)")
    parser.add_argument("--latent-dim", type=positive_int, metavar="Z", help="latent action entries (default: 16)")
    parser.add_argument("--action-dim", type=positive_int, default=7, metavar="A", help="of policies (default: 7)")
    parser.add_argument("--image-size", type=positive_int, metavar="S", help="pixels (default: 64; action_token 224)")
    parser.add_argument("--cameras", type=positive_int, default=1, metavar="V", help="cameras (default: 1)")
    parser.add_argument("--gripper-dim", type=int, default=4, metavar="G", help="gripper-state input (default: 4)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam summary``."""
    model = build(arguments)
    layers = [
        {"name": name, "type": type(module).__name__, "parameters": parameters(module)}
        for name, module in model.named_modules()
        if name and name.count(".") <= 3 and parameters(module)
    ]
    if arguments.json:
        print(json.dumps({"model": arguments.model, "parameters": parameters(model), "layers": layers}))
        return 0
    for layer in layers:
        indent = "  " * str(layer["name"]).count(".")
        label = f"{indent}{str(layer['name']).rpartition('.')[2]} ({layer['type']})"
        print(f"{label:60s} {layer['parameters']:>12,}")
    print(f"{'total':60s} {parameters(model):>12,}")
    return 0


def build(arguments: argparse.Namespace) -> nn.Module:
    """The network that the command line describes."""
    from clam_core.models.action_token import ActionTokenPolicy
    from clam_core.models.build import build_lam
    from clam_core.models.config import InputShape
    from clam_core.models.encoders import build_encoder
    from clam_core.models.policy import MlpPolicy

    name: str = arguments.model
    config = load_config("clam", arguments.preset, overrides=arguments.overrides)
    size = arguments.image_size or (224 if name == "action_token" else 64)
    image = (3 * arguments.cameras, size, size)
    if name in LAMS:
        lam = replace(config.lam, architecture=name, latent_dim=arguments.latent_dim or config.lam.latent_dim)
        shape = InputShape(arguments.obs_dim)
        if name in ("space_time", "impala"):
            shape = InputShape(arguments.gripper_dim if name == "space_time" else 0, image)
        return build_lam(lam, shape)
    policy: Any = config.policy
    if name == "action_token":
        return ActionTokenPolicy(
            InputShape(0, image), arguments.cameras, 1, arguments.action_dim, policy.chunk, policy.action_token, True
        )
    encoder = build_encoder(
        replace(policy, encoder="linear"), InputShape(arguments.obs_dim), config.lam, arguments.obs_dim
    )
    return MlpPolicy(encoder, arguments.action_dim, policy, squash=True)


def parameters(module: nn.Module) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in module.parameters())
