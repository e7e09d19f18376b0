"""ResNet-18 (He et al. 2016) with torchvision's names, so that its published weights load without torchvision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.images import channels_last

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FEATURES = 512  # d_v of Appendix F
_CLASSIFIER = ("fc.weight", "fc.bias")
_COUNTER = ".num_batches_tracked"  # older files lack it; frozen layers have no use for it


class FrozenBatchNorm(nn.Module):
    """Batch normalization with fixed statistics and scales, as ACT uses it with pretrained weights.

    The names are `nn.BatchNorm2d`'s, but nothing is trained.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, C, H, W)``."""
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        shift = self.bias - self.running_mean * scale
        return maps * scale[:, None, None] + shift[:, None, None]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside the identity, or a 1×1 convolution where the shape changes."""

    def __init__(self, in_channels: int, channels: int, stride: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            convolution = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, norm(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, C', ⌈H/stride⌉, ⌈W/stride⌉)``."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        change = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(maps)))))
        return torch.relu(change + shortcut)


class ResNet18(nn.Module):
    """ResNet-18 up to its last feature map, without torchvision's pooling and ``fc``.

    `frozen_norm` is for pretrained weights: batch normalization keeps the statistics and scales they bring.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, frozen_norm: bool = False) -> None:
        super().__init__()
        norm: Callable[[int], nn.Module] = FrozenBatchNorm if frozen_norm else nn.BatchNorm2d
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1, norm), BasicBlock(64, 64, 1, norm))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2, norm), BasicBlock(128, 128, 1, norm))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2, norm), BasicBlock(256, 256, 1, norm))
        self.layer4 = nn.Sequential(BasicBlock(256, FEATURES, 2, norm), BasicBlock(FEATURES, FEATURES, 1, norm))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def output_size(height: int, width: int) -> tuple[int, int]:
        """Height and width of the feature map of images of that size."""
        return -(-height // 32), -(-width // 32)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [0, 1] → feature map ``(B, 512, ⌈H/32⌉, ⌈W/32⌉)``."""
        images = channels_last(images)
        maps = self.maxpool(torch.relu(self.bn1(self.conv1((images - self.mean) / self.std))))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return features


def load_resnet18_weights(model: ResNet18, path: str | Path) -> None:
    """Fill `model` from a file of torchvision's weights. Nothing in the file is executed; its ``fc`` is left out.

    Raises:
        ClamError: no such file, not one of weights, or not ResNet-18's.
    """
    weights = {
        name: value
        for name, value in _read(Path(path)).items()
        if name not in _CLASSIFIER and not name.endswith(_COUNTER)
    }
    wanted = {name: value for name, value in model.state_dict().items() if not name.endswith(_COUNTER)}
    missing, unknown = wanted.keys() - weights.keys(), weights.keys() - wanted.keys()
    if missing or unknown:
        found = f"lacks '{min(missing)}'" if missing else f"has {min(unknown)[:80]!r}"
        raise ClamError(f"'{path}' does not hold torchvision's resnet18: it {found}; get resnet18's weights")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            raise ClamError(
                f"'{path}' does not hold torchvision's resnet18: '{name}' has the shape {tuple(value.shape)}, "
                f"not {tuple(wanted[name].shape)}"
            )
        plain = value.layout == torch.strided and value.device.type == "cpu" and value.is_floating_point()
        if not plain or not value.float().isfinite().all():
            raise ClamError(f"'{path}' is damaged: '{name}' does not hold finite numbers; get the file anew")
    model.load_state_dict(weights, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ClamError(f"there is no file '{path}': name torchvision's ResNet-18 weights, .pth or .safetensors")
    if path.suffix not in (".pth", ".safetensors"):
        raise ClamError(f"weights must be a .pth or .safetensors file, got '{path}'")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged or hostile file
        raise ClamError(f"'{path}' is no file of weights ({type(error).__name__}); get it anew") from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in found.items()):
        raise ClamError(f"'{path}' does not hold tensors by name (a state_dict); get resnet18's weights")
    return found
