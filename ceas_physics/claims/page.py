"""The ledger as one self-contained page: a table that sorts, and under each verdict what it rests on."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..page import STYLE, symbols
from . import plots, rules
from .table import claimed, counts, our_number, records

CLASSES = {
    rules.REPRODUCED: "yes", rules.NOT_REPRODUCED: "no", rules.INCONSISTENT: "wrong", rules.NOT_TESTABLE: "open"
}  # fmt: skip
HEADER = ("claim", "verdict", "ours (95 %)", "claimed", "why")


def html(data: xr.Dataset) -> str:
    """The page of a ledger, as from ``run`` or read back from its file."""
    rows = records(data)
    table = "".join(_line(row) for row in rows)
    details = "".join(_details(row, data, k) for k, row in enumerate(rows))
    head = "".join(f'<th aria-sort="none"><button type="button">{escape(name)}</button></th>' for name in HEADER)
    versions = ", ".join(f"{name} {number}" for name, number in json.loads(data.attrs["versions"]).items())
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="generator" content="ceas-physics">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Claims and verdicts</title>
<link rel="icon" href="data:,"><style>{STYLE}{OWN_STYLE}</style></head><body>
<h1>Claims, tested</h1>
<div class="answer"><p>{escape(counts(data))}</p></div>
<p>A verdict comes from our number, its 95 % interval and the claimed range, by a fixed rule: reproduced if the interval
supports the range, not reproduced if they have nothing in common, inconsistent if a figure contradicts its own formula,
not testable here if data are missing or too few. Press a heading to sort; press a verdict for what it rests on.</p>
<div class="wide"><table id="ledger"><thead><tr>{head}</tr></thead><tbody>{table}</tbody></table></div>
<h2>What each verdict rests on</h2>{details}
<h2>How this was made</h2><p>ceas claims, seed {data.attrs["seed"]}; {escape(versions)}.</p>
<script>{SCRIPT}</script></body></html>
"""


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
        "code": f"<code>{escape(row['code'])}</code>, {row['seconds']:.1f} s for the claim",
        "run it again": f"<code>{escape(row['command'])}</code>",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items() if text)
    title = f"{escape(row['claim'])}: {symbols(row['text'])}"
    return f'<section id="{_anchor(row)}"><h3>{title}</h3><dl>{listed}</dl>{_picture(row, data, k)}</section>'


def _picture(row: dict[str, Any], data: xr.Dataset, k: int) -> str:
    if not row["curve_labels"]:
        return ""
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    plots.curve(data.isel(claim=k), figure.subplots())
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, facecolor="white")
    picture = base64.b64encode(stream.getvalue()).decode()
    x, y = row["curve_labels"].split(" | ")
    points = int(np.isfinite(data.curve_x.isel(claim=k)).sum())
    words = f"{y} against {x}, {points} points; behind the verdict on {row['claim']}: {row['verdict']}"
    return (
        f'<figure><img class="small" src="data:image/png;base64,{picture}" alt="{escape(words)}">'
        f"<figcaption>{symbols(words)}</figcaption></figure>"
    )


OWN_STYLE = """
td.why{white-space:normal;min-width:20rem}td{vertical-align:top}td.row{padding-left:1.4rem}td.claim{font-weight:600}
th button{font:inherit;font-weight:600;background:none;border:0;padding:0;color:inherit;cursor:pointer}
th[aria-sort=ascending] button::after{content:" \\2191"}th[aria-sort=descending] button::after{content:" \\2193"}
a.yes,a.no,a.wrong,a.open{font-weight:600}.yes{color:light-dark(#18723a,#6fd08c)}.no{color:light-dark(#b3261e,#ff8a80)}
.wrong{color:light-dark(#7b2fa0,#d49bf0)}.open{color:light-dark(#7a5c00,#e0c060)}
section{border-top:1px solid #8884;padding-top:.3rem}section:target{outline:2px solid #2a6f97;outline-offset:.4rem}
h3{font-size:1rem;margin:.6rem 0}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;font-size:.88rem}
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}img.small{max-width:36rem}
@media (max-width:760px){#ledger,#ledger tbody,#ledger tr,#ledger td{display:block;border:0;white-space:normal}
#ledger thead tr{display:flex;flex-wrap:wrap}#ledger th{border:0}
#ledger tr{border-bottom:1px solid #8884;padding:.4rem 0}
#ledger td{padding:.1rem .55rem;min-width:0}#ledger td.row{padding-left:.55rem}
#ledger td[data-label]::before{content:attr(data-label) ": ";opacity:.7}
dl{grid-template-columns:1fr}dt{margin-top:.3rem}}
@media print{section{break-inside:avoid}.wide{overflow:visible}td.why{min-width:0}}
"""

SCRIPT = """
const table=document.getElementById("ledger"),heads=[...table.tHead.rows[0].cells];
heads.forEach((head,k)=>head.firstChild.addEventListener("click",()=>{
 const up=head.getAttribute("aria-sort")!=="ascending";
 heads.forEach(other=>other.setAttribute("aria-sort","none"));
 head.setAttribute("aria-sort",up?"ascending":"descending");
 const key=row=>{const cell=row.cells[k],v=cell.dataset.value;return v===undefined?cell.textContent:v===""?null:+v};
 const rows=[...table.tBodies[0].rows].sort((a,b)=>{const x=key(a),y=key(b);
  if(x===null||y===null)return (x===null)-(y===null);
  const order=typeof x==="number"?x-y:x.localeCompare(y,"en",{numeric:true});return up?order:-order});
 table.tBodies[0].append(...rows)}));
"""
