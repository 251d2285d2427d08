"""What the pictures have in common: new axes, colours and labels of sizes, grids."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from .arguments import LARGEST, as_table, refuse

P = ParamSpec("P")
T = TypeVar("T")

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


def picture(**sources: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Check the tables of a picture, named with the function each comes from; what cannot be drawn names its table.

    A table may have lost anything on its way (a dimension, an attribute, all of its entries), and matplotlib and
    xarray then raise errors of many kinds that say nothing of it: they become the cause of a ValueError.
    """

    def decorated(draw: Callable[P, T]) -> Callable[P, T]:
        @wraps(draw)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature(draw).bind(*args, **kwargs).arguments
            for name, source in sources.items():
                if name in given and given[name] is not None:
                    _check_values(name, as_table(name, given[name], source))
            check_axes(given.get("ax"))
            if not isinstance(given.get("quantity", ""), str):
                refuse("quantity", "a name", given["quantity"])
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of matplotlib, about logarithmic axes of a table without values
                    return draw(*args, **kwargs)
            except (KeyError, IndexError, AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
                if isinstance(error, ValueError) and any(name in str(error) for name in given):
                    raise
                where = " and ".join(f"{name} of {source}" for name, source in sources.items() if name in given)
                quantity = f" with quantity {given['quantity']!r}" if "quantity" in given else ""
                raise ValueError(f"cannot draw {where}{quantity}: it lacks what is drawn ({error!r})") from error

        return checked

    return decorated


def check_axes(ax: Axes | None) -> None:
    """Axes or None."""
    if not isinstance(ax, Axes | None):
        refuse("ax", "a matplotlib Axes or None", ax)


def _check_values(name: str, table: xr.Dataset) -> None:
    """Real numbers, and none too large to be drawn; NaN is a gap."""
    for key, variable in table.variables.items():
        if variable.dtype.kind in "cOM" and not isinstance(variable.values.flat[0] if variable.size else "", str):
            raise ValueError(f"{name} must hold real numbers, got {key} of dtype {variable.dtype}")
        if variable.size == 0:
            raise ValueError(f"{name} must not be empty, got {key} of shape {variable.shape}")
        if variable.dtype.kind == "f" and (np.abs(variable.values) > LARGEST).any():
            raise ValueError(f"{name} must hold numbers of at most {LARGEST:g} in size, got {key} beyond")
