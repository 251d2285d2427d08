"""Writes a report: figures as PNG, Datasets as NetCDF, one self-contained HTML page, and a one-screen summary."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

import analysis
import ising
from analysis import plots

from . import figures

if TYPE_CHECKING:
    from .report import Results

PAGE = "report.html"


def write(results: Results, folder: Path) -> None:
    """Figures and NetCDF files."""
    for name, (figure, _) in FIGURES.items():
        figure(results).savefig(folder / f"{name}.png", dpi=130, facecolor="white")
    for prefix, parts in (("square_L", results.square), ("hyperbolic_54_N", results.hyperbolic)):
        for part in parts:
            part.to_netcdf(folder / f"{prefix}{part.L.item()}.nc")
    results.standard.to_netcdf(folder / "training_standard.nc")
    results.steered.to_netcdf(folder / "training_thermostat.nc")
    results.head_heat.to_netcdf(folder / "head_specific_heat.nc")
    results.table.to_netcdf(folder / "corridor.nc")


def write_page(results: Results, folder: Path) -> None:
    """`report.html`, with the figures in it."""
    from .report import versions

    pictures = "".join(
        f'<figure><img src="data:image/png;base64,{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}" '
        f'alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
        for name, (_, caption) in FIGURES.items()
    )
    times = "".join(f"<tr><td>{escape(k)}</td><td>{v:.1f} s</td></tr>" for k, v in results.seconds.items())
    facts = ", ".join(f"{name} {number}" for name, number in versions().items())
    sentences = "".join(f"<li>{escape(line)}</li>" for line in findings(results))
    (folder / PAGE).write_text(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Is the entropy corridor critical?</title>
<style>{STYLE}</style></head><body>
<h1>Is the entropy corridor of an attention controller near a critical point?</h1>
<ul>{sentences}</ul>
{pictures}
<h2>Every system</h2>
<p>beta_c of a size is the peak of the specific heat C = beta&sup2; Var, for spins and for heads alike; the corridor is
where the entropy lies {escape(results.table.attrs["corridor"].split(" in ")[1])}. Errors are one standard deviation.
u = |beta - beta_c| / beta_c; zeta = 1 / max(u, {results.table.attrs["u_min"]}).</p>
<div class="wide">{_table(results.table)}</div>
<h2>How this was made</h2>
<p>Seed {results.seed}; {escape(facts)}. The same seed gives the same numbers.</p>
<table><tr><th>stage</th><th>time</th></tr>{times}</table>
</body></html>
""",
        encoding="utf-8",
    )


def findings(results: Results) -> list[str]:
    """Sentences computed from the numbers."""
    lines = []
    for data, name, exact in (
        (results.square, "square Ising", ising.exact.SQUARE_CRITICAL_BETA),
        (results.hyperbolic, "closed hyperbolic {5,4} Ising", None),
    ):
        estimate = analysis.critical_beta(data)
        known = f" (exact {exact:.5f}, {abs(estimate.value - exact) / estimate.error:.1f} errors away)" if exact else ""
        lines.append(f"{name}: beta_c = {estimate.value:.5f} +- {estimate.error:.5f}{known}, from Binder crossings.")
    table = results.table
    for system in dict.fromkeys(table.system.values.tolist()):
        for reading in dict.fromkeys(table.reading.values[table.system.values == system].tolist()):
            rows = table.isel(entry=(table.system.values == system) & (table.reading.values == reading))
            low, high = (rows[f"beta_{end}"].values / rows.beta_c.values for end in ("low", "high"))
            inside, total = int(rows.near_critical.sum()), rows.sizes["entry"]
            lines.append(
                f"{system} ({reading}): corridor at {np.nanmin(low):.2f} to {np.nanmax(high):.2f} beta_c; "
                f"near-critical (1/2 to 2) for {inside} of {total}."
            )
    first, last = (run["validation_loss"].values[-1] for run in (results.standard, results.steered))
    lines.append(
        f"Validation loss after {int(results.standard.step[-1])} steps: {first:.3f} at 1/sqrt(d_k), {last:.3f} with "
        "the thermostat, in nats per character (one seed each: no claim about which is better)."
    )
    return lines


def summary(results: Results) -> str:
    """One screen of text."""
    total = sum(results.seconds.values())
    return "\n".join([*findings(results), f"{total:.0f} s in all, seed {results.seed}."])


def _table(table: xr.Dataset) -> str:
    names = ["system", "size", "reading", "beta_c", "beta_low", "beta_high", "u_low", "u_high", "zeta_low", "zeta_high"]
    names += ["beta_in_use", "near_critical", "method"]
    head = "".join(f'<th title="{escape(table[name].attrs["long_name"])}">{name}</th>' for name in names)
    body = ""
    for k in range(table.sizes["entry"]):
        row = table.isel(entry=k)
        body += "<tr>" + "".join(f"<td>{escape(_cell(row, name))}</td>" for name in names) + "</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(row: xr.Dataset, name: str) -> str:
    value = row[name].item()
    if name == "beta_c":
        return f"{value:.5f} ± {row['beta_c_error'].item():.5f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def _spins(data: list[xr.Dataset], exact: Callable[[int, NDArray[np.float64]], xr.Dataset] | None) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = [analysis.summarize(part) for part in data]
    merged = xr.concat(table, dim="L", coords="different", compat="equals", join="outer", combine_attrs="override")
    plots.observable(merged, "specific_heat", ax=left)
    if exact is not None:
        for part in data:
            curve = exact(part.L.item(), np.linspace(part.beta.values.min(), part.beta.values.max(), 60))
            left.plot(curve.beta, curve.specific_heat, color="0.35", linewidth=0.8, zorder=0)
    plots.binder_crossing(merged, analysis.crossings(data), ax=right)
    return figure


def _corridors(results: Results) -> Figure:
    figure = Figure(figsize=(9, 0.26 * results.table.sizes["entry"] + 1.8), layout="constrained")
    figures.corridors(results.table, figure.subplots())
    return figure


def _trend(results: Results) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    figures.finite_size_trend(results.table, figure.subplots())
    return figure


def _training(results: Results) -> Figure:
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    figures.entropy_trace(results.standard, axes[0, 0]).set_title(r"fixed $1/\sqrt{d_k}$", fontsize="medium")
    figures.entropy_trace(results.steered, axes[0, 1]).set_title("thermostat", fontsize="medium")
    figures.beta_trace(results.steered, axes[1, 1])
    figures.losses({"fixed 1/sqrt(d_k)": results.standard, "thermostat": results.steered}, axes[1, 0])
    return figure


def _heads(results: Results) -> Figure:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for ax, run in zip(figure.subplots(1, results.head_heat.sizes["run"], sharey=True), results.head_heat):
        figures.head_heat(run, ax).set_title(str(run["run"].values).replace("1/sqrt(d_k)", r"$1/\sqrt{d_k}$"))
    return figure


FIGURES: dict[str, tuple[Callable[[Results], Figure], str]] = {
    "corridors": (
        _corridors,
        "Where the entropy corridor lies relative to the critical point. Bars are corridors, thin lines the "
        "half-maximum band of C, diamonds the beta a head ran at; shaded: beta / beta_c between 1/2 and 2.",
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
        "Entropy of every head with its corridor, validation loss, and beta / beta_c under the thermostat.",
    ),
}

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.25}figure{margin:1.5rem 0}
img{width:100%;height:auto;background:#fff;border-radius:4px}
figcaption{font-size:.9rem;opacity:.8}table{border-collapse:collapse;font-size:.82rem}
th,td{padding:.2rem .55rem;text-align:left;border-bottom:1px solid #8884;white-space:nowrap}
.wide{overflow-x:auto}
"""
