"""The ``clam`` command line: one module per command, each with NAME, HELP, add_arguments and run."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import traceback
from collections.abc import Iterable, Sequence

from clam_core import broken_pipe
from clam_core.cli.parser import Parser
from clam_core.errors import ClamError

#: Command → module of ``clam_core.cli``, in the order of the pipeline.
COMMANDS = {
    "generate": "generate",
    "import": "import_data",
    "export": "export",
    "inspect": "inspect",
    "select": "select",
    "train": "train",
    "relabel": "relabel",
    "pictures": "pictures",
    "eval": "evaluate",
    "summary": "summary",
    "bench": "bench",
    "doctor": "doctor",
}

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_PARTIAL = 0, 1, 2, 3


def build_parser(command_names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of ``clam`` with these commands; only their modules are imported."""
    parser = Parser(
        prog="clam",
        description="Learn robot policies from unlabeled demonstrations: record, import, train, evaluate.",
        epilog="Start with `clam generate --help`; the whole pipeline at once is `make demo`.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in command_names:
        module = importlib.import_module(f"clam_core.cli.{COMMANDS[name]}")
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


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments. ``key=value`` overrides may stand between the options, which argparse alone refuses."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser(words[:1] if words and words[0] in COMMANDS else COMMANDS)
    parsed, extra = parser.parse_known_args(words)
    if extra and hasattr(parsed, "overrides") and not any(text.startswith("-") for text in extra):
        parsed.overrides += extra
    elif extra:
        # Only these are wrong: `key=value` pairs may stand anywhere.
        takes_pairs = hasattr(parsed, "overrides")
        wrong = [text for text in extra if text.startswith("-")] if takes_pairs else extra
        dashed = [text.lstrip("-") for text in wrong if takes_pairs and "." in text.partition("=")[0]]
        mend = f" (write {dashed[0].partition('=')[0]}=VALUE)" if dashed else ""
        parser.error(f"unrecognized arguments: {' '.join(wrong)}{mend}")
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 only on success)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("OpenGL").setLevel(logging.WARNING)  # it reports that an optional speed-up is not installed
    parsed = parse(arguments)
    try:
        status = int(parsed.run(parsed))
        sys.stdout.flush()
        return status
    except BrokenPipeError as error:
        return broken_pipe.leave(error)
    except ClamError as error:
        if parsed.debug:
            traceback.print_exc()
        print(f"clam: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except OSError as error:
        if parsed.debug:
            traceback.print_exc()
        print(f"clam: error: {_told(error)}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("clam: interrupted", file=sys.stderr)
        return 130


def _told(error: OSError) -> str:
    """What the operating system refused, in one line."""
    why = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {why}" if error.filename else why
