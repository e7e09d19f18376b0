"""Write a dataset in another project's format.

Formats:
  lerobot  LeRobotDataset version 3.0; --images png keeps every pixel, video is small and loses some
  minari   Minari dataset folder (HDF5); needs a labeled dataset, images are kept as they are

State and actions are kept exactly (float32). The importer of the same format restores names, units, limits and
kind, which the format itself has no place for.

Examples:
  clam export lerobot data/expert --out exports/expert
  clam export lerobot data/expert --out exports/expert --images png --fps 30
  clam export minari data/play --out ~/.minari/datasets/clam/play-v0
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clam_core.cli.types import positive_float
from clam_core.data.exporters import EXPORTERS, export
from clam_core.data.exporting import IMAGES, ExportOptions, ExportReport

NAME = "export"
HELP = "write a dataset in another format (lerobot, minari)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam export``."""
    parser.add_argument("format", choices=tuple(EXPORTERS), help="format to write")
    parser.add_argument("dataset", type=Path, metavar="DIR", help="dataset folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR2", help="folder to make")
    parser.add_argument(
        "--images", choices=IMAGES, default="video", help="how lerobot keeps images: %(default)s, or png"
    )
    parser.add_argument(
        "--fps", type=positive_float, metavar="HZ", help="rate that lerobot is told (default: the dataset's)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam export``."""
    options = ExportOptions(images=arguments.images, fps=arguments.fps, progress=None)
    report = export(arguments.format, arguments.dataset, arguments.out.expanduser(), options)
    if arguments.json:
        print(json.dumps(_as_json(report)))
        return 0
    for note in report.notes:
        print(f"note: {note}")
    for camera, decibel in report.psnr.items():
        print(f"camera {camera}: video, PSNR {decibel:.1f} dB in the first episode (--images png loses nothing)")
    print(f"{report.path}: {report.episodes} episodes, {report.frames} frames")
    return 0


def _as_json(report: ExportReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "episodes": report.episodes,
        "frames": report.frames,
        "notes": list(report.notes),
        "psnr": {camera: None if decibel == float("inf") else decibel for camera, decibel in report.psnr.items()},
    }
