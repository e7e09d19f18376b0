"""Multi-layer perceptrons, the building block of the state-based models."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from clam_core.errors import ClamError, did_you_mean
from clam_core.models.linear import Linear

ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "tanh": nn.Tanh}


def activation(name: str) -> nn.Module:
    """The activation called `name`; ``leaky_relu`` has the paper's slope of 0.2 (Appendix G.1).

    Raises:
        ClamError: no such activation.
    """
    if name == "leaky_relu":
        return nn.LeakyReLU(0.2)
    if name not in ACTIVATIONS:
        raise ClamError(f"unknown activation '{name}': {did_you_mean(name, [*ACTIVATIONS, 'leaky_relu'])}")
    return ACTIVATIONS[name]()


def mlp(input_dim: int, hidden: Sequence[int], output_dim: int, activation_name: str) -> nn.Sequential:
    """``(..., input_dim)`` → ``(..., output_dim)``, an activation after every hidden layer."""
    layers: list[nn.Module] = []
    width = input_dim
    for size in hidden:
        layers += [Linear(width, size), activation(activation_name)]
        width = size
    return nn.Sequential(*layers, Linear(width, output_dim))


def trunk(input_dim: int, hidden: Sequence[int], activation_name: str) -> nn.Sequential:
    """``(..., input_dim)`` → ``(..., hidden[-1])``: an MLP without its last linear layer."""
    if not hidden:
        return nn.Sequential()
    return nn.Sequential(*mlp(input_dim, hidden[:-1], hidden[-1], activation_name), activation(activation_name))


class ShortcutMlp(nn.Module):
    """MLP plus, with `shortcut`, a linear map from input to output, so that linear relations need not be learned."""

    def __init__(
        self, input_dim: int, hidden: Sequence[int], output_dim: int, activation_name: str, shortcut: bool
    ) -> None:
        super().__init__()
        self.network = mlp(input_dim, hidden, output_dim, activation_name)
        self.shortcut = nn.Linear(input_dim, output_dim, bias=False) if shortcut else None

    def forward(self, inputs: Tensor) -> Tensor:
        """``(..., input_dim)`` → ``(..., output_dim)``."""
        outputs: Tensor = self.network(inputs)
        return outputs if self.shortcut is None else outputs + self.shortcut(inputs)
