"""Pictures of finite-size scaling: collapses, exponents, crossings, peaks; offered through `analysis.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .arguments import as_number, as_numbers, refuse
from .collapse_fit import CollapseFit
from .drawing import CROSSING, POINTS, SMALL, UPDATES, colors, label_of, logarithmic_in_size, new_axes, picture, tidy
from .scaling import ScalingFit
from .shared_fit import SharedFit

SHORT = {
    "binder": "U_4",
    "xi_over_L": r"(\xi/L)",
    "susceptibility": r"\chi",
    "susceptibility_connected": r"\chi_c",
    "magnetization_abs": r"\langle|m|\rangle",
    "specific_heat": "c",
}
EXPONENTS = {"susceptibility": r"\gamma/\nu", "magnetization_abs": r"-\beta/\nu", "slope": r"1/\nu"}
Fit = ScalingFit | SharedFit | CollapseFit


@picture(fit="analysis.fit_collapse(...).to_dataset()")
def collapsed(fit: xr.Dataset, ax: Axes | None = None) -> Axes:
    """The points of a collapse against t L^(1/nu), one colour per size, with the band of the master curve if known.

    Parameters
    ----------
    fit
        ``fit_collapse(...).to_dataset()``.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    if "curve" in fit:
        band: dict[str, Any] = {"color": CROSSING, "alpha": 0.25, "linewidth": 0, "zorder": 0}
        ax.fill_between(fit["curve_x"], fit["curve"] - fit["curve_error"], fit["curve"] + fit["curve_error"], **band)
        ax.plot(fit["curve_x"], fit["curve"], color=CROSSING, linewidth=0.9, zorder=0, label="master curve")
    n_sites, names = fit["n_sites"].values, fit["L"].values
    found = {(int(n), label): (n_sites == n) & (names == label) for n, label in zip(n_sites, names.tolist())}
    for ((n, label), size), color in zip(sorted(found.items(), key=lambda item: item[0][0]), colors(len(found))):
        x, y, error = (fit[name].values[size] for name in ("x", "scaled", "scaled_error"))
        ax.errorbar(x, y, error, color=color, label=label_of(label, n), **POINTS)
    nu, exponent = fit["nu"].item(), fit["exponent"].item()
    symbol = SHORT.get(fit.attrs["quantity"], fit.attrs["quantity"])
    ax.set_xlabel(rf"$x=(\beta/\beta_c-1)\,L^{{1/\nu}}$,  $\nu={nu:.4g}$")
    ax.set_ylabel(rf"${symbol}$" if exponent == 0 else rf"${symbol}\,L^{{{-exponent:.4g}}}$")
    ax.legend(**SMALL)
    return tidy(ax)


@picture(table="analysis.quotients")
def exponents(table: xr.Dataset, ax: Axes | None = None, exact: float | None = None) -> Axes:
    """Exponents of pairs of sizes against L^-omega, with the extrapolation to infinite size at 0.

    Parameters
    ----------
    table
        From `analysis.quotients`.
    ax
        Axes to draw on; a new figure's by default.
    exact
        Known value, drawn dotted.
    """
    ax = new_axes(ax)
    found, (color,) = table.dropna("pair", subset=["x"]), colors(1)
    ax.errorbar(found["correction"], found["x"], found["x_error"], color=color, label="pairs of sizes", **POINTS)
    limit, error = table["exponent"].item(), table["exponent_error"].item()
    if np.isfinite(limit):
        style: dict[str, Any] = POINTS | {"marker": "D", "markersize": 5, "markerfacecolor": "white"}
        ax.errorbar([0.0], [limit], [error], color=CROSSING, label=f"{limit:.4f} ± {error:.4f}", **style)
    if exact is not None:
        ax.axhline(as_number("exact", exact), color="0.4", linestyle=":", linewidth=1.0, label="exact")
    symbol = EXPONENTS.get(table.attrs["observable"], "x")
    ax.set_xlim(left=-0.05 * float(found["correction"].max()))
    ax.set_xlabel(rf"$L^{{-\omega}}$ of the smaller size,  $\omega={table.attrs['omega']:.3g}$")
    ax.set_ylabel(rf"${symbol}$ from quotients")
    ax.legend(**SMALL)
    return tidy(ax)


@picture(crossings="analysis.crossings")
def crossing_drift(crossings: xr.Dataset, estimates: dict[str, tuple[float, float]], ax: Axes | None = None) -> Axes:
    """Beta of the crossings against 1 / N of the smaller size, and bands of named estimates of beta_c.

    Parameters
    ----------
    crossings
        From `analysis.crossings`.
    estimates
        Name -> (beta_c, error), such as ``{"joint fit": (fit.beta_c, fit.beta_c_error)}``.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    found = crossings.dropna("pair", subset=["beta_cross"])
    x = 1 / found["n_sites_small"].values
    _check_estimates(estimates)
    for (name, (value, error)), color in zip(estimates.items(), UPDATES):
        ax.axhspan(value - error, value + error, color=color, alpha=0.25, linewidth=0)
        ax.axhline(value, color=color, linewidth=0.9, label=name)
    style: dict[str, Any] = POINTS | {"marker": "D", "markersize": 5, "markerfacecolor": "white"}
    ax.errorbar(x, found["beta_cross"], found["beta_cross_error"], color=CROSSING, label="crossings", **style)
    ax.set_xscale("log")
    ax.set_xlabel(r"$1/N$ of the smaller size")
    ax.set_ylabel(r"$\beta$ of the crossing  [$1/J$]")
    ax.legend(**SMALL)
    return tidy(ax)


def _check_estimates(estimates: dict[str, tuple[float, float]]) -> None:
    if not isinstance(estimates, Mapping):
        refuse("estimates", "a dict of (beta_c, error) by name", estimates)
    for name, pair in estimates.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            refuse(f"estimates[{name!r}]", "two numbers, beta_c and its error", pair)
        as_numbers(f"estimates[{name!r}]", pair)


@picture(table="analysis.peak_scaling")
def peak_positions(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Pseudo-critical beta against L^(-1/nu) with the line to beta_c at 0.

    Parameters
    ----------
    table
        From `analysis.peak_scaling`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    x = table["length"].values ** (-1 / table.attrs["nu"])
    (color,), beta_c, error = colors(1), table["beta_c"].item(), table["beta_c_error"].item()
    used = table["n_sites"].values >= table["smallest"].item()
    places = np.array([0.0, x[used].max()])
    ax.plot(places, beta_c + table["amplitude"].item() * places, color=CROSSING, linewidth=0.9, zorder=0)
    ax.errorbar(x, table["beta_peak"], table["beta_peak_error"], color=color, label="peaks", **POINTS)
    style: dict[str, Any] = POINTS | {"marker": "D", "markersize": 5, "markerfacecolor": "white"}
    ax.errorbar([0.0], [beta_c], [error], color=CROSSING, label=rf"$\beta_c$ = {beta_c:.5f} ± {error:.5f}", **style)
    ax.set_xlabel(rf"$L^{{-1/\nu}}$,  $\nu={table.attrs['nu']:.4g}$")
    ax.set_ylabel(r"$\beta$ of the peak  [$1/J$]")
    ax.legend(**SMALL)
    return tidy(ax)


@picture(table="analysis.peak_scaling")
def peak_heights(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Height of the peak against L, logarithmic axes, with its power law.

    Parameters
    ----------
    table
        From `analysis.peak_scaling`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    length, height, error = (table[name].values for name in ("length", "height", "height_error"))
    exponent, its_error = table["height_exponent"].item(), table["height_exponent_error"].item()
    used = table["n_sites"].values >= table["height_smallest"].item()
    level = np.average(np.log(height[used]) - exponent * np.log(length[used]), weights=(height / error)[used] ** 2)
    label = rf"$L^{{{exponent:.3f}\pm{its_error:.3f}}}$"
    ax.plot(length[used], np.exp(level) * length[used] ** exponent, color=CROSSING, linewidth=0.9, label=label)
    ax.errorbar(length, height, error, color=colors(1)[0], label="peaks", **POINTS)
    symbol = SHORT.get(table.attrs["quantity"], r"\mathrm{d}U_4/\mathrm{d}\beta")
    logarithmic_in_size(ax, length)
    ax.set_yscale("log")
    ax.set_ylabel(rf"largest ${symbol}$  [{table['height'].attrs['units'].replace('k_B', '$k_B$')}]")
    ax.legend(**SMALL)
    return tidy(ax)


@picture()
def stability(
    fits: Sequence[Fit],
    parameter: str = "beta_c",
    ax: Axes | None = None,
    exact: float | None = None,
) -> Axes:
    """A fitted number against the smallest size that took part: flat where corrections to scaling are under control.

    Parameters
    ----------
    fits
        Of one kind, with different ``smallest``.
    parameter
        ``"beta_c"``, ``"nu"``, or any attribute with an error beside it.
    ax
        Axes to draw on; a new figure's by default.
    exact
        Known value, drawn dotted.
    """
    ax = new_axes(ax)
    if not isinstance(fits, list | tuple) or not fits or not all(isinstance(fit, Fit) for fit in fits):
        refuse("fits", "a list of results of fit_scaling, fit_shared or fit_collapse", fits)
    if not isinstance(parameter, str) or not all(hasattr(fit, f"{parameter}_error") for fit in fits):
        refuse("parameter", "an attribute of the fits with an error beside it", parameter)
    smallest = np.array([fit.smallest for fit in fits])
    values = [getattr(fit, parameter) for fit in fits]
    errors = [getattr(fit, f"{parameter}_error") for fit in fits]
    ax.errorbar(smallest, values, errors, color=colors(1)[0], label="fits", **POINTS)
    if exact is not None:
        ax.axhline(as_number("exact", exact), color="0.4", linestyle=":", linewidth=1.0, label="exact")
    ax.set_xscale("log")
    ax.set_xlabel(r"sites of the smallest size used  $N_{\min}$")
    ax.set_ylabel({"beta_c": r"$\beta_c$  [$1/J$]", "nu": r"$\nu$", "exponent": "exponent"}.get(parameter, parameter))
    ax.legend(**SMALL)
    return tidy(ax)
