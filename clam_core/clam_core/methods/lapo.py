"""LAPO: vector-quantized latent actions from unlabeled data alone; the action decoder is trained afterwards."""

from __future__ import annotations

from dataclasses import replace

from clam_core.methods.clam import Clam
from clam_core.training.config import Config


def quantized(config: Config) -> Config:
    """`config` with LAPO's EMA codebook, unless it names another quantization."""
    if config.lam.latent.quantized:
        return config
    return replace(config, lam=replace(config.lam, latent=replace(config.lam.latent, kind="vq")))


class Lapo(Clam):
    """CLAM with discrete latent actions and without joint training (Section 4, Table 2 "Disc., -JT")."""

    @classmethod
    def configure(cls, config: Config) -> Config:
        """Quantized, decoder afterwards."""
        return replace(quantized(config), grounding=replace(config.grounding, training="afterwards"))
