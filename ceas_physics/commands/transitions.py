"""Commands of critical points: the report, hyperbolic lattices, and the literature."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..folders import check_file, write_between
from .options import add_command, bars
from .terminal import say, show


def add(commands: Any) -> None:
    """`report`, `hyperbolic`, `literature`."""
    text = "The main job: every corridor against its critical point."
    sub = add_command(commands, "report", _report, text, "ceas-report")
    sub.add_argument("--quick", action="store_true", help="a half-minute version: smaller sizes, shorter training")
    sub.add_argument("--claims", type=Path, metavar="FILE", help="show this ledger: ceas claims --full --out FILE.nc")
    text = "Transitions of hyperbolic lattices: closed maps, open patches, the proposed formula (about 20 minutes)."
    sub = add_command(commands, "hyperbolic", _hyperbolic, text, "ceas-hyperbolic")
    sub.add_argument("--quick", action="store_true", help="a 2-minute version: 3 tilings, small maps, large errors")
    text = "Critical points against published values (20 minutes); exit status 1 if one is missed."
    sub = add_command(commands, "literature", _literature, text, json=True)
    sub.add_argument("--quick", action="store_true", help="a 20-second version, which misses the errors asked for")
    sub.add_argument("--out", type=Path, help="Markdown file; one with literature marks keeps its other text")


def _report(options: argparse.Namespace) -> None:
    from .. import findings, page
    from ..report import report

    results = report(options.out, options.quick, options.seed, not options.quiet, options.claims)
    show(findings.summary(results))
    print(f"The page: {options.out / page.PAGE}")


def _hyperbolic(options: argparse.Namespace) -> None:
    from ..transitions import hyperbolic

    plan = hyperbolic.QUICK if options.quick else hyperbolic.Plan()
    show(hyperbolic.run(options.out, plan, options.seed, bars(options)))
    print(f"Tables and pictures: {options.out}")


def _literature(options: argparse.Namespace) -> None:
    from ..transitions import literature

    if options.out:
        check_file(options.out)
    plan = literature.QUICK if options.quick else literature.FULL
    result = literature.compare(plan, options.seed, bars(options))
    rows = [asdict(row) | {"met": row.met} for row in result.rows]
    say(result.markdown(), {"rows": rows, "notes": result.notes}, options)
    if options.out:
        write_between(result.markdown(), options.out, literature.MARKS)
    if result.missed:
        sys.exit(f"ceas: not within two errors or the error asked for: {'; '.join(result.missed)}")
