"""Scripted operator: drives the bridge like a teleoperating human would, and runs the recorder."""

from __future__ import annotations

from pathlib import Path

from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from clam_core.data.recorded_seeds import recorded_seeds
from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.operators import KINDS, keep_episode, make_operator
from clam_ros import names
from clam_ros.episode_client import EpisodeClient
from clam_ros.messages import CommandWriter, MessageRefused, StateReader, StateSample, Status, StatusReader
from clam_ros.node import Node
from clam_ros.qos import STREAM
from clam_ros.run import run
from clam_ros.waiting import sleep, wait_for


class ScriptedOperator(Node):
    """Attempt k has seed `seed` + k, as in `clam generate`; ends with status 0 when `episodes` are kept.

    A seed that folder `out` has already counts as kept, and is not recorded again: an interrupted recording goes on.
    """

    interrupted_status = 130

    def __init__(self) -> None:
        super().__init__("scripted_operator")
        self.declare("env", "metaworld", "Environment family of the bridge.")
        self.declare("task", "assembly", "Task of the bridge.")
        self.declare("kind", "expert", "Skill, and which episodes are kept.", choices=KINDS)
        self.declare("episodes", 1, "Episodes to keep.", low=1)
        self.declare("seed", 0, "Seed of the first attempt.", low=0)
        self.declare("record", True, "Record every kept episode with the recorder node.")
        self.declare("out", "", "Folder of the recorder; what it has already is not recorded again. Empty: unknown.")
        self.declare("camera", "", "Camera whose images what `out` has must hold; empty: none.")
        self.declare("bridge", "sim_bridge", "Name of the bridge node, for its parameter `seed`.")
        self.declare("attempts_per_episode", 50, "Give up after this many attempts per kept episode.", low=1)
        self.declare("timeout", 60.0, "Longest wait for a service or for the next observation [s].", low=1.0)

    def configure(self) -> None:
        """Build the operator, publishers and clients."""
        kind, seed = self.value("kind"), self.value("seed")
        if self.value("record") and seed >= EVALUATION_SEED:
            raise ClamError(f"seed {seed} is for evaluation, training must not see it: record below {EVALUATION_SEED}")
        self._operator = make_operator(self.value("env"), self.value("task"), kind)
        self._read_state, self._read_status = StateReader(), StatusReader()
        self._episode: int | None = None
        self._sample: StateSample | None = None
        self._status: Status | None = None
        self._answered = -1
        self._success = False
        self._done = Future()
        self._command = self.publish(JointTrajectory, names.COMMAND, STREAM)
        self._writer = CommandWriter(self._action_names())
        self._last: JointTrajectory | None = None
        self.subscribe(JointState, names.OBSERVATION, self._on_observation, STREAM)
        self.subscribe(JointState, names.STATUS, self._on_status, STREAM)
        self._client = EpisodeClient(
            self, bridge=self.value("bridge"), record=self.value("record"), timeout=self.value("timeout")
        )

    def _action_names(self) -> tuple[str, ...]:
        environment = make_env(self.value("env"), self.value("task"))
        try:
            return environment.spec.action.names
        finally:
            environment.close()

    def activate(self) -> None:
        """Start working through the episodes."""
        self.start_job(self._work)

    def deactivate(self) -> None:
        """Command nothing more; the work ends, and discards what it records."""
        if not self._done.done():
            self._done.set_result(None)

    async def _work(self) -> int:
        kind, episodes, seed, record = (self.value(name) for name in ("kind", "episodes", "seed", "record"))
        await self._get_ready(seed, record)
        there = self._already_there() if record else frozenset()
        kept = attempt = 0
        while kept < episodes:
            if attempt >= episodes * self.value("attempts_per_episode"):
                raise ClamError(
                    f"{attempt} attempts gave {kept} of {episodes} {kind} episodes; try another kind or task"
                )
            keep = seed + attempt in there
            if not keep:
                keep = keep_episode(kind, await self._attempt(seed + attempt, record)) and self.active
                if record:
                    await self._client.record_end(keep=keep)
            self._go_on()
            attempt += 1
            kept += keep
            self.counters["attempts"], self.counters["kept"] = attempt, kept
            if keep and (kept % 10 == 0 or kept == episodes):
                self.get_logger().info(f"{kept} of {episodes} {kind} episodes kept, {attempt} attempts")
        return 0

    def _go_on(self) -> None:
        """Raises `ClamError` after a deactivation."""
        if not self.active:
            raise ClamError("the operator was deactivated: start it again")

    def _already_there(self) -> frozenset[int]:
        """Seeds that the recorder's folder has: none is to be recorded twice."""
        if not self.value("out"):
            return frozenset()
        env, task, kind, first = (self.value(name) for name in ("env", "task", "kind", "seed"))
        folder = Path(self.value("out")).expanduser()
        there = recorded_seeds(folder, env, task, kind, "scripted", self.value("camera"))
        if known := sorted(seed for seed in there if seed >= first):
            self.get_logger().warning(
                f"'{self.value('out')}' has {len(known)} {kind} episodes of seeds {known[0]} to {known[-1]}: they "
                "count as kept and are not recorded again; more with larger `episodes:=`, others with another `seed:=`"
            )
        return there

    async def _get_ready(self, seed: int, record: bool) -> None:
        """Until all that must hear each other do, so that no step is missing in the first bag."""
        readers, waited = 2 if record else 1, 0.0
        while self._command.get_subscription_count() < readers:
            self._go_on()
            if waited > self.value("timeout"):
                raise ClamError(f"'{names.COMMAND}' has fewer than {readers} subscribers: is a node down?")
            await sleep(self, 0.05)
            waited += 0.05
        if record:
            await self._client.record_start()
            await self._client.record_end(keep=False)
        await self._client.wait_until_matched(seed, {names.OBSERVATION: readers, names.STATUS: readers})

    async def _attempt(self, seed: int, record: bool) -> bool:
        """One episode; True if it succeeded at any step. A deactivation ends it."""
        self._go_on()
        self._episode, self._success, self._done = None, False, Future()
        self._operator.reset(seed)
        if record:
            await self._client.record_start()
        if self._done.done():  # deactivated meanwhile
            return False
        start = await self._client.reset(seed)
        self._episode = start.episode
        self._act()  # the first observation may have come before the answer to reset
        done, timeout = self._done, self.value("timeout")
        while not done.done():
            answered = self._answered
            if not await wait_for(self, done, timeout) and answered == self._answered:
                raise ClamError(
                    f"no new observation for {timeout:g} s in the episode of seed {seed}: is the bridge up?"
                )
        return self._success

    def _on_observation(self, message: JointState) -> None:
        try:
            self._sample = self._read_state.read(message)
        except MessageRefused as refusal:
            self._refuse(refusal)
            return
        if self.active and self._last is not None and self._sample.stamp == self._answered:
            self._command.publish(self._last)  # republished: the bridge has not heard the answer
            return
        self._act()

    def _on_status(self, message: JointState) -> None:
        try:
            self._status = self._read_status.read(message)
        except MessageRefused as refusal:
            self._refuse(refusal)
            return
        self._act()

    def _refuse(self, refusal: MessageRefused) -> None:
        self.counters["messages refused"] += 1
        self.get_logger().warning(f"message refused: {refusal}", throttle_duration_sec=5.0)

    def _act(self) -> None:
        """Answer an observation once, when its status is here too: only the status knows of the end."""
        sample, status = self._sample, self._status
        if not self.active:
            return
        if sample is None or status is None or sample.stamp != status.stamp or status.episode != self._episode:
            return
        if sample.stamp == self._answered or self._done.done():
            return
        self._answered = sample.stamp
        self._success |= status.success
        if status.done:
            self._last = None
            self._done.set_result(None)
            return
        action = self._operator.act({"state": sample.state})
        self._last = self._writer.message(sample.stamp, action)
        self._command.publish(self._last)


def main() -> int:
    """Console script."""
    return run(ScriptedOperator)


if __name__ == "__main__":
    raise SystemExit(main())
