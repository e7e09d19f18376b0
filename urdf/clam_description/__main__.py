"""Print a description as URDF.

Examples:
  clam_urdf workcell > workcell.urdf
  clam_urdf workcell prefix:=left_ external_xyz:="0.8 -0.5 0.4"
  ros2 run clam_description clam_urdf wx250s
  python -m clam_description wx250s
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from clam_description.expand import arguments, names, urdf


def main(command_line: Sequence[str] | None = None) -> int:
    """Console script `clam_urdf`; returns 0, or 1 after one line that names the error."""
    listed = "\n".join(f"  {name}: {', '.join(arguments(name))}" for name in names())
    parser = argparse.ArgumentParser(
        prog="clam_urdf",
        description=__doc__,
        epilog=f"descriptions and their arguments:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", default="wx250s", help="description, see below (default: wx250s)")
    parser.add_argument("arguments", nargs="*", metavar="key:=value", help="arguments of the description, see below")
    parsed = parser.parse_args(command_line)
    try:
        sys.stdout.write(urdf(parsed.name, **_split(parsed.arguments)))
    except ValueError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def _split(texts: Sequence[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, separator, value = text.partition(":=")
        if not separator:
            raise ValueError(f"'{text}' is not of the form key:=value, e.g. prefix:=left_")
        values[name] = value
    return values


if __name__ == "__main__":
    sys.exit(main())
