"""Writes a report: figures as PNG, Datasets as NetCDF, and one self-contained HTML page."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

import analysis
import ising
from analysis import plots

from . import figures
from .findings import conclusion, details, groups
from .folders import Contents
from .provenance import stamp, versions

if TYPE_CHECKING:
    from .report import Results

PAGE = "report.html"
SYMBOLS = {
    r"beta_c": "\u03b2<sub>c</sub>",
    r"\bbeta\b": "\u03b2",
    r" ?\+- ?": " \u00b1 ",
    r"1/sqrt\(d_k\)": "1/\u221ad<sub>k</sub>",
}


def write(results: Results, folder: Path) -> None:
    """Figures and NetCDF files."""
    for name, (figure, _) in FIGURES.items():
        figure(results).savefig(folder / f"{name}.png", dpi=130, facecolor="white")
    files: dict[str, xr.Dataset] = {
        "training_standard": results.standard,
        "training_thermostat": results.steered,
        "head_specific_heat": results.head_heat.to_dataset(),
        "corridor": results.table,
    }
    for prefix, parts in (("square_L", results.square), ("hyperbolic_54_N", results.hyperbolic)):
        files |= {f"{prefix}{part.L.item()}": part for part in parts}
    for name, data in files.items():
        stamp(data, results.seed).to_netcdf(folder / f"{name}.nc")


def write_page(results: Results, folder: Path) -> None:
    """`report.html`, with the figures in it."""
    pictures = "".join(
        f'<figure><div class="wide"><img src="data:image/png;base64,'
        f'{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}" alt="{escape(caption)}"></div>'
        f"<figcaption>{symbols(caption)}</figcaption></figure>"
        for name, (_, caption) in FIGURES.items()
    )
    times = "".join(f"<tr><td>{symbols(k)}</td><td>{v:.1f} s</td></tr>" for k, v in results.seconds.items())
    facts = ", ".join(f"{name} {number}" for name, number in versions().items())
    answer, *more = (f"<p>{symbols(line)}</p>" for line in conclusion(results))
    points = "".join(f"<li>{symbols(line)}</li>" for line in details(results))
    limits = results.table.attrs["corridor"].split(" in ")[1]
    (folder / PAGE).write_text(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="generator" content="ceas-physics">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Is the entropy corridor critical?</title>
<style>{STYLE}</style></head><body>
<h1>Is the entropy corridor of an attention controller near a critical point?</h1>
<div class="answer">{answer}</div>{"".join(more)}
<ul>{points}</ul>
{pictures}
<h2>Every system</h2>
<p>{symbols("beta_c")} of a size is the peak of the specific heat C = &beta;&sup2; Var, for spins and for heads alike
(size infinite: from the Binder cumulant); the corridor is where the entropy lies in {escape(limits)}.
Errors are one standard deviation. With u = |&beta; &minus; {symbols("beta_c")}| / {symbols("beta_c")} at both ends,
&zeta; = 1 / max(u, {results.table.attrs["u_min"]}).</p>
<div class="wide">{_table(results.table)}</div>
<h2>How this was made</h2>
<p>Seed {results.seed}; {escape(facts)}. The same seed gives the same numbers.</p>
<table><tr><th>stage</th><th>time</th></tr>{times}</table>
</body></html>
""",
        encoding="utf-8",
    )


def symbols(text: str) -> str:
    """HTML of a sentence written in plain letters."""
    text = escape(text)
    for pattern, symbol in SYMBOLS.items():
        text = re.sub(pattern, symbol, text)
    return text


def _table(table: xr.Dataset) -> str:
    names = ["size", "beta_c", "corridor", "corridor / beta_c", "half-maximum band / beta_c", "near-critical"]
    names += ["beta in use / beta_c", "zeta"]
    head = "".join(f"<th>{symbols(name).replace('zeta', '&zeta;')}</th>" for name in names)
    body = ""
    for name, rows in groups(table):
        body += f'<tr><th colspan="{len(names)}">{symbols(name)}</th></tr>'
        for k in range(rows.sizes["entry"]):
            row = {str(key): value.item() for key, value in rows.isel(entry=k).data_vars.items()}
            style = "" if row["resolved"] else ' class="faded"'
            body += f"<tr{style}>" + "".join(f"<td>{symbols(cell)}</td>" for cell in _cells(row)) + "</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: dict[str, Any]) -> list[str]:
    """One entry in words and numbers."""
    ends = [with_error(row[f"beta_{end}"], row[f"beta_{end}_error"]) for end in ("low", "high")]
    near = ("yes" if row["near_critical"] else "no") if row["resolved"] else "not resolved"
    in_use = row["beta_in_use"] / row["beta_c"]
    return [
        row["size"],
        with_error(row["beta_c"], row["beta_c_error"]),
        " \u2026 ".join(ends),
        _range(*(row[f"beta_{end}"] / row["beta_c"] for end in ("low", "high"))),
        _range(*(row[f"band_{end}"] / row["beta_c"] for end in ("low", "high"))),
        near,
        "" if np.isnan(in_use) else f"{in_use:.2f}",
        _range(*(row[f"zeta_{end}"] for end in ("low", "high"))),
    ]


def _range(low: float, high: float) -> str:
    return "" if np.isnan(low) and np.isnan(high) else f"{low:.2f} \u2026 {high:.2f}"


def with_error(value: float, error: float) -> str:
    """A number to the second digit of its error: 0.44074 +- 0.00047."""
    if not np.isfinite(error) or error <= 0.0:
        return f"{value:.4g}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 8))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def _spins(data: list[xr.Dataset], exact: Callable[[int, NDArray[np.float64]], xr.Dataset] | None) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = [analysis.summarize(part) for part in data]
    merged = xr.concat(table, dim="L", coords="different", compat="equals", join="outer", combine_attrs="override")
    plots.observable(merged, "specific_heat", ax=left)
    if exact is not None:
        for part in data:
            curve = exact(part.L.item(), np.linspace(part.beta.values.min(), part.beta.values.max(), 150))
            left.plot(curve.beta, curve.specific_heat, color="0.35", linewidth=0.8, zorder=0)
    crossings = analysis.crossings(data)
    plots.binder_crossing(merged, crossings, ax=right)
    centre, reach = crossings.beta_cross.values[-1], 0.12 * float(np.ptp(merged.beta.values))
    right.set_xlim(centre - reach, centre + reach)
    return figure


def _corridors(results: Results) -> Figure:
    figure = Figure(figsize=(9, 0.26 * results.table.sizes["entry"] + 1.8), layout="constrained")
    figures.corridors(results.table, figure.subplots())
    return figure


def _trend(results: Results) -> Figure:
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    figures.finite_size_trend(results.table, figure.subplots())
    return figure


def _training(results: Results) -> Figure:
    figure = Figure(figsize=(10, 9), layout="constrained")
    axes = figure.subplot_mosaic([["H fixed", "H steered"], ["beta fixed", "beta steered"], ["loss", "loss"]])
    for column, title, run in (
        ("fixed", r"fixed $\beta = 1/\sqrt{d_k}$", results.standard),
        ("steered", "thermostat", results.steered),
    ):
        figures.entropy_trace(run, axes[f"H {column}"]).set_title(title, fontsize="medium")
        figures.beta_trace(run, axes[f"beta {column}"])
    axes["H steered"].sharey(axes["H fixed"])
    axes["beta steered"].sharey(axes["beta fixed"])
    figures.losses({"fixed 1/sqrt(d_k)": results.standard, "thermostat": results.steered}, axes["loss"])
    handles, labels = axes["H fixed"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncol=len(labels), frameon=False, fontsize="small")
    return figure


def _heads(results: Results) -> Figure:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots(1, results.head_heat.sizes["run"], sharey=True)
    for ax, run in zip(axes, results.head_heat):
        title = str(run["run"].values).replace("1/sqrt(d_k)", r"$1/\sqrt{d_k}$")
        figures.head_heat(run, ax).set_title(title, fontsize="medium")
        ax.label_outer()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncol=len(labels), frameon=False, fontsize="small")
    return figure


FIGURES: dict[str, tuple[Callable[[Results], Figure], str]] = {
    "corridors": (
        _corridors,
        "Where the entropy corridor lies relative to the critical point. Bars are corridors, thin lines the "
        "half-maximum band of C, diamonds the beta a head ran at, dark bars the error of beta_c; shaded: beta / beta_c "
        "between 1/2 and 2.",
    ),
    "finite_size": (
        _trend,
        "Finite-size trend: the pseudo-critical beta of each size (peak of the specific heat) in units of the infinite "
        "system's.",
    ),
    "square": (
        lambda results: _spins(results.square, ising.exact.kaufman),
        "Square Ising lattice: specific heat with the exact curves of Kaufman (grey), and Binder crossings.",
    ),
    "hyperbolic": (
        lambda results: _spins(results.hyperbolic, None),
        "Ising model on closed {5,4} hyperbolic surfaces: specific heat and Binder crossings.",
    ),
    "heads": (
        _heads,
        "Specific heat of the transformer's heads against beta / beta_c, before and after training.",
    ),
    "training": (
        _training,
        "Entropy of every head with its corridor, beta / beta_c (triangles: beta on a bound of the thermostat), and "
        "the validation loss, at a fixed beta and under the thermostat.",
    ),
}

CONTENTS = Contents(
    rf"report\.html|({'|'.join(FIGURES)})\.png|(corridor|head_specific_heat|training_\w+|square_L\d+|hyperbolic_54_N\d+)\.nc",
    PAGE,
    b'<meta name="generator" content="ceas-physics">',
)

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:66rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.25}.answer{font-size:1.15rem;border-left:4px solid #2a6f97;padding-left:.8rem}
ul{padding-left:1.2rem;font-size:.95rem}figure{margin:1.5rem 0}.wide{overflow-x:auto}
img{width:100%;height:auto;background:#fff;border-radius:4px}
figcaption{font-size:.9rem;opacity:.8}table{border-collapse:collapse;font-size:.82rem}
th,td{padding:.2rem .55rem;text-align:left;border-bottom:1px solid #8884;white-space:nowrap}
tbody th{padding-top:.7rem}.faded{opacity:.5}
@media (max-width:760px){.wide img{width:46rem}}
"""
