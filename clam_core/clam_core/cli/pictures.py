"""Draw what a run has learned: reconstructions, latent actions beside the true ones, and where its networks look.

The pictures are of the episodes that training held out, from the datasets that the run's configuration names; where
those have moved, --data names them anew. index.html shows all pictures, each with a line on how to read it.

  reconstructions.png   CLAM, LAPO, LAPA: the predicted next observation beside truth and trivial copy
  latents.png           latent actions over an episode and as a plane (CLAM, LAPO, LAPA, VPT, DynaMo), decoded actions
  actions.png           bc, which has no latent actions: the policy's actions over the true ones
  attention.png         runs on images: attention over the image, or a gradient saliency of CNNs

Examples:
  clam pictures runs/clam
  clam pictures runs/clam --episode 2 --out pictures
  clam pictures runs/clam --data unlabeled=data/mixed --data labeled=data/play --data expert=data/expert
  clam pictures runs/clam --json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clam_core.deploy.device import resolve_device
from clam_core.errors import ClamError

NAME = "pictures"
HELP = "draw what a run has learned: reconstructions, latent actions, attention"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam pictures``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="run folder of `clam train`")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: RUN/pictures)")
    parser.add_argument(
        "--episode", type=int, default=0, metavar="K", help="held-out play episode to show (default: %(default)s)"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="ROLE=DIR",
        help="dataset of a role instead of the run's; again for another role, or for several of one",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print files and numbers as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam pictures``."""
    from clam_core.pictures.learned import Learned
    from clam_core.pictures.write import write_pictures  # matplotlib takes a second to import

    folder = arguments.out or arguments.run_folder / "pictures"
    learned = Learned(arguments.run_folder, resolve_device(arguments.device), _data(arguments.data))
    try:
        pictures = write_pictures(learned, folder, arguments.episode)
    except OSError as error:
        where = error.filename or folder
        raise ClamError(f"'{where}' cannot be written ({error.strerror}); give --out another folder") from error
    if arguments.json:
        facts = {picture.file.removesuffix(".png"): picture.facts for picture in pictures}
        files = [str(folder / name) for name in (*(picture.file for picture in pictures), "index.html")]
        print(json.dumps({"files": files, **facts}))
        return 0
    for picture in pictures:
        print(f"{folder / picture.file}: {picture.title}")
    print(f"all of them, with how to read them: {folder / 'index.html'}")
    return 0


def _data(texts: list[str]) -> dict[str, tuple[str, ...]]:
    """``role=dir`` → folders by role."""
    data: dict[str, tuple[str, ...]] = {}
    for text in texts:
        role, separator, path = text.partition("=")
        if not (separator and role and path):
            raise ClamError(f"--data '{text}' is not of the form ROLE=DIR, e.g. --data labeled=data/play")
        data[role] = (*data.get(role, ()), path)
    return data
