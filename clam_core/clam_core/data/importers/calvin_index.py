"""Which frames of a CALVIN split are an episode: play sequences, and segments that people annotated with a task."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from clam_core.data.importers.numpy_object import load_object
from clam_core.envs.calvin_spec import MAX_STEPS
from clam_core.envs.calvin_tasks import oracle_name
from clam_core.errors import ClamError, did_you_mean

ALL = "all"  # as a task: every annotated segment, whatever its task
SPLITS = ("training", "validation")
PLAY_FILE = "ep_start_end_ids.npy"
ANNOTATION_FILES = (Path("lang_annotations") / "auto_lang_ann.npy", Path("auto_lang_ann.npy"))

_FRAME = re.compile(r"episode_(\d+)\.npz")


@dataclass(frozen=True)
class Span:
    """Frames `first` to `last`, both included; `task` and `words` as annotated, None where nobody did."""

    first: int
    last: int
    task: str | None = None
    words: str | None = None

    @property
    def name(self) -> str:
        """What an import calls the episode."""
        return f"frames {self.first}-{self.last}" + (f" {self.task}" if self.task else "")


def frame_digits(path: Path) -> int:
    """How many digits frames are numbered with in split `path`.

    Raises:
        ClamError: it is no split of CALVIN.
    """
    if not path.is_dir():
        raise ClamError(f"no folder '{path}'; give the training or validation folder of a CALVIN dataset")
    with os.scandir(path) as entries:  # the split of a whole scene has half a million of them
        for entry in entries:
            if match := _FRAME.fullmatch(entry.name):
                return len(match[1])
    if found := [split for split in SPLITS if (path / split).is_dir()]:
        raise ClamError(f"'{path}' is a whole CALVIN dataset; give one split of it: {path / found[0]}")
    raise ClamError(f"no episode_*.npz in '{path}'; give the training or validation folder of a CALVIN dataset")


def play_spans(path: Path) -> list[Span]:
    """The recorded sequences of split `path`, in pieces of at most `MAX_STEPS` steps.

    A piece begins with the frame that the one before ends with, so that no step is lost.

    Raises:
        ClamError: their file is missing or damaged.
    """
    file = path / PLAY_FILE
    try:
        ends = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise ClamError(f"no '{file}'; copy it from the dataset: it says where recordings begin and end") from error
    except (ValueError, EOFError, OSError) as error:
        raise ClamError(f"'{file}' is damaged ({error}); copy it from the dataset again") from error
    return list(chain.from_iterable(_pieces(first, last) for first, last in _pairs(ends, file)))


def annotated_spans(path: Path, task: str) -> list[Span]:
    """The segments of split `path` that were annotated with `task`; with `ALL`, those of every task.

    Raises:
        ClamError: their file is missing, damaged or unsafe, or has no such task.
    """
    file = next((path / name for name in ANNOTATION_FILES if (path / name).is_file()), path / ANNOTATION_FILES[0])
    content = load_object(file)
    try:
        language, ends = content["language"], content["info"]["indx"]
        tasks, words = [str(name) for name in language["task"]], [str(text) for text in language["ann"]]
    except (KeyError, TypeError, IndexError) as error:
        raise ClamError(f"'{file}' lacks its annotations ({error!r}); copy it from the dataset again") from error
    pairs = list(_pairs(np.asarray(ends), file)) if len(ends) else []
    if not len(pairs) == len(tasks) == len(words):
        counts = f"{len(pairs)} segments, {len(tasks)} tasks and {len(words)} texts"
        raise ClamError(f"'{file}' has {counts}, expected as many of each; copy it from the dataset again")
    wanted = set(tasks) if task == ALL else {oracle_name(task)}
    # The annotator's end is the first frame after the segment, and may belong to another recording.
    spans = [
        Span(first, last - 1, name, text)
        for (first, last), name, text in zip(pairs, tasks, words, strict=True)
        if name in wanted
    ]
    if not spans:
        raise ClamError(f"no segment of task '{task}' in '{file}', {did_you_mean(oracle_name(task), set(tasks))}")
    return spans


def _pairs(ends: np.ndarray, file: Path) -> Iterable[tuple[int, int]]:
    """Rows of `ends` ``(N, 2)``: numbers of the first and the last frame."""
    if ends.ndim != 2 or ends.shape[1] != 2 or ends.dtype.kind not in "iu" or not len(ends):
        raise ClamError(
            f"'{file}' has an index of shape {ends.shape} and {ends.dtype}, expected pairs of frame numbers"
        )
    if (ends[:, 0] > ends[:, 1]).any() or (ends < 0).any():
        raise ClamError(f"'{file}' has a sequence that ends before it begins; copy it from the dataset again")
    return [(int(first), int(last)) for first, last in ends]


def _pieces(first: int, last: int) -> list[Span]:
    return [Span(begin, min(begin + MAX_STEPS, last)) for begin in range(first, max(last, first + 1), MAX_STEPS)]
