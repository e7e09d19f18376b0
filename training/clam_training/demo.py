"""The main job, end to end: record through ROS, import, train, run through ROS, report.

Nothing here is special to the demo: every stage is a command that is printed as it runs, so that each line can be
repeated by hand. Commands write their output to ``OUT/logs``; a failed one is shown and ends the demo.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_training.demo_report import write_report
from clam_training.demo_results import collect_results, summary_table

#: kind → first episode seed; far apart, and all below the seeds of evaluation.
SEEDS = {"play": 10_000, "expert": 20_000, "mixed": 30_000, "bulk": 100_000}
METHODS = ("clam", "vpt", "bc-al", "bc-expert")


@dataclass(frozen=True)
class Options:
    """What to run; the defaults are the demo of the README."""

    out: Path
    env: str = "metaworld"
    task: str = "assembly"
    episodes: int = 50
    bulk: int = 800
    evaluations: int = 50
    seed: int = 0
    overrides: tuple[str, ...] = ()


@dataclass
class Demo:
    """Runs the stages and keeps their wall times."""

    options: Options
    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """All stages in order.

        Raises:
            ClamError: a command failed; its log is named.
        """
        for title, stage in (
            ("record", self.record),
            ("import", self.import_bags),
            ("train", self.train),
            ("run", self.roll_out),
        ):
            with self._timed(title):
                stage()
        with self._timed("report"):
            results = collect_results(self.options.out, METHODS, SEEDS, self.seconds)
            write_report(self.options.out / "report.html", self.options.out, results)
        results["seconds"] = dict(self.seconds)
        (self.options.out / "results.json").write_text(json.dumps(results, indent=2))

    def record(self) -> None:
        """Three kinds of episodes through bridge, scripted operator and recorder; bulk mixed data offline."""
        o = self.options
        for kind in ("play", "expert", "mixed"):
            self._commands(
                {
                    f"record-{kind}": _graph(
                        "record", env=o.env, task=o.task, kind=kind, episodes=o.episodes,
                        seed=SEEDS[kind] + 1000 * o.seed, out=o.out / "bags" / kind,
                    )
                }
            )  # fmt: skip
        seed = str(SEEDS["bulk"] + 2000 * o.seed)
        sizes = ("--episodes", str(o.bulk), "--seed", seed, "--out", str(o.out / "data/bulk"))
        self._commands({"generate-bulk": _clam("generate", o.env, o.task, "--kind", "mixed", *sizes)})

    def import_bags(self) -> None:
        """Bags to datasets. Only play keeps its labels; the labeled expert copy is for BC-Expert alone."""
        bags, data = self.options.out / "bags", self.options.out / "data"
        imports = {
            "play": (bags / "play", ()),
            "mixed": (bags / "mixed", ("--no-actions",)),
            "expert": (bags / "expert", ("--no-actions",)),
            "expert-labeled": (bags / "expert", ()),
        }
        commands = {
            f"import-{name}": _clam("import", "rosbag", str(source), "--out", str(data / name), *flags)
            for name, (source, flags) in imports.items()
        }
        self._commands(commands, parallel=2)
        play_page, expert_page = (str(self.options.out / f"inspect-{name}.html") for name in ("play", "expert"))
        against = ("--against", str(data / "expert-labeled"))  # does the play cover what the expert does?
        self._commands(
            {
                "inspect-play": _clam("inspect", str(data / "play"), *against, "--html", play_page),
                "inspect-expert": _clam("inspect", str(data / "expert"), "--html", expert_page),
            },
            parallel=2,
        )

    def train(self) -> None:
        """CLAM and what it is compared with, two at a time, one thread each."""
        out, data = self.options.out, self.options.out / "data"
        roles = {
            "clam": [f"data.unlabeled=[{data}/mixed,{data}/bulk,{data}/expert]", f"data.labeled={data}/play",
                     f"data.expert={data}/expert"],
            "vpt": [f"data.labeled={data}/play", f"data.expert={data}/expert"],
            "bc-al": [f"data.labeled={data}/play"],
            "bc-expert": [f"data.labeled={data}/expert-labeled"],
        }  # fmt: skip
        common = ("--preset", "recommended/state", f"seed={self.options.seed}", *self.options.overrides)
        commands = {
            f"train-{name}": _clam(
                "train", name.split("-")[0], *common, *roles[name], "--out", str(out / "train" / name)
            )
            for name in METHODS
        }
        self._commands(commands, parallel=2)
        checks = {
            f"relabel-{name}": _clam("relabel", str(out / "train" / name), str(data / "expert-labeled"), "--json")
            for name in ("clam", "vpt")
        }
        self._commands(checks, parallel=2)

    def roll_out(self) -> None:
        """Every bundle through policy node and bridge, all on the same layouts, which no training saw."""
        o = self.options
        for name in METHODS:
            command = _graph(
                "policy", bundle=o.out / "train" / name / "bundle", env=o.env, task=o.task, mode="lockstep",
                episodes=o.evaluations, seed=EVALUATION_SEED, out=o.out / "rollouts" / f"{name}.json",
            )  # fmt: skip
            self._commands({f"run-{name}": command})

    @contextmanager
    def _timed(self, title: str) -> Iterator[None]:
        self.console.rule(f"[bold]{title}")
        started = time.monotonic()
        yield
        self.seconds[title] = time.monotonic() - started

    def _commands(self, commands: dict[str, list[str]], parallel: int = 1) -> None:
        """Run named commands, at most `parallel` at once; the output of each goes to its log."""
        logs = self.options.out / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        waiting, running = list(commands.items()), dict[str, tuple[subprocess.Popen[bytes], float]]()
        environment = os.environ | ({"OMP_NUM_THREADS": "1"} if parallel > 1 else {})
        with self.console.status("") as status:
            try:
                while waiting or running:
                    while waiting and len(running) < parallel:
                        name, command = waiting.pop(0)
                        self.console.print(
                            f"$ {_shown(command)}", style="dim", soft_wrap=True, highlight=False, markup=False
                        )
                        with (logs / f"{name}.log").open("wb") as log:
                            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
                        running[name] = (process, time.monotonic())
                    self._reap(running, logs)
                    status.update(", ".join(f"{n} {time.monotonic() - t:.0f} s" for n, (_, t) in running.items()))
            finally:
                for process, _ in running.values():
                    process.terminate()
                    process.wait()

    def _reap(self, running: dict[str, tuple[subprocess.Popen[bytes], float]], logs: Path) -> None:
        for name, (process, started) in list(running.items()):
            try:
                status = process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
            del running[name]
            if status != 0:
                tail = (logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
                self.console.print("\n".join(tail), markup=False, highlight=False)
                raise ClamError(f"stage '{name}' ended with status {status}; its whole log is {logs / name}.log")
            self.console.print(f"  {name}: {time.monotonic() - started:.1f} s", highlight=False)


def _clam(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "clam_core", *arguments]


def _graph(name: str, **arguments: object) -> list[str]:
    return [sys.executable, "-m", "clam_bringup.runner", name, *(f"{k}:={v}" for k, v in arguments.items())]


def _shown(command: Sequence[str]) -> str:
    """The command as a person would type it."""
    program = {"clam_core": "clam", "clam_bringup.runner": "clam-launch"}[command[2]]
    return shlex.join([program, *command[3:]])


def _set_aside(out: Path) -> None:
    """An earlier demo is renamed, never overwritten."""
    if out.exists():
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(out.stat().st_mtime))
        out.rename(out.with_name(f"{out.name}-{stamp}"))


def main(arguments: Sequence[str] | None = None) -> int:
    """``make demo``."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    defaults = Options(Path("runs/demo"))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="training overrides, as for `clam train`")
    parser.add_argument("--out", type=Path, default=defaults.out, help="folder to write (default: %(default)s)")
    parser.add_argument("--task", default=defaults.task, help="Meta-World task (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=defaults.episodes, help="bags of each kind (%(default)s)")
    parser.add_argument("--bulk", type=int, default=defaults.bulk, help="mixed episodes made offline (%(default)s)")
    parser.add_argument("--evaluations", type=int, default=defaults.evaluations, help="rollouts each (%(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="of data and training (%(default)s)")
    parsed = parser.parse_intermixed_args(arguments)
    if parsed.episodes < 10:
        parser.error(f"--episodes {parsed.episodes}: at least 10, so that one in ten can be held out")
    options = Options(**{**vars(parsed), "overrides": tuple(parsed.overrides)})
    console = Console(width=None if sys.stdout.isatty() else 120)
    _set_aside(options.out)
    options.out.mkdir(parents=True)
    # A domain of its own, on this machine only: nobody else's robot hears the demo.
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    demo = Demo(options, console)
    try:
        demo.run()
    except ClamError as error:
        console.print(f"[red]demo: error:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: interrupted")
        return 130
    console.print(summary_table(json.loads((options.out / "results.json").read_text())))
    bundle = options.out / "train/clam/bundle"
    for line in (
        f"report:   {options.out / 'report.html'}   numbers: {options.out / 'results.json'}",
        f"bundle:   {bundle}",
        f"try next: clam eval {bundle} --episodes 4 --video {options.out / 'clam.mp4'}",
        f"          clam-launch policy bundle:={bundle} task:={options.task} mode:=realtime",
        "          make demo DEMO='--task bin-picking --out runs/bin-picking'",
        "(after `. .venv/bin/activate`)",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
