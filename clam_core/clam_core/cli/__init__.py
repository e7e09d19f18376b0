"""The ``clam`` command line: one module per command, each with NAME, HELP, add_arguments and run."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import traceback
from collections.abc import Sequence

from clam_core.errors import ClamError

#: Modules of ``clam_core.cli``, in the order of the pipeline.
COMMANDS = ("generate", "import_data", "inspect", "train", "relabel", "evaluate")

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_PARTIAL = 0, 1, 2, 3


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``clam`` with all commands."""
    parser = argparse.ArgumentParser(
        prog="clam",
        description="Learn robot policies from unlabeled demonstrations: record, import, train, evaluate.",
        epilog="Start with `clam generate --help`; the whole pipeline at once is `make demo`.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"clam_core.cli.{name}")
        command = commands.add_parser(
            module.NAME,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 only on success)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    parsed = build_parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except ClamError as error:
        if parsed.debug:
            traceback.print_exc()
        print(f"clam: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("clam: interrupted", file=sys.stderr)
        return 130
