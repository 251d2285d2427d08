"""The ledger as one self-contained page: a table that sorts, and under each verdict what it rests on."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from inspect import getsource
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .. import look
from ..look import symbols
from . import plots, rules
from .entry import REGISTRY
from .ledger import POINTS
from .table import claimed, claims_only, counts, our_number, records

CLASSES = {
    rules.REPRODUCED: "yes", rules.NOT_REPRODUCED: "no", rules.INCONSISTENT: "wrong", rules.NOT_TESTABLE: "open"
}  # fmt: skip
HEADER = ("claim", "verdict", "ours (95 %)", "claimed", "why")


def html(data: xr.Dataset) -> str:
    """The page of a ledger, as from ``run`` or read back from its file."""
    versions = ", ".join(f"{name} {number}" for name, number in json.loads(data.attrs["versions"]).items())
    return look.document(
        "Claims and verdicts",
        f'<p class="brow">ceas-physics claims</p><h1>Claims, tested</h1>{ledger(data)}'
        f"<h2>How this was made</h2><p>ceas claims, seed {data.attrs['seed']}; {escape(versions)}.</p>",
    )


def ledger(data: xr.Dataset, short: bool = False) -> str:
    """The verdicts as a table that sorts, and what each rests on; ``short``: rows of claims and the rest folded."""
    rows = records(data)
    shown = claims_only(rows) if short else rows
    parts = "".join(_details(row, data, k) for k, row in enumerate(rows))
    return f"""<div class="answer"><p>{escape(counts(data))}</p></div>{_bar(rows)}
<p>A verdict comes from our number, its 95 % interval and the claimed range, by a fixed rule: reproduced if the interval
supports the range, not reproduced if they have nothing in common, inconsistent if a figure contradicts its own formula,
not testable here if data are missing or too few. Press a heading to sort; press a verdict for what it rests on.</p>
{look.table("ledger", HEADER, map(_line, shown))}
<details{"" if short else " open"}><summary>What each verdict rests on</summary>{parts}</details>"""


def _bar(rows: list[dict[str, Any]]) -> str:
    """Shares of the verdicts on claims, as `counts` counts them."""
    found = Counter(row["verdict"] for row in claims_only(rows))
    parts = "".join(
        f'<i class="{CLASSES[verdict]}" style="flex:{found[verdict]}" title="{found[verdict]} {verdict}"></i>'
        for verdict in rules.VERDICTS
    )
    return f'<div class="bar" role="img" aria-label="shares of the verdicts">{parts}</div>'


def _line(row: dict[str, Any]) -> str:
    words = "" if row["parent"] else f"<strong>{symbols(row['text'])}</strong><br>"
    cells = [
        f'<td class="{"row" if row["parent"] else "claim"}">{escape(row["claim"])}</td>',
        f'<td><a class="{CLASSES[row["verdict"]]}" href="#{_anchor(row)}">{row["verdict"]}</a></td>',
        _number("ours", row["number"], our_number(row)),
        _number("claimed", row["claimed_low"], claimed(row)),
        f'<td class="why">{words}{symbols(row["why"])}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _number(label: str, value: float | None, shown: str) -> str:
    """A cell that sorts by its value."""
    return f'<td data-label="{label}" data-value="{"" if value is None else value}">{symbols(shown)}</td>'


def _anchor(row: dict[str, Any]) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in row["claim"])


def _details(row: dict[str, Any], data: xr.Dataset, k: int) -> str:
    """Words, raw numbers, code and command of an entry, and its curve."""
    names = ("number", "number_high", "half_interval", "claimed_low", "claimed_high")
    raw = {key: row[key] for key in names if row[key] is not None}
    units = "" if row["units"] == "1" else f" {escape(row['units'])}"
    facts = {
        "verdict": f'<span class="{CLASSES[row["verdict"]]}">{row["verdict"]}</span>: {symbols(row["why"])}',
        "tested by": symbols(row["tested"]),
        "claim as a range": symbols(row["reading"]),
        "raw numbers": f"<code>{escape(json.dumps(raw))}</code>{units}" if raw else "",
        "numbers from": escape(row["evidence"]),
        "code": f"<code>{escape(row['code'])}</code>, {row['seconds']:.1f} s for the claim{_source(row)}",
        "run it again": f"<code>{escape(row['command'])}</code>",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items() if text)
    title = f"{escape(row['claim'])}: {symbols(row['text'])}"
    return f'<section id="{_anchor(row)}"><h3>{title}</h3><dl>{listed}</dl>{_picture(row, data, k)}</section>'


def _source(row: dict[str, Any]) -> str:
    """The code of the test, folded, once a claim."""
    test = REGISTRY.get(row["claim"])
    if test is None or test.code != row["code"]:
        return ""
    return f"<details><summary>Read it</summary><pre><code>{escape(getsource(test.test))}</code></pre></details>"


def _picture(row: dict[str, Any], data: xr.Dataset, k: int) -> str:
    if not row["curve_labels"]:
        return ""
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    plots.curve(data.isel(claim=k), figure.subplots())
    x, y = row["curve_labels"].split(" | ")
    curve = data[[*POINTS]].isel(claim=k).to_array().values.T
    curve = curve[np.isfinite(curve[:, 0])]
    lines = "\n".join(" ".join(f"{value:.6g}" for value in point) for point in curve)
    points = len(curve)
    words = f"{y} against {x}, {points} points; behind the verdict on {row['claim']}: {row['verdict']}"
    return (
        f'<figure><img class="drawn small" src="{look.address(look.svg(figure))}" alt="{escape(words)}">'
        f"<figcaption>{symbols(words)}<details><summary>Its numbers</summary><pre>{escape(x)}, {escape(y)}, error\n"
        f"{lines}</pre></details></figcaption></figure>"
    )
