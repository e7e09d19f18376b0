"""Networks: one family per file, plain PyTorch."""
