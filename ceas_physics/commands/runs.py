"""Commands of stored runs: go on with one, and run a result again to see whether it comes out the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .options import add_command, bars, say_where
from .terminal import say


def add(commands: Any) -> None:
    """`resume`, `rerun`."""
    text = "Go on with a run that was stopped, from its store alone."
    sub = add_command(commands, "resume", _resume, text, seed=False, json=True)
    sub.add_argument("store", type=Path, metavar="STORE", help="folder given as --store, or as store= in Python")
    text = "Run a result again from what its file says, and say whether the numbers are equal."
    sub = add_command(commands, "rerun", _rerun, text, seed=False, json=True)
    sub.add_argument("file", type=Path, metavar="FILE", help="file of ceas sample, anneal or train, or a store")
    sub.add_argument("--text", help="of a training run on another text than Python's documentation: as for ceas train")


def _resume(options: argparse.Namespace) -> None:
    from ..stored_runs import resume

    found = resume(options.store, progress=bars(options))
    for data in found if isinstance(found, list) else [found]:
        say_where(data, data.encoding.get("source", options.store), options)


def _rerun(options: argparse.Namespace) -> None:
    from .. import texts
    from ..stored_runs import rerun

    text = texts.load(options.text) if options.text else None
    found = rerun(options.file, bars(options), text=text)
    record = {"file": str(options.file), "equal": found.equal, "different": found.different} | {
        "compared": found.compared, "versions": found.versions,
    }  # fmt: skip
    lines = [f"{name}: {then} then, {now} now" for name, (then, now) in found.versions.items()]
    if found.equal:
        lines.append(f"{options.file}: equal, bit for bit: {', '.join(found.compared)}")
    if lines or options.json:
        say("\n".join(lines), record, options)
    if not found.equal:
        counts = ", ".join(f"{count} of {name}" for name, count in found.different.items())
        raise ValueError(f"{options.file} does not come out the same: different values: {counts}")
