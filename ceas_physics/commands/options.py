"""What commands share: how one is added, lattices and couplings by option, progress bars, and how a result is saved."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..folders import write_file
from ..provenance import stamp
from .examples import EXAMPLES
from .terminal import say

MOST_BETAS = 100_000
LATTICES = ("chain", "square", "triangular", "honeycomb", "cubic", "complete", "hyperbolic")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default to an option's help, unless it is None or False, and leaves indented lines as they are."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None or action.default is False else super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        return "\n".join(line if line.startswith("  ") else textwrap.fill(line, width) for line in lines)


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
    out: str | None = None,
    seed: bool = True,
    json: bool = False,
) -> argparse.ArgumentParser:
    """A command with its example and the options that most have: `--seed`, `--quiet`, `--out`, `--json`."""
    example = "\n".join(["For example:", *(f"  {line}" for line in EXAMPLES[name])])
    sub: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=example, formatter_class=_Help
    )
    if seed:
        sub.add_argument("--seed", type=int, default=0, help="root of all random numbers, 0 to 2^63 - 1")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")
    if out:
        sub.add_argument("--out", type=Path, default=Path(out), help="where the result goes; folders are made")
    if json:
        sub.add_argument("--json", action="store_true", help="print JSON, for another program")
    sub.set_defaults(command=run, refuse=sub.error)
    return sub


def add_lattice(sub: argparse.ArgumentParser) -> None:
    """The options that name a lattice."""
    sub.add_argument("--lattice", choices=LATTICES, default="square", help="complete has J = 1/n, others J = 1")
    sub.add_argument("--pq", type=int, nargs=2, default=(5, 4), metavar=("P", "Q"), help="of a hyperbolic lattice")


def add_one_model(sub: argparse.ArgumentParser) -> None:
    """Size and couplings of one model on that lattice."""
    sub.add_argument("--size", type=int, default=32, help="L, or the number of sites (complete, hyperbolic)")
    sub.add_argument("--glass", action="store_true", help="+-J Edwards-Anderson couplings from the seed")


def model_of(options: argparse.Namespace, size: int, glass: bool = False) -> Any:
    """The model that the options name, of this size; ValueError where there is none."""
    try:
        return _model_of(options, size, glass)
    except ValueError as error:
        raise ValueError(f"--lattice {options.lattice} --size {size}: {error}") from None


def _model_of(options: argparse.Namespace, size: int, glass: bool) -> Any:
    import ising

    if options.lattice == "hyperbolic":
        lattice = ising.closed_hyperbolic(options.pq[0], options.pq[1], n_sites=size)
    else:
        lattice = getattr(ising, options.lattice)(size)
    if glass:
        return ising.edwards_anderson(lattice, seed=options.seed)
    return ising.ferromagnet(lattice, J=1.0 / size if options.lattice == "complete" else 1.0)


def numbers(text: str) -> list[float]:
    """Betas from `0.4,0.44` or `first:last:count`."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            if not 1 <= int(count) <= MOST_BETAS:
                raise ValueError
            return np.linspace(float(first), float(last), int(count)).tolist()
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"--beta takes numbers with commas or first:last:count (1 to {MOST_BETAS}), got {text!r}"
        ) from None


def bars(options: argparse.Namespace) -> bool:
    """Whether to show progress bars: they would make a log unreadable."""
    return not options.quiet and sys.stderr.isatty()


def save(data: Any, options: argparse.Namespace, text: str = "", record: dict[str, Any] | None = None) -> None:
    """Write the Dataset, stamped, to `--out` and say what it holds, after a text or beside the values of a record."""
    write_file(stamp(data, options.seed), options.out)
    say_where(data, options.out, options, text, record)


def say_where(
    data: Any, place: Path, options: argparse.Namespace, text: str = "", record: dict[str, Any] | None = None
) -> None:
    """Where a result is and what it holds."""
    sizes = {str(name): size for name, size in data.sizes.items()}
    line = f"{place}: {', '.join(f'{name} {size}' for name, size in sizes.items())}"
    say(f"{text}\n{line}" if text else line, {"file": str(place), "sizes": sizes, **(record or {})}, options)
