"""Table 3 on the simulated kitchen: the real robot's pipeline, from play and demonstrations as images to scores."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.paper import BLOCK, BUTTON, MICROWAVE, POT
from clam_core.bench.tables.recipe import EVALUATED, SEED_STEP, Seeds, new_cell
from clam_core.bench.tables.rows import PRESETS, STATE_ROWS, Row, roles_of
from clam_core.bench.tables.sources import Source
from clam_core.bench.tables.table import Request, Table
from clam_core.deploy.device import resolve_device
from clam_core.errors import ClamError
from clam_core.training.config import Config

TASKS = {BLOCK: "Block", BUTTON: "Button", MICROWAVE: "Microwave", POT: "Slide Pot"}
#: Unlabeled expert episodes (Appendix F).
EXPERTS = {BLOCK: 30, BUTTON: 30, MICROWAVE: 30, POT: 50}
#: Play episodes of 100 steps that start from each task's layouts: the paper's 50k transitions in all.
LABELED_PLAY, UNLABELED_PLAY = 25, 100
UNLABELED_PLAY_ON_A_CPU = 25  # the few updates of its preset would not see more
#: Episode seeds from one task's play to the next one's: the same seed would be the same layout and the same motions.
TASK_STEP = 250
#: Of the state, what a robot knows about itself. The rest is where things are: that is for the images to show.
PROPRIOCEPTION = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")

#: The policy begins with the encoder of the IDM (Section 3.2), in the rows that have one: see image-lam.
IDM_ENCODER = ("policy.encoder=idm",)

#: What differs between the rows is the method alone.
ROWS = {
    "bc-al": STATE_ROWS["bc-al"],
    "lapa": replace(STATE_ROWS["lapa"], tuned=(*STATE_ROWS["lapa"].tuned, *IDM_ENCODER)),
    "vpt": replace(STATE_ROWS["vpt"], tuned=IDM_ENCODER),
    "st-clam": Row("ST-CLAM", "clam", tuned=IDM_ENCODER),
    "bc-expert": STATE_ROWS["bc-expert"],
}


def family(device: str) -> str:
    """Which networks `device` (``auto``, ``cpu``, ``cuda``, …) is given."""
    name = str(resolve_device(device)) if device == "auto" else device
    return "kitchen_gpu" if name.startswith("cuda") else "kitchen"


def preset(setting: str, device: str) -> str:
    """The preset that all rows are trained with."""
    return PRESETS[family(device)][setting]


def _table3_cell(slug: str, task: str, seed: int, request: Request) -> Cell:
    return kitchen_cell(slug, ROWS[slug], task, seed, request)


def _figure4c_cell(slug: str, labels: str, seed: int, request: Request) -> Cell:
    return kitchen_cell(slug, ROWS[slug], BLOCK, seed, request, labels=int(labels))


def kitchen_cell(
    slug: str,
    row: Row,
    task: str,
    seed: int,
    request: Request,
    seeds: Seeds = EVALUATED,
    labels: int = len(TASKS) * LABELED_PLAY,
) -> Cell:
    """A cell with the data of Table 3, whose episodes are those of `seeds`; the device decides `row`'s networks.

    `labels` of the play episodes are labeled, as many from the layouts of each task.
    """
    row = replace(row, family=family(request.device))
    # The paper's preset takes all of the state: a real arm's has no entries that say where the block is.
    extra = (f"features.include=[{', '.join(PROPRIOCEPTION)}]",) if request.setting == "paper" else ()
    config = row.config(request.setting, seed, request.budget, extra)
    size, camera = config.features.image_size, seen_cameras(config)
    if size is None:
        raise ClamError(f"{preset(request.setting, request.device)} names no features.image_size to draw; add it")

    def source(of: str, kind: str, episodes: int, first: int) -> Source:
        return Source("kitchen", of, kind, episodes, first, size, camera=camera)

    def play(episodes: int, first: int) -> tuple[Source, ...]:
        return tuple(source(of, "play", episodes, first + TASK_STEP * i) for i, of in enumerate(TASKS))

    few = row.family == "kitchen" and request.setting == "recommended"
    unlabeled = UNLABELED_PLAY_ON_A_CPU if few else UNLABELED_PLAY
    own = SEED_STEP * seed
    labeled = play(labels // len(TASKS), seeds.play + own)  # the rest of it is seen all the same
    data = roles_of(
        row,
        unlabeled=(*play(unlabeled, seeds.mixed), *play(LABELED_PLAY, seeds.play + own)),
        labeled=labeled,
        expert=(source(task, "expert", EXPERTS[task], seeds.expert + own),),
    )
    return new_cell("kitchen", slug, row, task, seed, request, data, extra, seeds)


def seen_cameras(config: Config) -> str:
    """The kitchen's cameras that `config` looks through, with commas.

    Raises:
        ClamError: none of them.
    """
    from clam_core.envs.kitchen_spec import CAMERAS  # reads the URDF

    patterns = config.features.cameras
    names = [name for name in CAMERAS if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not names:
        raise ClamError(f"features.cameras {list(patterns)} fits none of the kitchen's: {', '.join(CAMERAS)}")
    return ",".join(names)


_PLAY_EPISODES = len(TASKS) * (LABELED_PLAY + UNLABELED_PLAY)
NOTE = (
    f"Data: one play dataset for all tasks, {_PLAY_EPISODES} episodes of 100 steps at 5 Hz (the paper's 50k "
    "transitions), a quarter of them from the layouts of each task. The operator touches everything; an episode that "
    "happens to do what its own layout's task asks for is thrown away. All are seen as images, "
    f"{len(TASKS) * LABELED_PLAY} of them with labels; the paper does not say how many of its were labeled. The preset "
    f"for CPUs has only {len(TASKS) * UNLABELED_PLAY_ON_A_CPU} unlabeled ones. Unlabeled "
    "experts: 30 of the task, 50 of Slide Pot (Appendix F). Each seed has its own labeled play, experts, initial "
    "weights and evaluation layouts. A rollout of 100 steps scores 1 for success, ½ for partial success, else 0 "
    "(Appendix F; the distances are ours): the best of its steps. All rows have the same cameras, image size, "
    "encoders, augmentation and policy updates; in the recommended setting policies of methods with an IDM begin with "
    "its encoder (Section 3.2). BC-Expert learns from the actions of the same experts. The paper's "
    "are 10 rollouts on a real arm, ours of a simulated one, and in the paper setting our ResNets start from random "
    "weights, its from pretrained ones: columns to read beside each other, not to subtract."
)

TABLE3 = Table(
    "table3", "Four WidowX tasks in the simulated kitchen, from images: mean score (0, ½, 1)",
    {name: row.title for name, row in ROWS.items()}, TASKS, _table3_cell,
    metric="score", average=True, notes=NOTE, episodes=10, references=("bc-expert", "st-clam"), preset=preset,
)  # fmt: skip

#: Labeled episodes: 2, 5, 10 and 25 from the layouts of each task.
LABELS = ("8", "20", "40", "100")
FIGURE4C = Table(
    "fig4c-images", "Number of labeled play episodes, Reach Block from images: mean score (0, ½, 1)",
    {name: ROWS[name].title for name in ("bc-al", "vpt", "st-clam")}, {n: n for n in LABELS}, _figure4c_cell,
    metric="score", curve="labeled play episodes", episodes=30, preset=preset,
    notes=f"The column of 100 is {TABLE3.name}'s; the others see the same play, but fewer of its actions.\n\n{NOTE}",
)  # fmt: skip
