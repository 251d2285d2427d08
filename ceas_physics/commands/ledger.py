"""The command `ceas claims`: what the documents behind this project claim, tested."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..folders import check_file, write_file
from .options import add_command, bars
from .terminal import colors, say

SUFFIXES = (".nc", ".html", ".md")


def add(commands: Any) -> None:
    """`claims`."""
    text = "Every claim tested: our number, its error and a verdict."
    sub = add_command(commands, "claims", _claims, text, json=True)
    sub.add_argument(
        "ids", nargs="*", metavar="ID", help="claims (A1) or rows of them (C2/GPT-3); all if none is named"
    )
    sub.add_argument("--full", action="store_true", help="also make the long results that are missing: about an hour")
    sub.add_argument("--results", type=Path, default=Path("ceas-results"), help="folder of long results")
    sub.add_argument("--out", type=Path, help="file: .nc (numbers), .html (page) or .md (table)")


def _claims(options: argparse.Namespace) -> None:
    from ..claims import run, table

    if options.out and options.out.suffix not in SUFFIXES:
        raise ValueError(f"--out must end in {', '.join(SUFFIXES)}, got {options.out}")
    if options.out:
        check_file(options.out)
    settings = {"full": options.full, "results": options.results, "seed": options.seed, "progress": bars(options)}
    try:
        data = run(options.ids or None, **settings)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; what was finished is kept in {options.results}") from None
    say(table.text(data, colors()), table.records(data), options)
    if options.out:
        _write(data, options.out)
        print(f"{options.out}: {data.sizes['claim']} entries", file=sys.stderr)


def _write(data: Any, out: Path) -> None:
    from ..claims.page import html
    from ..claims.table import markdown

    if out.suffix == ".nc":
        write_file(data, out)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(markdown(data) if out.suffix == ".md" else html(data), encoding="utf-8")
