"""What commands print: text for people, with tables aligned on a terminal, or one JSON value for programs."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from typing import Any

import numpy as np


def say(text: str, record: Any, options: argparse.Namespace) -> None:
    """Print the text or, with `--json`, the record."""
    if options.json:
        print(json.dumps(_plain(record), indent=1, allow_nan=False))
    else:
        show(text)


def _plain(value: Any) -> Any:
    """What JSON can say: numpy numbers as Python's, infinite ones and nan as null."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show(text: str) -> None:
    """Print text; on a terminal the columns of its Markdown tables are aligned."""
    print(aligned(text) if sys.stdout.isatty() else text)


def colors() -> bool:
    """Whether standard output is a terminal whose user wants colours: `NO_COLOR` is empty or unset."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def aligned(text: str) -> str:
    r"""Pad the cells of every Markdown table.

    Examples
    --------
    >>> print(aligned("| L | beta_c |\n|---|---|\n| 8 | 0.44 |"))
    | L | beta_c |
    | - | ------ |
    | 8 | 0.44   |
    """
    return re.sub(r"(?:^\|.*\|[ ]*$\n?)+", lambda table: _aligned_table(table.group()), text, flags=re.MULTILINE)


def _aligned_table(table: str) -> str:
    rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in table.splitlines()]
    widths = [max(map(len, column)) for column in zip(*(row for row in rows if not _is_rule(row)))]
    lines = ["| " + " | ".join(_padded(row, widths)) + " |" for row in rows]
    return "\n".join(lines) + ("\n" if table.endswith("\n") else "")


def _is_rule(row: list[str]) -> bool:
    return all(re.fullmatch(":?-+:?", cell) for cell in row)


def _padded(row: list[str], widths: list[int]) -> list[str]:
    if _is_rule(row):
        return ["-" * width for width in widths]
    return [cell.ljust(width) for cell, width in zip(row, widths)]
