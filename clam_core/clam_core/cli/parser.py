"""An argument parser whose errors are one line that names the mend; argparse's own print the whole usage before it."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from clam_core.errors import did_you_mean

#: Argparse's words for a value outside of `choices`; from Python 3.12 on the choices have no quotes.
_CHOICE = re.compile(r"invalid choice: '(?P<value>[^']*)' \(choose from (?P<choices>.*)\)$", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Its subcommands' parsers are of this class too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, then exit with status 2."""
        found = _CHOICE.search(message)
        if found:
            choices = [choice.strip().strip("'") for choice in found["choices"].split(",")]
            mend = did_you_mean(found["value"], choices)
            message = f"{message[: found.start()]}no such choice '{found['value']}', {mend}"
        self.exit(2, f"{self.prog}: error: {message}; `{self.prog} --help` explains\n")
