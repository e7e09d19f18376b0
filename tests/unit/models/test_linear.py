import pytest
import torch

from clam_core.models import linear as module
from clam_core.models.linear import Linear


@pytest.mark.parametrize("bias", [True, False])
def test_large_layers_are_those_of_torch(bias: bool) -> None:
    torch.manual_seed(0)
    layer = Linear(256, 1024, bias=bias)
    x = torch.randn(64, 4, 256, requires_grad=True)
    assert x.numel() * 1024 >= module.LARGE
    expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
    parameters = [x, *layer.parameters()]
    gradients = torch.autograd.grad(expected.square().mean(), parameters)
    outcome = layer(x)
    if module._ONE_DNN is not None:
        assert "OneDnn" in type(outcome.grad_fn).__name__
    torch.testing.assert_close(outcome, expected)
    for own, theirs in zip(torch.autograd.grad(outcome.square().mean(), parameters), gradients, strict=True):
        torch.testing.assert_close(own, theirs)


def test_elsewhere_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, small, large = Linear(256, 1024), torch.randn(2, 256), torch.randn(512, 256)
    with torch.no_grad():
        assert torch.equal(layer(large), torch.nn.functional.linear(large, layer.weight, layer.bias))
    assert "OneDnn" not in type(layer(small).grad_fn).__name__
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(large).dtype == torch.bfloat16
    monkeypatch.setattr(module, "_ONE_DNN", None)
    assert "OneDnn" not in type(layer(large).grad_fn).__name__
