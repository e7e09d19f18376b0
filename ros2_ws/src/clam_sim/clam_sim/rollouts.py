"""Rollouts: plays a policy through the graph on given seeds and writes what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from clam_core.errors import ClamError
from clam_ros import names
from clam_ros.episode_client import EpisodeClient
from clam_ros.messages import MessageRefused, StatusReader
from clam_ros.node import Node
from clam_ros.qos import COLLECT
from clam_ros.run import run
from clam_ros.stamps import to_ns
from clam_ros.waiting import sleep, wait_for
from clam_sim.rollout_log import EpisodeLog, EpisodeResult, Results, check_continues, read_results, write_results
from clam_sim.setting import SettingClient
from clam_sim.simulation import MODES

TRIES = 3  # of one seed, when a message of it was lost
SLICE = 0.25  # [s] between looks at the episode
SAVED = 10  # episodes between two writings of the results
SETTLE = 1.0  # [s] after its end in which late messages may still come


class Rollouts(Node):
    """Resets the bridge to each seed, waits until the episode is done, writes JSON, ends with status 0.

    What there is of the results is written every `SAVED` episodes, and when they are interrupted or fail. Those that
    `out` has already are not done again; `out` of another bundle, mode or task is refused.
    """

    interrupted_status = 130

    def __init__(self) -> None:
        super().__init__("rollouts")
        self.declare("episodes", 20, "Number of episodes.", low=1)
        self.declare("seed", 1_000_000, "Seed of the first episode; evaluation seeds start at 1,000,000.", low=0)
        self.declare("out", "rollouts.json", "Results file (JSON).")
        self.declare("mode", "lockstep", "Mode of the bridge; lockstep insists on a command per step.", choices=MODES)
        self.declare("bridge", "sim_bridge", "Name of the bridge node, for its parameter `seed`.")
        self.declare("policy", "policy", "Name of the policy node, whose bundle the results file names.")
        self.declare("timeout", 120.0, "Longest wait for a service or for the next step [s].", low=1.0)

    def configure(self) -> None:
        """Create subscriptions and clients."""
        self._read_status = StatusReader()
        self._lockstep = self.value("mode") == "lockstep"
        self._found = read_results(Path(self.value("out")))
        self._results = Results({}, [])
        self._begin(seed=-1)
        self.subscribe(JointState, names.STATUS, self._on_status, COLLECT)
        self.subscribe(JointTrajectory, names.COMMAND, self._on_command, COLLECT)
        self._client = EpisodeClient(self, bridge=self.value("bridge"), record=False, timeout=self.value("timeout"))
        self._setting = SettingClient(self, policy=self.value("policy"), bridge=self.value("bridge"))

    def activate(self) -> None:
        """Start working through the episodes."""
        self.start_job(self._work)

    def deactivate(self) -> None:
        """Keep what there is; the work ends with the next look at it."""
        self._save()

    def _save(self) -> None:
        if self._results.episodes:
            write_results(Path(self.value("out")), self._results)

    async def _work(self) -> int:
        try:
            return await self._episodes()
        except Exception:
            self._save()
            raise

    async def _episodes(self) -> int:
        seeds = range(self.value("seed"), self.value("seed") + self.value("episodes"))
        await self._wait_for_policy()
        results = self._results = await self._begun(seeds)
        done = {episode.seed for episode in results.episodes}
        await self._client.wait_until_matched(seeds.start, {names.STATUS: 1})
        for seed in seeds:
            if seed not in done:
                results.episodes.append(await self._episode(seed))
                self._say(len(seeds))
        return 0

    async def _begun(self, seeds: range) -> Results:
        """What there is of the episodes with `seeds` when the work begins."""
        setting = {"mode": self.value("mode"), **await self._setting.read()}
        if self._found is None:
            return Results(setting, [])
        check_continues(Path(self.value("out")), self._found, setting, seeds)
        self.get_logger().info(f"'{self.value('out')}' has {len(self._found.episodes)} of {len(seeds)} episodes")
        return self._found

    def _say(self, episodes: int) -> None:
        results = self._results.episodes
        self.counters["episodes"] = len(results)
        self.counters["successes"] = sum(result.success for result in results)
        if len(results) % SAVED == 0 or len(results) == episodes:
            self._save()
            self.get_logger().info(f"{self.counters['successes']} successes in {len(results)} of {episodes} episodes")

    def _go_on(self) -> None:
        """Raises `ClamError` after a deactivation: nobody resets the bridge then."""
        if not self.active:
            raise ClamError("the rollouts were deactivated: start them again")

    async def _wait_for_policy(self) -> None:
        waited = 0.0
        while not self.count_publishers(names.COMMAND):
            self._go_on()
            if waited > self.value("timeout"):
                raise ClamError(f"nobody publishes '{names.COMMAND}': is the policy node up?")
            await sleep(self, 0.05)
            waited += 0.05

    async def _episode(self, seed: int) -> EpisodeResult:
        """One episode; repeated where a message was lost, which the same seed makes harmless."""
        for _ in range(TRIES):
            self._go_on()
            log = self._begin(seed)
            log.episode = (await self._client.reset(seed)).episode
            missing = await self._finish(log)
            if not missing:
                return log.result()
            self.counters["episodes repeated"] += 1
            self.get_logger().warning(f"seed {seed} is repeated: missing {missing}")
        raise ClamError(f"seed {seed}: missing {missing} in {TRIES} tries; see /diagnostics of bridge and policy")

    async def _finish(self, log: EpisodeLog) -> str:
        """Wait for the end of the episode; returns what it lacks."""
        timeout, steps, idle = self.value("timeout"), -1, 0.0
        self._check()
        while not await wait_for(self, self._complete, SLICE):
            self._go_on()
            idle = idle + SLICE if log.steps == steps else 0.0
            steps = log.steps
            if log.done and idle >= SETTLE:
                return self._missing(log)
            if idle >= timeout:
                where = f"seed {log.seed} after {log.steps} steps"
                raise ClamError(f"no step for {timeout:g} s at {where}: see /diagnostics of bridge and policy")
        return ""

    def _begin(self, seed: int) -> EpisodeLog:
        self._log, self._complete = EpisodeLog(seed), Future()
        return self._log

    def _check(self) -> None:
        log = self._log
        if log.done and not self._complete.done() and not self._missing(log):
            self._complete.set_result(None)

    def _missing(self, log: EpisodeLog) -> str:
        return log.missing(commands=self._lockstep)  # in real time an observation may stay without an answer

    def _on_status(self, message: JointState) -> None:
        try:
            self._log.add_status(self._read_status.read(message))
        except MessageRefused as refusal:
            self.counters["messages refused"] += 1
            self.get_logger().warning(f"message refused: {refusal}", throttle_duration_sec=5.0)
        self._check()

    def _on_command(self, message: JointTrajectory) -> None:
        if len(message.points) == 1:
            action = np.array(message.points[0].positions, dtype=np.float64)
            self._log.add_command(to_ns(message.header.stamp), action)
            self._check()


def main() -> int:
    """Console script."""
    return run(Rollouts)


if __name__ == "__main__":
    raise SystemExit(main())
