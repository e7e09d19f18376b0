from dataclasses import replace

import pytest
import torch

from clam_core.models.config import TransformerConfig
from clam_core.models.dropout import keep_mask
from clam_core.models.feedforward import FeedForward
from clam_core.models.linear import by_one_dnn

LARGE = TransformerConfig(dim=64, feedforward_dim=1024, dropout=0.25)


def outcome(layer: FeedForward, x: torch.Tensor, dropout: float) -> torch.Tensor:
    hidden = layer.activation(torch.nn.functional.linear(x, layer.hidden.weight, layer.hidden.bias))
    if dropout:
        hidden = hidden * keep_mask(hidden.reshape(-1, hidden.shape[-1]).shape, dropout, x.dtype).view(hidden.shape)
    return torch.nn.functional.linear(hidden, layer.output.weight, layer.output.bias)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_large_layers_compute_what_they_say(training: bool, activation: str) -> None:
    torch.manual_seed(0)
    layer = FeedForward(replace(LARGE, activation=activation)).train(training)
    x = torch.randn(128, 4, 64, requires_grad=True)
    assert x.numel() * 1024 >= 1 << 25
    parameters = [x, *layer.parameters()]
    torch.manual_seed(1)
    expected = outcome(layer, x, LARGE.dropout if training else 0)
    gradients = torch.autograd.grad(expected.square().mean(), parameters)
    torch.manual_seed(1)
    own = layer(x)
    if by_one_dnn(x, layer.hidden.weight) and activation == "gelu":
        assert "InPlaceFeedForward" in type(own.grad_fn).__name__
    torch.testing.assert_close(own, expected)
    for mine, theirs in zip(torch.autograd.grad(own.square().mean(), parameters), gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_gradient_may_be_read_by_others() -> None:
    """Overwriting in place must not reach the gradient of the output, which others hold too."""
    torch.manual_seed(0)
    layer, x = FeedForward(LARGE), torch.randn(128, 4, 64, requires_grad=True)
    gradient = torch.randn(128, 4, 64)
    kept = gradient.clone()
    first = layer(x)
    (first + first).backward(gradient)
    assert torch.equal(gradient, kept)
