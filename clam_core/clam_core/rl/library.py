"""The reinforcement-learning library, an optional extra: imported when the first agent is made."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError, did_you_mean
from clam_core.rl.config import AgentConfig

PACKAGES = ("sbx-rl", "stable-baselines3", "jax", "jaxlib", "flax", "optax")  # whose versions decide what is learned

# One thread: the networks are small, and only so is training the same, bit for bit, on every machine of a kind.
_XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Networks:
    """Actor and critics as SBX (the JAX sibling of Stable-Baselines3) implements SAC and TD3: act, update, save, load.

    Args:
        state_size: D.
        low, high: action limits ``(A,)``.
        seed: of the initial weights.

    Raises:
        ClamError: the library is not installed, or there is no such algorithm.
    """

    def __init__(self, config: AgentConfig, state_size: int, low: Any, high: Any, seed: int) -> None:
        sbx, logger = _import()
        algorithms = {"sac": sbx.SAC, "td3": sbx.TD3}
        if config.algorithm not in algorithms:
            raise ClamError(f"unknown algorithm '{config.algorithm}', {did_you_mean(config.algorithm, algorithms)}")
        self._config, self._low, self._high = config, np.asarray(low), np.asarray(high)
        self._model: Any = algorithms[config.algorithm](
            "MlpPolicy",
            _spaces(state_size, low, high),
            learning_rate=config.learning_rate,
            buffer_size=1,  # replay is kept outside
            batch_size=config.batch_size,
            gamma=config.discount,
            policy_kwargs={"net_arch": list(config.hidden)},
            seed=seed,
        )
        self._model.set_logger(logger.Logger(folder=None, output_formats=[]))

    def act(self, state: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Action ``(A,)`` for `state` ``(D,)``, without noise and within the limits."""
        action, _ = self._model.policy.predict(state, deterministic=True)
        return np.asarray(action, dtype=np.float64)

    def explore(self, state: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Action ``(A,)`` as in training, within the limits: SAC samples, TD3 adds noise; by `rng` alone."""
        if self._config.algorithm == "sac":
            import jax

            self._model.policy.key = jax.random.PRNGKey(int(rng.integers(2**31)))
            action, _ = self._model.policy.predict(state, deterministic=False)
            return np.asarray(action, dtype=np.float64)
        noise = self._config.exploration_noise * rng.standard_normal(self._low.shape)
        noisy = self.act(state) + noise * (self._high - self._low) / 2.0
        return np.asarray(np.clip(noisy, self._low, self._high))

    def update(self, replay: Any) -> None:
        """One round of updates from batches that ``replay.sample(n, env)`` draws."""
        self._model.replay_buffer = replay
        self._model.train(self._config.updates, self._config.batch_size)

    def to_bytes(self) -> bytes:
        """Weights, target weights, optimizer state and random state, as msgpack: plain arrays, no code."""
        from flax import serialization

        encoded: bytes = serialization.to_bytes(self._state())
        return encoded

    def load_bytes(self, encoded: bytes) -> None:
        """Inverse of `to_bytes`.

        Raises:
            ClamError: they belong to other networks, or are damaged.
        """
        from flax import serialization

        try:
            state = serialization.from_bytes(self._state(), encoded)
        except Exception as error:  # msgpack and flax raise different ones for each kind of damage
            raise ClamError(f"the agent's networks cannot be read ({error}); train it in a new folder") from error
        policy = self._model.policy
        policy.actor_state, policy.qf_state = state["actor"], state["critic"]
        self._model.key, self._model._n_updates = state["key"], int(state["updates"])
        if self._config.algorithm == "sac":
            self._model.ent_coef_state = state["entropy"]

    def _state(self) -> dict[str, Any]:
        policy = self._model.policy
        state = {
            "actor": policy.actor_state,
            "critic": policy.qf_state,
            "key": self._model.key,
            "updates": self._model._n_updates,
        }
        return state | ({"entropy": self._model.ent_coef_state} if self._config.algorithm == "sac" else {})


def _spaces(state_size: int, low: Any, high: Any) -> Any:
    """All that the library wants to know of an environment, as one that is never stepped."""
    import gymnasium

    env: gymnasium.Env[Any, Any] = gymnasium.Env()
    env.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (state_size,), np.float32)
    env.action_space = gymnasium.spaces.Box(np.float32(low), np.float32(high), dtype=np.float32)
    return env


def _import() -> tuple[Any, Any]:
    os.environ.setdefault("XLA_FLAGS", _XLA_FLAGS)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import sbx
        from stable_baselines3.common import logger
    except ImportError as error:
        raise ClamError(
            f"training an agent needs the reinforcement-learning extra ({error}); pip install -r requirements-rl.txt"
        ) from error
    return sbx, logger
