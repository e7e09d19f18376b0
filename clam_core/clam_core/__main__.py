"""``python -m clam_core`` is the ``clam`` command."""

from __future__ import annotations

import sys

from clam_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
