"""Fetches IWER, Meta's WebXR runtime in JavaScript, from the npm registry: it emulates a Quest 2 in any browser.

It is used for tests and measurements only, pinned by its hash, and kept inside the virtual environment. Needs `npm`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from clam_core.errors import ClamError

VERSION = "2.5.0"
SHA512 = "grq7iMyWo4s2DYnATKLPPoAByhcNuwLjMHHOILrFU9q8EGHIEzHyUuq1mz+9Xqy6+xrYPn3Ho8Z9eymZCE+D6w=="  # of the archive
MEMBER = "package/build/iwer.min.js"


def iwer_path() -> Path:
    """Where it is, or would be; environment variable CLAM_IWER names another file."""
    return Path(os.environ.get("CLAM_IWER") or Path(sys.prefix) / "share/clam" / f"iwer-{VERSION}.min.js")


def fetch_iwer() -> Path:
    """The file, fetched if it is not there.

    Raises:
        ClamError: npm is missing or fails, or what it brings is not what is pinned.
    """
    target = iwer_path()
    if target.is_file():
        return target
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"iwer@{VERSION}", "--silent", "--pack-destination", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, timeout=300)
        except FileNotFoundError as error:
            raise ClamError("iwer comes with npm, which is not installed: apt-get install npm") from error
        except (subprocess.SubprocessError, OSError) as error:
            raise ClamError(f"npm could not fetch iwer {VERSION}: {error}") from error
        archive = (Path(folder) / f"iwer-{VERSION}.tgz").read_bytes()
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != SHA512:
        raise ClamError(f"iwer {VERSION} is not what was pinned: its hash is another")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(MEMBER)
        assert member is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".new")
        temporary.write_bytes(member.read())
        temporary.replace(target)
    return target


def main() -> int:
    """Command line."""
    try:
        print(fetch_iwer())
    except ClamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
