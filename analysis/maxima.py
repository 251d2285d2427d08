"""Peaks of specific heat, susceptibility and dU4/dbeta: the pseudo-critical point of each size."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from .curves import allow_for_misfit, fit_nearby, fit_points, follow_root, rising_root
from .measurement import Data, Measurement, join_sizes, measure
from .resampling import Array, jackknife_error
from .thermodynamics import QUANTITIES, evaluate

FEWEST_POINTS = 5
CAP = 0.8
BINDER_SLOPE = ("dU4/dbeta", "J")


def peaks(data: Data, quantity: str = "specific_heat") -> xr.Dataset:
    """Pseudo-critical beta of each size: where a quantity is largest, from a local fit, and its half-maximum band.

    A cubic through the points above 80 % of the largest value (the 5 highest at least) gives the place and the height
    of the peak; the same fit to every jackknife replica gives their errors. The band reaches to where straight lines
    between the grid points first fall to half the height. For ``"binder_slope"``, dU4/dbeta, the place is where a cubic
    through the U4 of the points nearest to the steepest step is steepest (see `analysis.curves.fit_nearby`), and the
    band is left out.

    Parameters
    ----------
    data
        As for `summarize`.
    quantity
        ``"specific_heat"``, ``"susceptibility_connected"`` or ``"binder_slope"``.

    Returns
    -------
    xarray.Dataset
        Dimension (L,) where the data has sizes: beta_peak, beta_peak_error, height, height_error, and the half-maximum
        band beta_low, beta_high, NaN on a side where the grid does not reach it.

    Raises
    ------
    ValueError
        If a grid has fewer than 5 points, the largest value lies at its edge, or no maximum can be fitted.
    """
    if quantity == "binder_slope":
        return join_sizes([_steepest(run) for run in measure(data)], data).assign_attrs(
            quantity=quantity, formula=BINDER_SLOPE[0]
        )
    tables = [_peak(run, quantity) for run in measure(data)]
    peak_table = join_sizes(tables, data)
    return peak_table.assign_attrs(quantity=quantity, formula=QUANTITIES[quantity].formula)


def _steepest(run: Measurement) -> xr.Dataset:
    """Where U4 rises fastest: the inflection of a cubic."""
    order = np.argsort(run.beta, kind="stable")
    beta, rows = run.beta[order], evaluate(run, "binder")[:, order]
    between, slopes = (beta[1:] + beta[:-1]) / 2, np.diff(rows[0]) / np.diff(beta)
    top = _highest(between, slopes, f"dU4/dbeta of size {run.label or run.n_sites}")
    scale = float(np.mean(np.diff(beta)))
    fit = fit_nearby(beta, rows, between[top], scale)
    _, first, second, third = np.vstack([fit.coefficients, np.zeros((4 - len(fit.coefficients), rows.shape[0]))])
    places = np.divide(-second, 3 * third, out=np.full_like(second, np.nan), where=third < 0)
    if not (np.isfinite(places).all() and fit.low <= places[0] <= fit.high):
        raise ValueError(f"no steepest point of U4 can be fitted near beta = {between[top]:g}: draw more")
    heights = (first + 2 * second * places + 3 * third * places**2) / scale
    return _tabulate(run, BINDER_SLOPE, between[top] + scale * places, heights, (np.nan, np.nan))


def _peak(run: Measurement, quantity: str) -> xr.Dataset:
    order = np.argsort(run.beta, kind="stable")
    beta, rows = run.beta[order], evaluate(run, quantity)[:, order]
    top = _highest(beta, rows[0], f"{quantity} of size {run.label or run.n_sites}")
    scale = float(np.mean(np.diff(beta)))
    fit = allow_for_misfit(fit_points(beta, rows, _cap(rows[0]), beta[top], scale))
    slope = polynomial.polyder(fit.coefficients)
    place = rising_root(-slope[:, 0], fit.low, fit.high)
    if np.isnan(place):
        raise ValueError(f"no maximum of {quantity} can be fitted near beta = {beta[top]:g}: draw more")
    places = np.concatenate([[place], follow_root(slope[:, 1:], place)])
    heights = polynomial.polyval(places, fit.coefficients, tensor=False)
    low, high = _half_maximum(beta, rows[0], top, 0.5 * heights[0])
    return _tabulate(
        run,
        (QUANTITIES[quantity].long_name, QUANTITIES[quantity].units),
        beta[top] + scale * places,
        heights,
        (low, high),
    )


def _highest(beta: Array, values: Array, what: str) -> int:
    """Index of the largest value, which must have neighbours on either side."""
    if len(beta) < FEWEST_POINTS:
        raise ValueError(f"a peak needs at least {FEWEST_POINTS} values of beta, got {len(beta)}")
    top = int(np.argmax(values))
    if top in (0, len(beta) - 1):
        grid = f"[{beta[0]:g}, {beta[-1]:g}]"
        raise ValueError(f"{what} is largest at the edge beta = {beta[top]:g} of the grid {grid}: widen the beta range")
    return top


def _cap(values: Array) -> NDArray[np.intp]:
    """Indices of the points that make up the top of the peak, one on either side of it at least."""
    fifth = np.sort(values)[-FEWEST_POINTS]
    high = values >= min(CAP * values.max(), fifth)
    top = int(np.argmax(values))
    high[max(top - 1, 0) : top + 2] = True
    return np.flatnonzero(high)


def _half_maximum(beta: Array, values: Array, top: int, half: float) -> tuple[float, float]:
    """Where the curve first falls to half on the way down from the peak, NaN where the grid ends before."""
    below = values <= half
    left, right = np.flatnonzero(below[:top]), np.flatnonzero(below[top:])
    low = high = np.nan
    if len(left):
        i = left[-1]
        low = np.interp(half, values[i : i + 2], beta[i : i + 2])
    if len(right):
        i = top + right[0]
        high = np.interp(half, values[i - 1 : i + 1][::-1], beta[i - 1 : i + 1][::-1])
    return float(low), float(high)


def _tabulate(
    run: Measurement, words: tuple[str, str], places: Array, heights: Array, band: tuple[float, float]
) -> xr.Dataset:
    long_name, units = words
    columns = {
        "beta_peak": (places[0], f"pseudo-critical beta of {long_name}", "1/J"),
        "beta_peak_error": (jackknife_error(places), "jackknife error of the pseudo-critical beta", "1/J"),
        "height": (heights[0], f"largest {long_name}", units),
        "height_error": (
            jackknife_error(heights),
            f"jackknife error of the largest {long_name}",
            units,
        ),
        "beta_low": (band[0], "lower end of the half-maximum band", "1/J"),
        "beta_high": (band[1], "upper end of the half-maximum band", "1/J"),
    }
    return xr.Dataset(
        {key: ((), value, {"long_name": name, "units": unit}) for key, (value, name, unit) in columns.items()},
        {"n_sites": run.n_sites} if run.label is None else {"n_sites": run.n_sites, "L": run.label},
    )
