"""The ledger as text: aligned for the terminal, and as Markdown."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import xarray as xr

from . import rules
from .entry import in_words, with_half

COLORS = {rules.REPRODUCED: 32, rules.NOT_REPRODUCED: 31, rules.INCONSISTENT: 35, rules.NOT_TESTABLE: 33}


def records(data: xr.Dataset) -> list[dict[str, Any]]:
    """One dict of plain values a claim; numbers that are not finite are None."""
    flat = data.drop_dims("point").to_dataframe().reset_index().to_dict("records")
    return [{key: _plain(value) for key, value in record.items()} for record in flat]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def our_number(row: dict[str, Any]) -> str:
    """Number with half of its 95 % interval, or a range."""
    number, half, high = row["number"], row["half_interval"], row["number_high"]
    if number is None:
        return "-"
    if high is not None:
        return f"{number:.5g} to {high:.5g}"
    return with_half(number, math.nan if half is None else half)


def claimed(row: dict[str, Any]) -> str:
    """The claimed range, short."""
    low, high = row["claimed_low"], row["claimed_high"]
    if low is None and high is None:
        return "-"
    words = in_words(-math.inf if low is None else low, math.inf if high is None else high)
    return words.replace("at least ", ">= ").replace("at most ", "<= ")


def text(data: xr.Dataset, colors: bool = False) -> str:
    """The aligned table, with a count of the verdicts; ``colors`` for a terminal that shows them."""
    rows = records(data)
    cells = [[row["claim"], row["verdict"], our_number(row), claimed(row), row["why"]] for row in rows]
    header = ["claim", "verdict", "ours (95 %)", "claimed", "why"]
    widths = [max(len(line[k]) for line in [header, *cells]) for k in range(len(header) - 1)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(header, widths)), header[-1]])]
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths)]
        if colors:
            padded[1] = f"\x1b[{COLORS[line[1]]}m{padded[1]}\x1b[0m"
        lines.append("  ".join([*padded, line[-1]]))
    return "\n".join([*lines, "", counts(data)])


def counts(data: xr.Dataset) -> str:
    """How many claims have which verdict; rows are not counted beside their claim."""
    found = Counter(row["verdict"] for row in claims_only(records(data)))
    parts = ", ".join(f"{found[verdict]} {verdict}" for verdict in rules.VERDICTS)
    return f"{sum(found.values())} claims: {parts}."


def claims_only(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are claims, or whose claim is not there."""
    names = {row["claim"] for row in rows}
    return [row for row in rows if row["parent"] not in names]


def markdown(data: xr.Dataset) -> str:
    """The same table as Markdown, with what reruns each."""
    header = ["claim", "verdict", "ours (95 %)", "claimed", "why", "code", "command"]
    body = [
        [
            row["claim"],
            row["verdict"],
            our_number(row),
            claimed(row),
            row["why"],
            f"`{row['code']}`",
            f"`{row['command']}`",
        ]
        for row in records(data)
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *body)]
    return "\n".join(["# Claims\n", counts(data), "", *lines]) + "\n"
