"""What the pictures have in common: new axes, colours and labels of sizes, grids."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

CROSSING = "#d1495b"
BETA = r"inverse temperature  $\beta$  [$1/J$]"
LINE: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.2, "elinewidth": 1.0, "capsize": 2.0}
POINTS: dict[str, Any] = LINE | {"linestyle": "none"}
UPDATES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")  # of Okabe and Ito, told apart by the colour-blind
MARKERS = ("o", "s", "^", "D", "v")
SMALL: dict[str, Any] = {"frameon": False, "fontsize": "small"}


def new_axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    return plt.subplots(figsize=(6.0, 4.2), layout="constrained")[1] if ax is None else ax


def by_size(table: xr.Dataset) -> list[xr.Dataset]:
    """One table per size, in order of size."""
    if "L" not in table.dims:
        return [table]
    table = table.sortby("n_sites")
    return [table.isel(L=i) for i in range(table.sizes["L"])]


def size_label(size: xr.Dataset) -> str:
    """Size for the legend: L, the number of sites, or the label of a graph with its number of sites."""
    if "L" not in size.coords:
        return f"N = {size['n_sites'].item()}"
    return label_of(size["L"].item(), size["n_sites"].item())


def label_of(label: Any, n_sites: int) -> str:
    """As `size_label`, of a value of L and a number of sites."""
    if label == n_sites:
        return f"N = {n_sites}"
    return f"{label} (N = {n_sites})" if isinstance(label, str) else f"L = {label:g}"


def colors(n: int) -> list[tuple[float, ...]]:
    """Colours in order of size, dark to light, without viridis' pale end: (n, RGBA)."""
    return [tuple(color) for color in mpl.colormaps["viridis"](np.linspace(0.0, 0.85, n))]


def tidy(ax: Axes) -> Axes:
    """Light grid, no box."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    return ax


def logarithmic_in_size(ax: Axes, length: Any) -> None:
    """Logarithmic axis of L with the sizes as ticks."""
    ax.set_xscale("log")
    ax.set_xticks(np.unique(np.round(length, 2)))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(r"$L$")
