"""An agent's folder: what it is, its replay, its last checkpoint and its best policy; and training in it.

agent.json        environment, task, seed, numbers, software versions: as training began
progress.json     every evaluation so far
replay/           shards of the replay
checkpoint.msgpack, best.msgpack   networks, and which shards and evaluations they belong to
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from clam_core.data.provenance import software_versions
from clam_core.errors import ClamError
from clam_core.rl.agent import Agent, Evaluation
from clam_core.rl.config import AgentConfig
from clam_core.rl.library import PACKAGES
from clam_core.whole import write_whole

FORMAT_VERSION = 1
BOUNDS = ("total_steps", "expert_score")  # say when training ends, not how it goes: an agent may go on with others


class AgentFolder:
    """Training of one agent in folder `path`, which is made, or continued where there is one. A context manager.

    Raises:
        ClamError: `path` holds something else, or an agent of another task, seed or configuration; another process
            is training in it; see `Agent`.
    """

    def __init__(self, path: str | Path, env: str, task: str, seed: int, config: AgentConfig) -> None:
        self.path = Path(path)
        identity = {"format_version": FORMAT_VERSION, "env": env, "task": task, "seed": seed, **config.to_json()}
        self._check(identity)
        self.agent = Agent(env, task, seed, config)
        self._lock = _lock(self.path)
        try:
            self._resume()
            if not (self.path / "agent.json").exists():
                versions = software_versions((*PACKAGES, "gymnasium", "mujoco"))
                _write(self.path / "agent.json", _json({**identity, "versions": versions}))
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> AgentFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.agent.env.close()
        os.close(self._lock)

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the best policy so far: the first of the highest mean return."""
        return max(self.agent.evaluations, key=lambda e: e.mean_return, default=None)

    def train(self, score: float | None, *, progress: bool | None = False) -> Evaluation | None:
        """Train until an evaluation reaches normalized return `score` (None: until the agent is finished).

        Returns:
            The first evaluation that did; None where training ended without one.
        """
        agent = self.agent
        quiet = None if progress is None else not progress
        title = f"agent {agent.env.spec.task}"
        with tqdm(total=agent.config.total_steps, initial=agent.steps, desc=title, unit="step", disable=quiet) as bar:
            while not agent.finished and (score is None or agent.first_above(score) is None):
                evaluation = agent.train_until_evaluation(bar.update)
                bar.set_postfix_str(f"normalized return {evaluation.normalized:.1f}")
                self._save()
        return agent.first_above(agent.config.expert_score if score is None else score)

    def load_best(self) -> Evaluation:
        """Give the agent the networks of its best evaluation, and return that.

        Raises:
            ClamError: there has been no evaluation, or the file is damaged.
        """
        evaluations, _, networks = self._read("best.msgpack")
        self.agent.networks.load_bytes(networks)
        return evaluations[-1]

    def _save(self) -> None:
        """Replay first, checkpoint last: what a kill leaves half-done, a checkpoint does not know of."""
        shards = self.agent.replay.save(self.path / "replay")
        state = self._encode(shards)
        if self.best == self.agent.evaluations[-1]:
            _write(self.path / "best.msgpack", state)
        _write(self.path / "checkpoint.msgpack", state)
        _write(self.path / "progress.json", _json([e.to_json() for e in self.agent.evaluations]))

    def _resume(self) -> None:
        if not (self.path / "checkpoint.msgpack").exists():
            return
        evaluations, shards, networks = self._read("checkpoint.msgpack")
        self.agent.networks.load_bytes(networks)
        self.agent.replay.load(self.path / "replay", shards)
        self.agent.continue_from(evaluations)

    def _encode(self, shards: int) -> bytes:
        from flax import serialization

        evaluations = json.dumps([e.to_json() for e in self.agent.evaluations])
        content = {"shards": shards, "evaluations": evaluations, "networks": self.agent.networks.to_bytes()}
        encoded: bytes = serialization.msgpack_serialize(content)
        return encoded

    def _read(self, name: str) -> tuple[list[Evaluation], int, bytes]:
        from flax import serialization

        path = self.path / name
        try:
            content: dict[str, Any] = serialization.msgpack_restore(path.read_bytes())
            evaluations = [Evaluation(**e) for e in json.loads(content["evaluations"])]
            return evaluations, int(content["shards"]), content["networks"]
        except Exception as error:  # msgpack raises many kinds for a damaged file
            raise ClamError(f"'{path}' cannot be read ({error}); train the agent in a new folder") from error

    def _check(self, identity: dict[str, Any]) -> None:
        """Raise ClamError unless the folder is free or holds the agent that `identity` describes."""
        path = self.path / "agent.json"
        if self.path.exists() and not self.path.is_dir():
            raise ClamError(f"'{self.path}' is a file, not an agent's folder; choose another --agent")
        if not path.exists():
            if self.path.exists() and {entry.name for entry in self.path.iterdir()} - {"lock"}:
                raise ClamError(f"'{self.path}' is not an agent's folder; choose another --agent")
            return
        try:
            there = {"algorithm": "td3", **json.loads(path.read_text())}  # before there was a choice
        except (OSError, ValueError) as error:
            raise ClamError(f"'{path}' cannot be read ({error}); choose another --agent") from error
        for name, value in identity.items():
            if name not in BOUNDS and there.get(name) != value:
                mend = f", or --algorithm {there[name]}" if name == "algorithm" else ""
                raise ClamError(
                    f"'{self.path}' holds an agent with {name} {there.get(name)}, not {value}; "
                    f"choose another --agent{mend}"
                )


def _lock(folder: Path) -> int:
    """Descriptor of the folder's lock, held until it is closed or the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ClamError(f"agent '{folder}' is in use by another process; wait for it, or choose --agent") from error
    except OSError as error:  # e.g. a network disk without locks
        os.close(descriptor)
        raise ClamError(
            f"agent '{folder}' cannot be locked ({error}); choose --agent on a disk of this machine"
        ) from error
    return descriptor


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Replace `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
