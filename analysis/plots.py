"""Pictures of the tables: each function takes a table and an Axes, returns the Axes and computes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .arguments import refuse, shown
from .disk import animate_disk, disk
from .drawing import BETA, CROSSING, LINE, by_size, colors, new_axes, picture, size_label, tidy
from .glass_plots import log_binning
from .language_plots import best_size, isoflop, loss_law
from .length_plots import dynamics, length_proxy, slice_decay
from .scaling_plots import collapsed, crossing_drift, exponents, peak_heights, peak_positions, stability

__all__ = [
    "animate_disk",
    "best_size",
    "binder_crossing",
    "collapse",
    "collapsed",
    "correlation",
    "crossing_drift",
    "disk",
    "dynamics",
    "exponents",
    "fisher_zeros",
    "isoflop",
    "length_proxy",
    "log_binning",
    "loss_law",
    "observable",
    "peak_heights",
    "peak_positions",
    "reweighted",
    "scaling_of_peaks",
    "slice_decay",
    "stability",
]

SYMBOLS = {
    "energy": r"energy per site  $e$  [$J$]",
    "specific_heat": r"specific heat per site  $c$  [$k_B$]",
    "magnetization_abs": r"$\langle|m|\rangle$",
    "susceptibility": r"$\chi = N\langle m^2\rangle$",
    "susceptibility_connected": r"$\chi_c = N(\langle m^2\rangle-\langle|m|\rangle^2)$",
    "binder": r"Binder cumulant  $U_4$",
    "binder_slope": r"$\mathrm{d}U_4/\mathrm{d}\beta$  [$J$]",
    "xi": r"correlation length  $\xi$  [bond lengths]",
    "xi_over_L": r"$\xi/L$",
}
SCALED = {
    "binder": r"$U_4$",
    "susceptibility": r"$\chi\,/\,N^{1/2}$",
    "susceptibility_connected": r"$\chi_c\,/\,N^{1/2}$",
    "magnetization_abs": r"$\langle|m|\rangle\,N^{1/4}$",
}


@picture(table="analysis.summarize")
def observable(table: xr.Dataset, quantity: str = "energy", ax: Axes | None = None) -> Axes:
    """A quantity against beta with its error bars, one line per size.

    Parameters
    ----------
    table
        From `analysis.summarize`.
    quantity
        A variable of the table that has an error.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    if not isinstance(quantity, str) or quantity not in table:
        raise ValueError(
            f"quantity must be a variable of the table, got {shown(quantity)}: it has {sorted(map(str, table))}"
        )
    sizes = by_size(table)
    for size, color in zip(sizes, colors(len(sizes))):
        line = size.dropna("beta", subset=[quantity]).sortby("beta")
        ax.errorbar(
            line["beta"], line[quantity], line[f"{quantity}_error"], color=color, label=size_label(size), **LINE
        )
    ax.set_xlabel(BETA)
    ax.set_ylabel(SYMBOLS.get(quantity, table[quantity].attrs.get("long_name", quantity)))
    if "L" in table.coords:
        ax.legend(frameon=False, fontsize="small")
    return tidy(ax)


@picture(table="analysis.summarize", crossings="analysis.crossings")
def binder_crossing(table: xr.Dataset, crossings: xr.Dataset | None = None, ax: Axes | None = None) -> Axes:
    """Binder cumulant against beta by size, and where consecutive sizes cross: points, and a band for the largest pair.

    Parameters
    ----------
    table
        From `analysis.summarize`.
    crossings
        From `analysis.crossings`; without it only the curves are drawn.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = observable(table, "binder", ax)
    if crossings is None:
        return ax
    found = crossings.dropna("pair", subset=["beta_cross"])
    beta, error = found["beta_cross"].values, found["beta_cross_error"].values
    ax.axvspan(beta[-1] - error[-1], beta[-1] + error[-1], color=CROSSING, alpha=0.25, linewidth=0, zorder=0)
    ax.axvline(beta[-1], color=CROSSING, linewidth=0.8, zorder=0, label="largest pair")
    style: dict[str, Any] = {"fmt": "D", "markersize": 5, "markerfacecolor": "white", "color": CROSSING, "zorder": 5}
    ax.errorbar(beta, found["value"], found["value_error"], error, label="crossings", **style)
    ax.legend(frameon=False, fontsize="small")
    return ax


@picture(peaks="analysis.peaks")
def scaling_of_peaks(peaks: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Pseudo-critical beta against the number of sites, with its error and, where known, the half-maximum band.

    Parameters
    ----------
    peaks
        From `analysis.peaks`, with dimension L.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    peaks = peaks.sortby("n_sites")
    n_sites, (color,) = peaks["n_sites"].values, colors(1)
    band = peaks.dropna("L", subset=["beta_low", "beta_high"])
    if band.sizes["L"] > 1:
        style: dict[str, Any] = {"color": color, "alpha": 0.15, "linewidth": 0, "label": "half-maximum band"}
        ax.fill_between(band["n_sites"], band["beta_low"], band["beta_high"], **style)
    ax.errorbar(n_sites, peaks["beta_peak"], peaks["beta_peak_error"], color=color, label="peak", **LINE)
    ax.set_xscale("log")
    ax.set_xlabel(r"number of sites  $N$")
    ax.set_ylabel(peaks["beta_peak"].attrs["long_name"].replace("beta", r"$\beta$") + "  [$1/J$]")
    ax.legend(frameon=False, fontsize="small")
    return tidy(ax)


@picture(variables="analysis.mean_field_variables", curve="analysis.curie_weiss_scaling")
def collapse(
    variables: xr.Dataset, quantity: str = "binder", curve: xr.Dataset | None = None, ax: Axes | None = None
) -> Axes:
    """A scaled quantity against the scaling variable x, one colour per size: one curve where scaling holds.

    Parameters
    ----------
    variables
        From `analysis.mean_field_variables`.
    quantity
        A variable of it that has an error.
    curve
        Exact curve to draw beneath, such as `analysis.curie_weiss_scaling`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    if f"{quantity}_error" not in variables:
        refuse("quantity", f"among those with an error in variables, which has {sorted(map(str, variables))}", quantity)
    sizes = by_size(variables)
    for size, color in zip(sizes, colors(len(sizes))):
        points = size.dropna("beta", subset=[quantity])
        style = LINE | {"linestyle": "none"}
        ax.errorbar(
            points["x"], points[quantity], points[f"{quantity}_error"], color=color, label=size_label(size), **style
        )
    if curve is not None:
        ax.plot(curve["x"], curve[quantity], color=CROSSING, linewidth=1.0, zorder=0, label="Curie-Weiss, exact")
    ax.set_xlabel(r"$x = t\,N^{1/2}$,  $t=\beta/\beta_c-1$")
    ax.set_ylabel(SCALED.get(quantity, quantity))
    ax.legend(frameon=False, fontsize="small")
    return tidy(ax)


@picture(table="ising.correlations", decay="analysis.decay_length")
def correlation(table: xr.Dataset, decay: xr.Dataset | None = None, ax: Axes | None = None) -> Axes:
    """Correlation C(r) by distance on a logarithmic axis, mean and spread of the chains, one line per beta.

    Parameters
    ----------
    table
        From `ising.correlations`, with dimension chain.
    decay
        From `analysis.decay_length` of the same table; its exponentials are drawn over the distances of the fit.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    values = table["correlation"]
    if "configuration" in values.dims:
        values = values.mean("configuration")
    lines = values.expand_dims("beta") if "beta" not in values.dims else values
    for i, color in enumerate(colors(lines.sizes["beta"])):
        line = lines.isel(beta=i)
        error = line.std("chain", ddof=1) / np.sqrt(line.sizes["chain"])
        label = rf"$\beta$ = {line['beta'].item():.4g}" if "beta" in line.coords else None
        ax.errorbar(line["distance"], line.mean("chain"), error, color=color, label=label, **LINE)
        if decay is not None:
            fit = decay.isel(beta=i) if "beta" in decay.dims else decay
            r = np.arange(decay.attrs["r_low"], decay.attrs["r_high"] + 1)
            exponential = fit["amplitude"].item() * np.exp(-r / fit["decay_length"].item())
            ax.plot(r, exponential, color=CROSSING, linewidth=1.0, zorder=5)
    ax.set_yscale("log", nonpositive="mask")
    ax.set_xlabel(r"distance along bonds  $r$")
    ax.set_ylabel(r"$C(r)=\langle s_0 s_r\rangle$")
    if "beta" in lines.coords:
        ax.legend(frameon=False, fontsize="small")
    return tidy(ax)


@picture(fine="analysis.reweight", table="analysis.summarize")
def reweighted(
    fine: xr.Dataset, quantity: str = "energy", table: xr.Dataset | None = None, ax: Axes | None = None
) -> Axes:
    """A reweighted quantity against beta: a line with its error band per size, dotted outside the valid range.

    Parameters
    ----------
    fine
        From `analysis.reweight`.
    quantity
        A variable of it that has an error.
    table
        From `analysis.summarize`: the simulated points, drawn on top where it has the quantity.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    if f"{quantity}_error" not in fine:
        raise ValueError(
            f"quantity must have an error in the table, got {shown(quantity)}: it has {sorted(map(str, fine))}"
        )
    sizes = by_size(fine)
    for size, color in zip(sizes, colors(len(sizes))):
        beta, values, error = size["beta"].values, size[quantity].values, size[f"{quantity}_error"].values
        ax.plot(beta, values, ":", color=color, linewidth=1.0)
        ax.plot(beta, np.where(size["valid"], values, np.nan), color=color, linewidth=1.2, label=size_label(size))
        style: dict[str, Any] = {"color": color, "alpha": 0.25, "linewidth": 0}
        ax.fill_between(beta, values - error, values + error, where=size["valid"].values.astype(bool), **style)
    if table is not None and quantity in table:
        for size, color in zip(by_size(table), colors(len(sizes))):
            points: dict[str, Any] = LINE | {"linewidth": 0, "markerfacecolor": "white"}
            ax.errorbar(size["beta"], size[quantity], size[f"{quantity}_error"], color=color, **points)
    ax.set_xlabel(BETA)
    ax.set_ylabel(SYMBOLS.get(quantity, fine[quantity].attrs["long_name"]))
    if "L" in fine.coords:
        ax.legend(frameon=False, fontsize="small")
    return tidy(ax)


@picture(zeros="analysis.fisher_zeros")
def fisher_zeros(zeros: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Zeros in the complex plane of beta with their errors, one colour per size; unresolved ones are hollow.

    Parameters
    ----------
    zeros
        From `analysis.fisher_zeros`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    sizes = by_size(zeros)
    for size, color in zip(sizes, colors(len(sizes))):
        for resolved, face in ((True, color), (False, "white")):
            these = size.isel(zero=size["resolved"].values.astype(bool) == resolved)
            style: dict[str, Any] = LINE | {"linewidth": 0, "markerfacecolor": face, "color": color}
            style["label"] = size_label(size) if resolved else None
            ax.errorbar(
                these["beta_real"], these["beta_imag"], these["beta_imag_error"], these["beta_real_error"], **style
            )
    ax.set_xlabel(r"Re $\beta$  [$1/J$]")
    ax.set_ylabel(r"Im $\beta$  [$1/J$]")
    ax.legend(frameon=False, fontsize="small")
    return tidy(ax)
