"""Whether a network's forward pass is being mapped over several sets of weights (`training.stack`)."""

import torch


def mapped() -> bool:
    """Whether `torch.func.vmap` is under way, which knows PyTorch's own operators alone, and one memory format."""
    return bool(torch._C._are_functorch_transforms_active())
