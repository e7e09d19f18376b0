"""A table of the paper beside ours, or a speed benchmark; docs/results/NAME.json, .md and .png say what came out.

Tables and figures: table1 to table9, fig3, fig4a to fig4d. Every cell (method, task, seed) is a run
folder below --folder that can be opened with `clam relabel` and `clam eval`; an interrupted bench goes on where it
stopped, and tables share cells. On a GPU the seeds of a row are trained as one stack, see --stack. Two settings:
`recommended` are our presets, made for minutes on two cores; `paper` are the paper's own, whose updates --budget scales
(cpu: 0.01 of them, gpu: all, or a number for both settings).
table3 is the robot's: four tasks in the simulated kitchen, from the images of two cameras, scored 0, ½ or 1; its
recommended preset is kitchen-gpu on a GPU and kitchen-cpu elsewhere. fig4c-images is one of them with fewer labels.
image-lam is ours: what a latent action model of images is best trained to predict (pixels, changes, features, two
steps), labels averaged over views, errors in units of the actions' spread, and a space-time transformer, on play,
demonstrations and layouts that no table uses, to choose by; state-policy is the same of policies from states, on four
other tasks of Meta-World. With --share-lam the rows that differ in the policy alone take over the latent action model
of one that is trained.

train-step: updates per second and memory of one training step of the paper's Transformer-CLAM (Tables 11 and 12).
With --reference it takes turns with the authors' own modules (a checkout of clamrobot/clam_code, whose imports must
be installed: omegaconf); without, that half is skipped. With --stack N also of N trainings as a stack.

data: how fast datasets are made (bag import, generation, rendering), opened and read.

inference: how long a policy takes to answer, one observation at a time on one thread: as it is (eager), as TorchScript,
with torch.compile, and by ONNX Runtime where that is installed; in turns, after a check that all answer alike. With
--bundle of that bundle, without of policies of recommended/kitchen-cpu and paper/appendix_f_widowx.

execution: what to do with the action chunks of a bundle of the kitchen: temporal ensembling, receding horizon or no
chunking? Success, smoothness and the time to react to a moved block, on the same layouts. A killed one goes on where it
stopped; a second one beside it waits, and finds what the first has done.

Examples:
  clam bench table4
  clam bench table4 --rows mlp-clam,vpt --columns assembly --seeds 1
  clam bench table5 --setting both --budget gpu --device cuda --workers 8
  clam bench table4 --ray auto
  clam bench table3 --tasks reach-block,push-button
  clam bench table4 --plan
  clam bench table4 --merge
  clam bench image-lam --rows spread,test-time --share-lam
  clam bench data
  clam bench inference
  clam bench inference --bundle runs/kitchen/bundle --out runs/kitchen
  clam bench execution --bundle runs/kitchen/bundle --episodes 30 --workers 8
  clam bench train-step --reference ../clam_code
  clam bench train-step --device cuda compile=true --out results
  clam bench train-step --stack 3 lam.architecture=mlp lam.hidden=[128,128]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import Any

from clam_core.cli.types import natural_int, positive_int
from clam_core.cores import usable_cores
from clam_core.deploy.device import resolve_device
from clam_core.errors import ClamError, did_you_mean

NAME = "bench"
HELP = "a table of the paper beside ours, or a speed benchmark"
SPEED = ("train-step", "data")
INFERENCE, EXECUTION = "inference", "execution"
NAMES = (*SPEED, INFERENCE, EXECUTION)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam bench``."""
    parser.add_argument("name", metavar="NAME", help=f"table4, fig4a, …, {', '.join(NAMES)}")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="train-step, inference: of the presets")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    tables = parser.add_argument_group("tables")
    tables.add_argument("--setting", default="recommended", help="recommended, paper or both (default: %(default)s)")
    tables.add_argument("--budget", default="cpu", help="cpu, gpu or a share of the updates (default: %(default)s)")
    tables.add_argument("--rows", type=_names, metavar="A,B", help="only these methods, e.g. mlp-clam,vpt")
    tables.add_argument(
        "--columns", "--tasks", type=_names, metavar="A,B", help="only these tasks or values, e.g. assembly"
    )
    tables.add_argument("--seeds", type=positive_int, default=3, metavar="N", help="default: %(default)s")
    tables.add_argument("--first-seed", type=int, default=0, metavar="N", help="default: %(default)s")
    tables.add_argument(
        "--episodes",
        type=positive_int,
        metavar="N",
        help="rollouts per cell (default: 50; table3: 10, as in the paper), layouts of execution (default: 30)",
    )
    tables.add_argument("--workers", type=positive_int, metavar="W", help="processes (default: one per core)")
    tables.add_argument(
        "--stack",
        type=positive_int,
        metavar="N",
        help="cells alike but for seed and data that one process trains at once (default: --seeds on a GPU, else 1); "
        "train-step: trainings at once",
    )
    tables.add_argument(
        "--share-lam",
        action="store_true",
        help="a cell that differs in the policy alone from one that an earlier call has trained takes over its latent "
        "action model; such cells are not stacked",
    )
    tables.add_argument("--ray", metavar="ADDRESS", help="run the cells on a Ray cluster: its address, or auto")
    tables.add_argument(
        "--folder", type=Path, default=Path("runs/bench"), metavar="DIR", help="datasets and runs (%(default)s)"
    )
    tables.add_argument(
        "--merge",
        action="store_true",
        help="cells that --out's pages have count as done, though their runs lie elsewhere: tables of several machines",
    )
    tables.add_argument("--plan", action="store_true", help="say which cells would run, and run none")
    speed = parser.add_argument_group("train-step and inference")
    speed.add_argument("--rounds", type=positive_int, metavar="N", help="timed rounds (default: 7; inference: 40)")
    speed.add_argument("--reference", type=Path, metavar="DIR", help="train-step: checkout of the authors' clam_code")
    speed.add_argument("--updates", type=positive_int, default=10, metavar="N", help="train-step: per round (10)")
    speed.add_argument("--answers", type=positive_int, metavar="N", help="inference: per round and way (default: 10)")
    bundles = parser.add_argument_group("inference and execution")
    bundles.add_argument("--bundle", type=Path, metavar="DIR", help="bundle folder, e.g. RUN/bundle")
    execution = parser.add_argument_group("execution")
    execution.add_argument("--seed", type=natural_int, metavar="S", help="first layout (default: 600000)")
    execution.add_argument("--ensembling", type=_numbers, metavar="M,M", help="default: 0.5,0,-0.5; =-0.5 if negative")
    execution.add_argument("--horizons", type=_counts, metavar="K,K", help="default: the whole chunk and half of it")
    execution.add_argument("--move-step", type=positive_int, metavar="N", help="when the block is moved (default: 5)")


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(name) for name in _names(text))


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(name) for name in _names(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam bench``."""
    if arguments.plan and arguments.name in (*SPEED, INFERENCE, EXECUTION):
        raise ClamError(f"--plan is of tables and figures; {arguments.name} has no cells: leave it out to measure")
    if arguments.name in SPEED:
        return _speed(arguments)
    if arguments.name == INFERENCE:
        return _inference(arguments)
    if arguments.name == EXECUTION:
        return _execution(arguments)
    from clam_core.bench.tables import TABLES, find_table, missing, planned, run_table

    if arguments.name not in TABLES:
        raise ClamError(f"unknown benchmark '{arguments.name}': {did_you_mean(arguments.name, (*TABLES, *NAMES))}")
    if arguments.overrides:
        raise ClamError(f"'{arguments.overrides[0]}': a table's numbers are those of its presets; leave it out")
    table = find_table(arguments.name)
    options = _table_options(arguments, table.episodes)
    if arguments.plan:
        waiting = set(missing(table, options))
        plan = [(cell not in waiting, str(cell.folder(options.root))) for _, _, cell in planned(table, options)]
        if arguments.json:
            print(json.dumps([{"done": done, "folder": folder} for done, folder in plan]))
        else:
            print(*(f"{'done' if done else 'to do':6s} {folder}" for done, folder in plan), sep="\n")
        return 0
    folder = run_table(table, options)
    print((folder / f"{table.name}.json").read_text() if arguments.json else folder / f"{table.name}.md")
    return 0


def _table_options(arguments: argparse.Namespace, episodes: int) -> Any:
    """`episodes` where the caller named no number."""
    from clam_core.bench.tables import Pool, TableOptions
    from clam_core.bench.tables.rows import SETTINGS

    device = resolve_device(arguments.device)
    stack = arguments.stack or (arguments.seeds if device.type == "cuda" else 1)
    return TableOptions(
        settings=SETTINGS if arguments.setting == "both" else (arguments.setting,),
        budget=arguments.budget,
        rows=arguments.rows,
        columns=arguments.columns,
        seeds=arguments.seeds,
        first_seed=arguments.first_seed,
        episodes=arguments.episodes or episodes,
        device=str(device),
        root=arguments.folder,
        out=arguments.out,
        pool=Pool(arguments.workers or usable_cores(), arguments.ray, stack=stack, share_lam=arguments.share_lam),
        merge=arguments.merge,
    )


def _speed(arguments: argparse.Namespace) -> int:
    from clam_core.bench.report import as_lines, write

    if arguments.name == "data":
        os.environ.setdefault("MUJOCO_GL", "egl")  # read when mujoco is imported; its own Renderer needs it
        from clam_core.bench.data import DataOptions
        from clam_core.bench.data import run as measure_data

        result = measure_data(DataOptions())
    else:
        result = _train_step(arguments)
    write(result, arguments.out)
    print(json.dumps(result) if arguments.json else "\n".join(as_lines(result)))
    return 0


def _train_step(arguments: argparse.Namespace) -> dict[str, Any]:
    from clam_core.bench.train_step import Options
    from clam_core.bench.train_step import run as measure

    options = Options(
        str(resolve_device(arguments.device)),
        arguments.reference,
        updates=arguments.updates,
        overrides=tuple(arguments.overrides),
        stack=arguments.stack or 1,
        **({"rounds": arguments.rounds} if arguments.rounds else {}),
    )
    return measure(options)


def _inference(arguments: argparse.Namespace) -> int:
    from clam_core.bench.bundle_name import bundle_name
    from clam_core.bench.inference import Options, as_lines, written
    from clam_core.bench.inference import run as measure

    options = Options(
        str(resolve_device(arguments.device)),
        arguments.bundle,
        overrides=tuple(arguments.overrides),
        **{name: getattr(arguments, name) for name in ("rounds", "answers") if getattr(arguments, name)},
    )
    result = measure(options)
    words = ["clam", "bench", INFERENCE, *options.overrides, "--rounds", f"{options.rounds}"]
    words += ["--answers", f"{options.answers}", "--device", options.device]
    words += ["--bundle", bundle_name(options.bundle)] if options.bundle else []
    page = written(result, arguments.out, shlex.join(words))
    print(json.dumps(result) if arguments.json else "\n".join([*as_lines(result), str(page)]))
    return 0


def _execution(arguments: argparse.Namespace) -> int:
    from clam_core.bench.execution import Options, as_lines, written
    from clam_core.bench.execution import run as measure

    if arguments.bundle is None:
        raise ClamError("execution measures a bundle: name it with --bundle RUN/bundle")
    asked = {
        "episodes": arguments.episodes, "seed": arguments.seed, "ensembling": arguments.ensembling,
        "horizons": arguments.horizons, "first_move": arguments.move_step,
    }  # fmt: skip
    options = Options(
        arguments.bundle,
        str(resolve_device(arguments.device)),
        workers=arguments.workers or usable_cores(),
        root=arguments.folder,
        **{name: value for name, value in asked.items() if value is not None},
    )
    result = measure(options)
    words = ["clam", "bench", EXECUTION, "--bundle", result["bundle"], "--episodes", f"{options.episodes}"]
    words += ["--seed", f"{options.seed}", f"--ensembling={','.join(f'{m:g}' for m in options.ensembling)}"]
    words += ["--horizons", ",".join(map(str, options.horizons))] if options.horizons else []
    words += ["--move-step", f"{options.first_move}", "--device", options.device]
    page = written(result, arguments.out, shlex.join(words))
    print(json.dumps(result) if arguments.json else "\n".join([*as_lines(result), str(page)]))
    return 0
