"""Finite-size scaling of one system in three pictures; each takes the data of all sizes and returns the Axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

import analysis
from analysis import plots

REACH = 2.0  # |beta / beta_c - 1| sqrt(N) of the points of a collapse
ZOOM = 0.12  # half the width of the picture of the crossings over that of the data


def specific_heats(
    data: list[xr.Dataset],
    exact: Callable[[int, NDArray[np.float64]], xr.Dataset] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Specific heat against beta, a colour a size, with the exact curves ``exact(L, beta)`` beneath."""
    ax = plots.observable(_table(data), "specific_heat", ax)
    if exact is None:
        return ax
    for part in data:
        curve = exact(part.L.item(), np.linspace(part.beta.values.min(), part.beta.values.max(), 150))
        ax.plot(curve.beta, curve.specific_heat, color="0.35", linewidth=0.8, zorder=0)
    return ax


def binder_crossings(data: list[xr.Dataset], ax: Axes | None = None) -> Axes:
    """Binder cumulant near the crossings of neighbouring sizes."""
    table, crossings = _table(data), analysis.crossings(data)
    ax = plots.binder_crossing(table, crossings, ax)
    centre, reach = crossings.beta_cross.values[-1], ZOOM * float(np.ptp(table.beta.values))
    near = table.binder.where(abs(table.beta - centre) < reach)
    ax.set_xlim(centre - reach, centre + reach)
    ax.set_ylim(float(near.min()) - 0.02, float(near.max()) + 0.02)
    return ax


def collapse_fit(data: list[xr.Dataset]) -> analysis.CollapseFit:
    """Collapse of the Binder cumulants next to beta_c, |beta / beta_c - 1| sqrt(N) <= 2, with the first correction."""
    beta_c = analysis.critical_beta(data).value
    near = [abs(part.beta.values / beta_c - 1.0) * np.sqrt(part.n_sites.item()) <= REACH for part in data]
    return analysis.fit_collapse([part.isel(beta=kept) for part, kept in zip(data, near)], corrections=True)


def collapse(data: list[xr.Dataset], ax: Axes | None = None) -> Axes:
    """Binder cumulants, less the fitted corrections, against the scaling variable."""
    return plots.collapsed(collapse_fit(data).to_dataset(), ax)


def _table(data: list[xr.Dataset]) -> xr.Dataset:
    parts = [analysis.summarize(part) for part in data]
    return xr.concat(parts, dim="L", coords="different", compat="equals", join="outer", combine_attrs="override")
