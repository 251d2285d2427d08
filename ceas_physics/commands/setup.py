"""Commands of setting up: what is installed here and how fast it is, and completion in shells."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .options import add_command, bars
from .terminal import say

FOLDERS = ("store", "results", "gset")  # options and arguments that name a folder


def add(commands: Any) -> None:
    """`doctor`, `completion`."""
    text = (
        "What is installed, how fast this machine is, and what is missing; exit status 1 if something must be mended."
    )
    add_command(commands, "doctor", _doctor, text, json=True)
    text = (
        "Print a completion script. bash: as in the example; zsh: a file _ceas in a folder of fpath; "
        "fish: ~/.config/fish/completions/ceas.fish."
    )
    sub = add_command(commands, "completion", _completion, text, seed=False)
    sub.add_argument("shell", choices=("bash", "zsh", "fish"), help="whose script is printed")


def _doctor(options: argparse.Namespace) -> None:
    from .. import doctor

    record = doctor.examine(options.seed, bars(options))
    say(doctor.text(record), record, options)
    if record["problems"]:
        sys.exit(1)


def _completion(options: argparse.Namespace) -> None:
    import shtab

    from ..cli import make_parser

    parser = make_parser()
    _describe(parser)
    print(shtab.complete(parser, options.shell))


def _describe(parser: argparse.ArgumentParser) -> None:
    """Say which options take files, folders or names that the library checks, of this parser and of all below it."""
    import shtab

    from ising.engine import UPDATES

    from ..npu.devices import DEVICES
    from ..npu.schedules import SCHEDULES

    names = {"update": ("auto", *UPDATES), "device": tuple(DEVICES), "schedule": tuple(SCHEDULES)}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                _describe(sub)
        elif action.dest in names:
            action.choices = names[action.dest]
        elif action.type is Path or action.dest in ("model", "instance"):
            action.complete = shtab.DIRECTORY if action.dest in FOLDERS else shtab.FILE  # type: ignore[attr-defined]
