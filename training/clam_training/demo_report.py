"""The demo's report: one self-contained HTML page with tables, curves and a video of rollouts."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import jinja2
import matplotlib
import numpy as np

from clam_core.deploy import load_bundle
from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_training.demo_results import LABELS

matplotlib.use("Agg")
from matplotlib import pyplot as plt

logger = logging.getLogger(__name__)
VIDEO_EPISODES, VIDEO_SIZE = 4, 240


def write_report(path: Path, out: Path, results: Mapping[str, Any]) -> None:
    """Write the page of the demo folder `out` to `path`."""
    template = jinja2.Template(
        files("clam_training").joinpath("report.html.j2").read_text(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    clam = results["methods"]["clam"]["metrics"]
    page = template.render(
        results=results,
        labels=LABELS,
        reconstruction=clam["lam/reconstruction/held_out"],
        trivial=clam["lam/reconstruction/trivial"],
        latent={
            key.removeprefix("lam/latent/").replace("_", " "): value
            for key, value in clam.items()
            if key.startswith("lam/latent/")
        },
        grounding=_grounding_rows(results),
        bars=_success_bars(results),
        curves=_learning_curves(results),
        video=_rollout_video(out),
        inspect=[name for name in ("inspect-play.html", "inspect-expert.html") if (out / name).exists()],
    )
    path.write_text(page)


def _grounding_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """R² per action dimension: CLAM and VPT, on held-out play and (a check that uses true labels) on expert data."""
    rows = []
    for name, prefix in (("clam", "lam/"), ("vpt", "idm/")):
        method = results["methods"][name]
        for source, metrics, key in (
            ("held-out play", method["metrics"], prefix + "grounding/r2/"),
            ("expert episodes", method["expert_check"], "grounding/r2/"),
        ):
            scores = {k.removeprefix(key): v for k, v in metrics.items() if k.startswith(key)}
            rows.append({"method": LABELS[name][0], "source": source, "scores": scores})
    return rows


def _success_bars(results: Mapping[str, Any]) -> str:
    methods = results["methods"]
    figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
    names = [LABELS[name][0] for name in methods]
    rates = np.array([m["success_rate"] for m in methods.values()])
    errors = np.array([[m["success_rate"] - m["low"], m["high"] - m["success_rate"]] for m in methods.values()]).T
    colours = ["#1b6e8c" if name == "clam" else "#9db4c0" for name in methods]
    axes.barh(names, rates, xerr=errors.clip(min=0), color=colours, capsize=3)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="success rate with 95 % interval")
    return _svg(figure)


def _learning_curves(results: Mapping[str, Any]) -> str:
    """Training loss and held-out error of every stage of every method."""
    stages = [
        (name, stage)
        for name, method in results["methods"].items()
        for stage in dict.fromkeys(line["name"] for line in method["curves"])
    ]
    columns = 3
    rows = -(-len(stages) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(10, 2.5 * rows), layout="constrained", squeeze=False)
    for axis in axes.flat[len(stages) :]:
        axis.set_visible(False)
    for axis, (name, stage) in zip(axes.flat, stages, strict=False):
        lines = [line for line in results["methods"][name]["curves"] if line["name"] == stage]
        for key, label in (
            ("loss", "loss"), ("reconstruction", "reconstruction"), ("action", "action loss"),
            ("held_out_loss", "held-out loss"), ("reconstruction/held_out", "held-out reconstruction"),
        ):  # fmt: skip
            points = [(line["update"], line[key]) for line in lines if key in line]
            if points:
                axis.plot(*zip(*points, strict=True), label=label, linewidth=1)
        axis.set(title=f"{LABELS[name][0]}: {stage}", yscale="log", xlabel="update")
        axis.legend(fontsize=7)
    return _svg(figure)


def _rollout_video(out: Path) -> str:
    """Replays the recorded actions of CLAM's first ROS rollouts, as a grid, base64 MP4; "" where nothing can render.

    Raises:
        ClamError: a replay does not give the rewards that came through ROS.
    """
    episodes = json.loads((out / "rollouts/clam.json").read_text())["episodes"][:VIDEO_EPISODES]
    spec = load_bundle(out / "train/clam/bundle", "cpu").spec
    env = make_env(spec.env, spec.task)
    clips = []
    try:
        for episode in episodes:
            env.reset(episode["seed"])
            frames = []
            for number, (action, reward) in enumerate(zip(episode["actions"], episode["rewards"], strict=True)):
                step = env.step(np.array(action))
                if step.reward != reward:
                    raise ClamError(f"replaying ROS rollout {episode['seed']}, reward {number} differs; run it again")
                if number % 2 == 0:
                    frames.append(env.render(height=VIDEO_SIZE, width=VIDEO_SIZE))
            clips.append(np.stack(frames))
    except ClamError as error:
        if clips or "differs" in str(error):
            raise
        logger.warning("no video in the report: %s", error)
        return ""
    finally:
        env.close()
    grid = np.concatenate(clips, axis=2)
    buffer = io.BytesIO()
    imageio.mimwrite(buffer, list(grid), format="mp4", fps=20, macro_block_size=8)  # type: ignore[call-overload]
    return base64.b64encode(buffer.getvalue()).decode()


def _svg(figure: Any) -> str:
    """The figure as inline SVG."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
