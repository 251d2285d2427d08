"""Writes a report: figures as SVG or PNG, Datasets as NetCDF, and one self-contained HTML page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import analysis
import ising

from . import look, panels
from .claims import page as claims_page
from .corridor import groups
from .findings import conclusion, contains_critical, details, held
from .folders import Contents
from .look import symbols
from .panels import NARROW, Panel
from .provenance import stamp, versions

if TYPE_CHECKING:
    from .report import Results

PAGE = "report.html"
QUESTION = "Is the entropy corridor of an attention controller near a critical point?"
PARTS = (panels.heads, panels.training)
PICTURES = (
    "corridors",
    *(f"{system}_{kind}" for system in ("square", "hyperbolic") for kind in ("specific_heat", "binder", "collapse")),
    "finite_size",
    *(f"disk_{moment}" for moment in ("early", "middle", "late")),
    *(f"heads_{run}" for run in ("untrained", "fixed", "steered")),
    *(f"{quantity}_{run}" for quantity in ("entropy", "beta") for run in ("fixed", "steered")),
    "losses",
)


def write(results: Results, folder: Path) -> None:
    """NetCDF files."""
    files: dict[str, xr.Dataset] = {
        "training_standard": results.standard,
        "training_thermostat": results.steered,
        "head_specific_heat": results.head_heat,
        "corridor": results.table,
        "disk": results.disk,
    }
    for prefix, parts in (("square_L", results.square), ("hyperbolic_54_N", results.hyperbolic)):
        files |= {f"{prefix}{part.L.item()}": part for part in parts}
    for name, data in files.items():
        stamp(data, results.seed).to_netcdf(folder / f"{name}.nc")
    results.ledger.to_netcdf(folder / "claims.nc")


def write_page(results: Results, folder: Path) -> None:
    """`report.html` with the figures in it, and each figure in a file of its own."""
    (folder / PAGE).write_text(look.document("Is the entropy corridor critical?", _body(results, folder)), "utf-8")


def _body(results: Results, folder: Path) -> str:
    sections = {
        "axis": ("One axis, every system", _comparison),
        "critical": ("Where the critical points are", _critical),
        "disk": ("An anneal on the hyperbolic disk", _disk),
        "heads": ("Heads, and the thermostat that steers them", _heads),
        "claims": ("What is claimed, and what comes out", lambda results, _: _claims(results)),
        "systems": ("Every number", lambda results, _: _systems(results)),
        "made": ("How this was made", lambda results, _: _made(results)),
    }
    links = "".join(f'<a href="#{name}">{title}</a>' for name, (title, _) in sections.items())
    answer = "".join(f"<p>{symbols(line)}</p>" for line in conclusion(results))
    parts = "".join(f'<h2 id="{name}">{title}</h2>{make(results, folder)}' for name, (title, make) in sections.items())
    return (
        f'<p class="brow">ceas-physics report</p><h1>{QUESTION}</h1><div class="answer">{answer}</div>'
        f"{_facts(results)}<nav>{links}</nav>{parts}"
    )


def _facts(results: Results) -> str:
    """Four numbers to remember."""
    counted = results.table.isel(entry=results.table.resolved.values)
    inside, heads = held(results.steered)
    tiles = [
        (f"{contains_critical(counted).sum()} of {counted.sizes['entry']}", "corridors contain beta_c"),
        (f"{inside} of {heads}", "heads end in their corridor under the thermostat"),
    ]
    for data, name, exact in (
        (results.square, "square Ising; exact", ising.exact.SQUARE_CRITICAL_BETA),
        (results.hyperbolic, "closed {5,4}; corner transfer matrices", ising.exact.ctmrg_critical_beta(5)),
    ):
        estimate = analysis.critical_beta(data)
        tiles.append((with_error(estimate.value, estimate.error), f"beta_c of {name} {exact:.5f}"))
    shown = "".join(f"<div><b>{symbols(number)}</b><span>{symbols(words)}</span></div>" for number, words in tiles)
    return f'<div class="facts">{shown}</div>'


def _figure(panel: Panel, folder: Path, kind: str = "", narrow: str = "") -> str:
    """A panel in the page, and its file in the folder."""
    picture = look.png(panel.figure()) if panel.cells else look.svg(panel.figure())
    (folder / f"{panel.name}{'.png' if panel.cells else '.svg'}").write_bytes(picture)
    image = f'<img{"" if panel.cells else " class=drawn"} src="{look.address(picture)}" alt="{escape(panel.title)}">'
    other = f'<source media="(max-width:600px)" srcset="{narrow}">' if narrow else ""
    return (
        f'<figure id="{panel.name}"{kind}><picture>{other}{image}</picture><figcaption><b>{symbols(panel.title)}.</b> '
        f"{symbols(panel.caption)}<details><summary>The lines that make it</summary><pre><code>{escape(panel.code)}"
        "</code></pre></details></figcaption></figure>"
    )


def _comparison(results: Results, folder: Path) -> str:
    panel = panels.comparison(results)
    narrow = look.address(look.svg(panel.figure(NARROW)))
    limits = results.table.attrs["corridor"].split(" in ")[1]
    return (
        f"<p>A corridor is where the entropy of a softmax lies in {escape(limits)}, n the number of its terms. "
        "Read as an interval of &beta; it can be laid beside the critical point of the same system, for a head as for "
        "a magnet: by site, where the row is a spin given its neighbours, or over all configurations.</p>"
        + _figure(panel, folder, ' class="large"', narrow)
    )


def _critical(results: Results, folder: Path) -> str:
    return (
        f"<p>{symbols('beta_c')} is measured in the same way everywhere, as the peak of C = &beta;&sup2; Var; for the "
        "sampled magnets finite-size scaling says how far that is from the infinite system.</p>"
        f'<div class="grid">{"".join(_figure(panel, folder) for panel in panels.scaling(results))}</div>'
    )


def _disk(results: Results, folder: Path) -> str:
    return (
        "<p>One machine of p-bits cools the ferromagnet on an open patch of {5,4} from high to low temperature. Cells "
        "are spins, up dark, down light; all have the same size in the hyperbolic plane.</p>"
        f'<div class="grid three">{"".join(_figure(panel, folder) for panel in panels.disks(results))}</div>'
    )


def _heads(results: Results, folder: Path) -> str:
    heats, traces = ("".join(_figure(panel, folder) for panel in make(results)) for make in PARTS)
    return (
        "<p>The transformer of this report, two layers of two heads, is trained twice on the same text: at a fixed "
        "&beta;, and under a thermostat that steers each head's entropy into the corridor.</p>"
        f'<div class="grid three">{heats}</div><div class="grid">{traces}</div>'
    )


def _claims(results: Results) -> str:
    return claims_page.ledger(results.ledger, short=True) + (
        "<p>The claims that take longer: <code>ceas claims --full --out claims.nc</code>, about an hour, then "
        "<code>ceas report --claims claims.nc</code>.</p>"
    )


def _systems(results: Results) -> str:
    points = "".join(f"<li>{symbols(line[0].upper() + line[1:])}</li>" for line in details(results))
    return (
        f"<ul>{points}</ul><p>Errors are one standard deviation. With "
        f"u = |&beta; &minus; {symbols('beta_c')}| / {symbols('beta_c')} at both ends of a corridor, &zeta; = 1 / "
        f"max(u, {results.table.attrs['u_min']}).</p>{_table(results.table)}"
    )


def _made(results: Results) -> str:
    times = "".join(f"<tr><td>{symbols(k)}</td><td>{v:.1f} s</td></tr>" for k, v in results.seconds.items())
    facts = ", ".join(f"{name} {number}" for name, number in versions().items())
    return (
        f"<p>Seed {results.seed}; {escape(facts)}. The same seed gives the same numbers. Every picture lies beside "
        "this page, every number as NetCDF.</p>"
        f"<table><thead><tr><th>stage</th><th>time</th></tr></thead><tbody>{times}</tbody></table>"
    )


def _table(table: xr.Dataset) -> str:
    names = ["system", "size", "beta_c", "corridor", "corridor / beta_c", "half-maximum band / beta_c"]
    names += ["near-critical", "beta in use / beta_c", "zeta"]
    rows = []
    for name, group in groups(table):
        for k in range(group.sizes["entry"]):
            row = {str(key): value.item() for key, value in group.isel(entry=k).data_vars.items()}
            style = "" if row["resolved"] else ' class="faded"'
            rows.append(f"<tr{style}><td>{symbols(name)}</td>{''.join(_cells(row))}</tr>")
    return look.table("systems-table", names, rows)


def _cells(row: dict[str, Any]) -> list[str]:
    """One entry in words and numbers, each with the number that it sorts by."""
    ends = [with_error(row[f"beta_{end}"], row[f"beta_{end}_error"]) for end in ("low", "high")]
    near = ("yes" if row["near_critical"] else "no") if row["resolved"] else "not resolved"
    in_use = row["beta_in_use"] / row["beta_c"]
    ratio, band = ([row[f"{kind}_{end}"] / row["beta_c"] for end in ("low", "high")] for kind in ("beta", "band"))
    return [
        f"<td>{row['size']}</td>",
        _number(row["beta_c"], with_error(row["beta_c"], row["beta_c_error"])),
        _number(row["beta_low"], " \u2026 ".join(ends)),
        _number(ratio[0], _range(*ratio)),
        _number(band[0], _range(*band)),
        f"<td>{near}</td>",
        _number(in_use, "" if np.isnan(in_use) else f"{in_use:.2f}"),
        _number(row["zeta_high"], _range(row["zeta_low"], row["zeta_high"])),
    ]


def _number(value: float, shown: str) -> str:
    return f'<td data-value="{value if np.isfinite(value) else ""}">{symbols(shown)}</td>'


def _range(low: float, high: float) -> str:
    return "" if np.isnan(low) and np.isnan(high) else f"{low:.2f} \u2026 {high:.2f}"


def with_error(value: float, error: float) -> str:
    """A number to the second digit of its error: 0.44074 +- 0.00047."""
    if not np.isfinite(error) or error <= 0.0:
        return f"{value:.4g}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 8))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


CONTENTS = Contents(
    rf"report\.html|({'|'.join(PICTURES)})\.(svg|png)|"
    r"(corridor|head_specific_heat|disk|claims|training_\w+|square_L\d+|hyperbolic_54_N\d+)\.nc",
    PAGE,
    b'<meta name="generator" content="ceas-physics">',
)
