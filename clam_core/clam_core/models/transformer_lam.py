"""Latent IDM and latent FDM as transformer encoder and decoder over the window (Appendix G.3): L = H+1."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from clam_core.models.config import TransformerConfig
from clam_core.models.observations import Observations
from clam_core.models.transformer import Decoder, Encoder, TimePositions, time_steps, transition_ends

SLOPE = 0.2  # of the LeakyReLU after an embedding


class TransformerIDM(nn.Module):
    """Every transition's latent action from the whole window; with `causal` from its end and before (DynaMo).

    h_{t−H..t+1} = Encoder(o_{t−H..t+1}), z_{t−H..t} = head(h_{t−H+1..t+1}).
    """

    def __init__(self, input_dim: int, output_dim: int, config: TransformerConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Linear(input_dim, config.dim)
        self.positions = TimePositions(config)
        self.encoder = Encoder(config, causal=causal)
        self.head = nn.Linear(config.dim, output_dim)

    def forward(self, window: Observations) -> Tensor:
        """Window o_{t−H..t+1} ``(B, H+2, F)`` → ``(B, H+1, output_dim)``."""
        x = functional.leaky_relu(self.embedding(window.state), SLOPE)
        positions = self.positions(time_steps(window.timestep, self.config))
        output: Tensor = self.head(self.encoder(x, positions, last=x.shape[1] - 1))
        return output


class TransformerFDM(nn.Module):
    """Every next observation from the past up to it and from all latent actions of the window.

    Cross-attention is unmasked, "even ones in a future timestep" (G.3); with `causal_cross` it looks at a
    transition's own latent action and those before (DynaMo). Past observations have positions by their time steps,
    latent actions positions of their own by those of their transitions' ends.
    """

    def __init__(
        self,
        input_dim: int,
        latent_dim: int,
        config: TransformerConfig,
        *,
        output_dim: int | None = None,
        causal_cross: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Linear(input_dim, config.dim)
        self.latent_embedding = nn.Linear(latent_dim, config.dim)
        self.positions = TimePositions(config)
        self.latent_positions = TimePositions(config)
        self.decoder = Decoder(config, causal_cross=causal_cross)
        self.to_observation = nn.Linear(config.dim, output_dim or input_dim)

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        """Past o_{t−H..t} ``(B, H+1, F)``, z_{t−H..t} ``(B, H+1, Z)`` → predicted o_{t−H+1..t+1} ``(B, H+1, F)``."""
        steps = time_steps(past.timestep, self.config)
        x = functional.leaky_relu(self.embedding(past.state), SLOPE)
        memory = self.latent_embedding(z)
        latent_positions = self.latent_positions(transition_ends(steps))
        output: Tensor = self.to_observation(self.decoder(x, memory, self.positions(steps), latent_positions))
        return output
