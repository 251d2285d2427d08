"""The command line `ceas`: its way in and out; the commands are in `commands`, a few lines over the library each."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NoReturn

from .commands import attention, ledger, machines, monte_carlo, runs, setup, transitions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it worked, 2 with one line on stderr for bad input, 130 after Ctrl-C."""
    parser = make_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _one_line
            options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell reports SIGPIPE
    except (ImportError, ValueError, FloatingPointError, OSError) as error:
        message = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        print(f"ceas: {' '.join(message.split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print(f"ceas: {stopped or 'interrupted; nothing was written'}", file=sys.stderr)
        return 130
    return 0


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"ceas: warning: {' '.join(str(message).split())}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser of `ceas` with all commands."""
    parser = _Parser(prog="ceas", description="Critical points of spin systems and attention heads.",
                     epilog="ceas COMMAND --help ends with an example; ceas doctor looks at this machine.")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"ceas {version('ceas-physics')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for subject in (transitions, monte_carlo, runs, attention, machines, ledger, setup):
        subject.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
