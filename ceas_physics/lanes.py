"""The picture of the comparison: one lane a system on the axis beta / beta_c, one bar a size or head."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from matplotlib.transforms import blended_transform_factory

from .corridor import groups

READING_COLORS = {"head": "#2a6f97", "site": "#cc7a1e", "total": "#b8383a"}
NEAR_CRITICAL = (0.5, 2.0)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FADED = 0.3  # opacity of entries whose beta_c is not resolved
LABEL, GAP, CROWDED = 1.6, 0.6, 8  # heights in rows, and the entries from which rows get thinner
UNIT = 0.105  # inches a row
WIDE = 6.0  # inches from which the legend has columns
WORDS = {"head": "of rows of scores", "total": "over all states", "site": "by site"}


def height(table: xr.Dataset) -> float:
    """Inches that `corridors` needs."""
    return UNIT * sum(_rows(rows) for _, rows in groups(table)) + 1.15


def corridors(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Every corridor of a comparison on the axis beta / beta_c, a lane for each system and reading.

    Bars are corridors, thin ends their errors, thin lines the half-maximum band of C, diamonds the beta that a head
    runs at, the short bar at 1 the error of beta_c; shaded is beta / beta_c in [1/2, 2]. Entries whose beta_c is not
    resolved are faded; bars end at the frame.

    Parameters
    ----------
    table
        From `corridor.compare`.
    ax
        Axes to draw on; a new figure's by default.
    """
    if ax is None:
        ax = plt.subplots(figsize=(7.6, height(table)), layout="constrained")[1]
    left, right = _limits(table)
    ax.axvspan(*NEAR_CRITICAL, color="0.94", zorder=0)
    ax.axvline(1.0, color="0.3", linewidth=1.0, zorder=1)
    top = 0.0
    for name, rows in groups(table):
        _lane(ax, name, rows, top, left, right)
        top -= _rows(rows)
    ratio_axis(ax, "x", left, right)
    ax.set_yticks([])
    ax.set_ylim(top, 0.5)
    ax.set_xlabel(r"$\beta/\beta_c$")
    ax.spines[["top", "right", "left"]].set_visible(False)
    _legend(ax, table)
    return ax


def ratio_axis(ax: Axes, which: str, low: float, high: float) -> None:
    """Make the axis "x" or "y" a logarithmic one of beta / beta_c with plain numbers."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ax.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _limits(table: xr.Dataset) -> tuple[float, float]:
    """Range of beta / beta_c that shows all resolved entries, between 0.01 and 20."""
    rows = table.isel(entry=table.resolved.values)
    ends = [(rows[name] / rows.beta_c).values for name in ("beta_low", "beta_high", "band_low", "band_high")]
    shown = np.clip(np.concatenate(ends), 0.01, 20.0)
    shown = shown[np.isfinite(shown)]
    return float(min(shown.min(initial=0.5) * 0.8, 0.5)), float(max(shown.max(initial=2.0) * 1.25, 2.0))


def _pitch(rows: xr.Dataset) -> float:
    return min(1.0, CROWDED / rows.sizes["entry"])


def _rows(rows: xr.Dataset) -> float:
    return LABEL + GAP + _pitch(rows) * rows.sizes["entry"]


def _lane(ax: Axes, name: str, rows: xr.Dataset, top: float, left: float, right: float) -> None:
    pitch, count = _pitch(rows), rows.sizes["entry"]
    y = top - LABEL - pitch * np.arange(count)
    reading = str(rows.reading.values[0]).split(",")[0]
    ends = [f"{kind}_{end}" for kind in ("beta", "band") for end in ("low", "high")]
    ratio = {end: np.clip((rows[end] / rows.beta_c).values, left, right) for end in ends}
    alpha = np.where(rows.resolved.values, 1.0, FADED)
    thick = 72.0 * UNIT * pitch
    ax.hlines(y, ratio["band_low"], ratio["band_high"], colors="0.6", alpha=alpha, linewidth=min(1.0, 0.15 * thick))
    ax.hlines(y, ratio["beta_low"], ratio["beta_high"], colors=READING_COLORS[reading], alpha=alpha,
              linewidth=0.72 * thick, zorder=2)  # fmt: skip
    for end in ("low", "high"):
        middle, error = rows[f"beta_{end}"] / rows.beta_c, rows[f"beta_{end}_error"] / rows.beta_c
        first, last = (np.clip(side.values, left, right) for side in (middle - error, middle + error))
        ax.hlines(y, first, last, colors="0.15", alpha=alpha, linewidth=0.16 * thick, zorder=3)
    error = (rows.beta_c_error / rows.beta_c).values
    ax.hlines(y, np.clip(1.0 - error, left, 1.0), np.clip(1.0 + error, 1.0, right), colors="0.15", alpha=alpha,
              linewidth=0.28 * thick, zorder=3)  # fmt: skip
    in_use = (rows.beta_in_use / rows.beta_c).values
    ax.scatter(in_use, y, s=max(5.0, 16.0 * pitch), c="white", marker="D", edgecolors="0.1", linewidths=0.8, zorder=4)
    place = blended_transform_factory(ax.transAxes, ax.transData)
    title = name.split(", ")[0].replace("+-", "\u00b1").replace("1/sqrt(d_k)", "1/\u221ad$_k$")
    label = ax.annotate(title, (0.0, top - 0.4), xycoords=place, va="center", fontsize=8.5, weight="bold")
    ax.annotate(f"  {_detail(rows, reading)}", (1.0, 0.0), xycoords=label, va="bottom", fontsize=7.5, color="0.4")


def _detail(rows: xr.Dataset, reading: str) -> str:
    sizes = [str(size).replace("infinite", "\u221e") for size in rows["size"].values]
    heads = not sizes[0][0].isdigit()
    shown = f"{len(sizes)} heads" if heads else f"{'n =' if reading == 'head' else 'size'} {', '.join(sizes)}"
    return shown if reading == "head" else f"{WORDS[reading]}, {shown}"


def _legend(ax: Axes, table: xr.Dataset) -> None:
    readings = dict.fromkeys(str(value).split(",")[0] for value in table.reading.values)
    for reading in readings:
        ax.plot([], [], color=READING_COLORS[reading], linewidth=5.0, label=f"corridor {WORDS[reading]}")
    if table.beta_in_use.notnull().any():
        ax.plot([], [], "D", color="0.1", markerfacecolor="white", markersize=4.0, label=r"$\beta$ that a head runs at")
    ax.plot([], [], color="0.6", linewidth=1.0, label="half-maximum band of $C$")
    ax.plot([], [], color="0.15", linewidth=2.0, label="errors")
    if not table.resolved.values.all():
        ax.plot([], [], color="0.15", linewidth=5.0, alpha=FADED, label=r"faded: $\beta_c$ not resolved")
    figure = ax.get_figure(root=True)
    assert figure is not None
    columns = 3 if figure.get_figwidth() > WIDE else 1
    figure.legend(loc="outside lower center", ncol=columns, frameon=False, fontsize="small")
