"""`python -m reports COMMAND`: what can be done with a run after it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from lab.errors import LabError
from reports.certificate.refusal import Mistake
from reports.cli import bundle, challenge, compare, history, sign, summary, verify
from reports.cli.common import say

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED: Final = 1
INTERRUPTED: Final = 2
USAGE: Final = 4
_COMMANDS: Final = (sign, verify, bundle, challenge, compare, summary, history)


class _Parser(argparse.ArgumentParser):
    """Ends with the exit code that ./run has for a mistake in the arguments."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.format_usage()}{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; returns the exit code."""
    parser = _Parser(prog="python -m reports", description="What can be done with a run after it.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for command in _COMMANDS:
        command.add(commands)
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as end:  # a mistake in the arguments, or --help
        return int(end.code or 0)
    try:
        code = int(chosen.carry_out(chosen))
        sys.stdout.flush()
    except Mistake as mistake:
        say(f"{mistake}", sys.stderr)
        return USAGE
    except LabError as refusal:
        say(f"{refusal}", sys.stderr)
        return REFUSED
    except BrokenPipeError:
        # Who read, such as `head`, has seen enough; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except KeyboardInterrupt:
        say("interrupted", sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
