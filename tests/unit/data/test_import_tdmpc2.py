"""TD-MPC2 files: multi-task chunks and single-task buffers; nothing that a file says is ever run."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clam_core.data.importers import open_source
from clam_core.data.importers.tdmpc2_tasks import TASKS
from clam_core.data.importing import ImportOptions, import_all
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

EPISODES, STEPS = 4, 5
RAN: list[str] = []


def fields(task: str | None = "mw-assembly", states: int = 39, actions: int = 6) -> dict[str, torch.Tensor]:
    """Episodes as TD-MPC2 keeps them: row 0 is the reset; actions of Meta-World fill four of six columns."""
    generator = torch.Generator().manual_seed(0)
    shape = (EPISODES, STEPS + 1)
    content = {
        "obs": torch.randn(*shape, states, generator=generator),
        "action": torch.rand(*shape, actions, generator=generator) * 2 - 1,
        "reward": torch.randn(*shape, generator=generator),
    }
    content["action"][..., 4:] = 0
    content["action"][:, 0] = content["reward"][:, 0] = float("nan")
    if task is not None:
        content["task"] = torch.full(shape, TASKS.index(task), dtype=torch.int32)
    return content


def tensordict_classes(names: dict[str, Any]) -> dict[str, types.ModuleType]:
    """Modules that pickle writes down as those of the tensordict package; they hold the classes `names`."""
    modules: dict[str, types.ModuleType] = {}
    for path, item in names.items():
        module, _, name = path.rpartition(".")
        modules.setdefault(module, types.ModuleType(module))
        item.__module__, item.__qualname__, item.__name__ = module, name, name
        setattr(modules[module], name, item)
    return modules


def save_as_tensordict(
    path: Path, content: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, new: bool
) -> Path:
    """Save as tensordict 0.2 (a class with its own dict), or as 0.6 and later (a function that makes the class)."""

    class StringDict(dict[str, Any]):
        pass

    class TensorDict:
        def __init__(self) -> None:
            kept = dict(content) if new else StringDict(content)
            self.__dict__.update(_tensordict=kept, _batch_size=torch.Size((EPISODES, STEPS + 1)), _device=None)

    def make(cls: Any, state: Any) -> Any:
        raise AssertionError("code of the file's own package ran")

    if new:
        monkeypatch.setattr(TensorDict, "__reduce__", lambda self: (make, (TensorDict, dict(vars(self)))))
        names = {"tensordict._td.TensorDict": TensorDict, "tensordict._reductions._make_td": make}
    else:
        names = {"tensordict.tensordict.TensorDict": TensorDict, "tensordict.utils._StringOnlyDict": StringDict}
    with monkeypatch.context() as patch:
        for name, module in {"tensordict": types.ModuleType("tensordict"), **tensordict_classes(names)}.items():
            patch.setitem(sys.modules, name, module)
        torch.save(TensorDict(), path)
    return path


@pytest.mark.parametrize("new", [False, True])
def test_a_tensordict_is_read_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    content = fields()
    path = save_as_tensordict(tmp_path / "chunk_0.pt", content, monkeypatch, new)
    monkeypatch.setitem(sys.modules, "tensordict", None)  # importing it now fails
    source = open_source("tdmpc2", path, ImportOptions())
    episode, _ = source.read("chunk_0.pt/2")
    np.testing.assert_array_equal(episode.observations["state"], content["obs"][2].double())
    np.testing.assert_array_equal(episode.actions, content["action"][2, 1:, :4].double())
    np.testing.assert_array_equal(episode.rewards, content["reward"][2, 1:].double())
    spec = source.info.spec
    assert (spec.env, spec.task, spec.observation.names[0]) == ("metaworld", "assembly", "hand_x")


class Malicious:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return RAN.append, ("ran",)


class Exec:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("import sys; sys.modules['was_run'] = sys",)


@pytest.mark.parametrize("evil", [Malicious(), Exec()])
def test_a_file_that_names_code_is_refused_and_none_of_it_runs(tmp_path: Path, evil: Any) -> None:
    path = tmp_path / "evil.pt"
    torch.save({**fields(), "extra": evil}, path)
    RAN.clear()
    with pytest.raises(ClamError, match="which is refused: it could run any program"):
        open_source("tdmpc2", path, ImportOptions())
    assert not RAN and "was_run" not in sys.modules


def test_one_task_of_a_multi_task_set_is_chosen_by_name(tmp_path: Path) -> None:
    for number, task in enumerate(("mw-assembly", "mw-bin-picking", "walker-walk")):
        torch.save(fields(task), tmp_path / f"chunk_{number}.pt")
    with pytest.raises(ClamError, match=r"holds 3 tasks .*; choose one with --task"):
        open_source("tdmpc2", tmp_path, ImportOptions())
    with pytest.raises(ClamError, match="no task 'bin-pick', did you mean 'mw-bin-picking'"):
        open_source("tdmpc2", tmp_path, ImportOptions(task="bin-pick"))
    source = open_source("tdmpc2", tmp_path, ImportOptions(task="bin-picking", kind="mixed"))
    assert source.names() == [f"chunk_1.pt/{i}" for i in range(EPISODES)]
    report = import_all(source, tmp_path / "out", actions=True)
    store = EpisodeStore.open(tmp_path / "out")
    assert report.transitions == EPISODES * STEPS and store.info.kind == "mixed"
    assert store.info.spec.task == "bin-picking" and store.info.provenance["success"] == "not recorded"


def test_padding_is_dropped_where_no_environment_tells_the_sizes(tmp_path: Path) -> None:
    content = fields("reacher-three-easy")
    content["obs"][..., 8:] = 0
    content["action"][:, 1:, 2:] = 0
    torch.save(content, tmp_path / "chunk_0.pt")
    source = open_source("tdmpc2", tmp_path, ImportOptions(rate=50.0))
    spec = source.info.spec
    assert (len(spec.observation.names), len(spec.action.names)) == (8, 2)
    assert source.read("chunk_0.pt/0")[0].observations["state"].shape == (STEPS + 1, 8)


def test_a_flat_buffer_is_split_by_its_episode_numbers_and_its_newest_frame_is_the_camera(tmp_path: Path) -> None:
    flat = {name: value.flatten(0, 1) for name, value in fields(None, states=2, actions=2).items()}
    frames = torch.zeros(len(flat["obs"]), 9, 8, 8, dtype=torch.uint8)
    frames[:, 6] = 200  # red of the newest of three frames
    flat["episode"] = torch.arange(EPISODES).repeat_interleave(STEPS + 1)
    torch.save({**flat, "obs": {"state": flat["obs"], "rgb": frames}}, tmp_path / "buffer.pt")
    source = open_source("tdmpc2", tmp_path / "buffer.pt", ImportOptions(rate=40.0, task="my-task"))
    episode, _ = source.read("buffer.pt/3")
    assert len(source.names()) == EPISODES and len(episode) == STEPS
    assert episode.observations["rgb"].shape == (STEPS + 1, 8, 8, 3)
    assert episode.observations["rgb"][0, 0, 0].tolist() == [200, 0, 0]


def test_a_bad_episode_is_rejected_with_its_reason_and_the_others_are_kept(tmp_path: Path) -> None:
    content = fields()
    content["obs"][1, 3, 7] = float("nan")
    content["action"][2, 2, 0] = 5.0
    torch.save(content, tmp_path / "chunk_0.pt")
    report = import_all(open_source("tdmpc2", tmp_path, ImportOptions()), tmp_path / "out", actions=True)
    assert report.kept == ("chunk_0.pt/0", "chunk_0.pt/3")
    assert dict(report.rejected)["chunk_0.pt/1"] == "'state' has nan at row 3"
    assert "action 'dx' is 5 at step 1" in dict(report.rejected)["chunk_0.pt/2"]


@pytest.mark.parametrize("reward_axes", [2, 3])
def test_a_reward_with_an_axis_of_its_own_is_still_of_whole_episodes(tmp_path: Path, reward_axes: int) -> None:
    content = fields(None, states=3, actions=2)
    reward = content["reward"]
    content["reward"] = reward if reward_axes == 2 else reward[..., None]
    torch.save(content, tmp_path / "chunk.pt")
    source = open_source("tdmpc2", tmp_path, ImportOptions(rate=1.0))
    assert source.names() == [f"chunk.pt/{i}" for i in range(EPISODES)]
    episode, _ = source.read("chunk.pt/2")
    np.testing.assert_array_equal(episode.rewards, reward[2, 1:].double())


def test_whole_file_problems_are_one_line_with_the_mend(tmp_path: Path) -> None:
    def refused(content: Any, match: str) -> None:
        torch.save(content, tmp_path / "bad.pt")
        with pytest.raises(ClamError, match=match):
            open_source("tdmpc2", tmp_path / "bad.pt", ImportOptions(rate=1.0))

    refused({key: value for key, value in fields().items() if key != "reward"}, "has no reward")
    refused(fields() | {"action": torch.zeros(EPISODES, STEPS, 6)}, "unequal lengths .*action 4x5")
    refused(fields() | {"task": torch.full((EPISODES, STEPS + 1), 99)}, "task number 99, valid: 0 to 79")
    refused([torch.zeros(3)], "holds no named tensors")
    refused({name: value.flatten(0, 1) for name, value in fields(None).items()}, "no 'episode' to split it by")
    torch.save(fields(), tmp_path / "cut.pt")
    content = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ClamError, match=r"is cut off, or not written by torch\.save"):
        open_source("tdmpc2", tmp_path / "cut.pt", ImportOptions())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClamError, match=r"no \.pt file"):
        open_source("tdmpc2", tmp_path / "empty", ImportOptions())


def test_a_tensordict_that_the_real_package_saved_is_read(tmp_path: Path) -> None:
    tensordict = pytest.importorskip("tensordict", reason="tensordict is not installed (pip install tensordict)")
    content = fields()
    torch.save(tensordict.TensorDict(content, batch_size=(EPISODES, STEPS + 1)), tmp_path / "chunk_0.pt")
    episode, _ = open_source("tdmpc2", tmp_path, ImportOptions()).read("chunk_0.pt/0")
    np.testing.assert_array_equal(episode.observations["state"], content["obs"][0].double())
