"""Training: configuration, data on the device, the one trainer, run folders."""
