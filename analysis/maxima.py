"""Peaks of specific heat, susceptibility and dU4/dbeta: the pseudo-critical point of each size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .curves import allow_for_misfit, fit_points, follow_root, rising_root
from .mbar import solve
from .measurement import PAIR_OBSERVABLES, Data, Measurement, join_sizes, measure, series_of, split_sizes
from .resampling import Array, jackknife_error
from .reweighting import FEWEST_SAMPLES, LEAST_OVERLAP, averages, pool_run
from .thermodynamics import QUANTITIES, evaluate

FEWEST_POINTS = 5
REACH, FINE = 3, 61  # simulated beta on either side of the largest value, points of the grid they are reweighted to
CAP = 0.8


def peaks(data: Data, quantity: str = "specific_heat") -> xr.Dataset:
    """Pseudo-critical beta of each size: where a quantity is largest, and its half-maximum band.

    The simulated beta of the largest value and up to 3 on either side are reweighted together (see `reweight`) to a
    fine grid, on which a parabola through the largest value and its neighbours gives place and height; the same for
    every jackknife replica gives their errors. Where that is not possible (no energies, several realisations of the
    disorder, too little overlap, fewer than 100 effective samples at the peak) a cubic is fitted through the simulated
    points above 80 % of the largest value (the 5 highest at least): its place is off by up to an error or two where the
    peak is lopsided. The band reaches to where straight lines between the simulated points first fall to half of it.

    Parameters
    ----------
    data
        As for `summarize`.
    quantity
        ``"specific_heat"``, ``"susceptibility_connected"`` or ``"binder_slope"``, dU4/dbeta.

    Returns
    -------
    xarray.Dataset
        Dimension (L,) where the data has sizes: beta_peak, beta_peak_error, height, height_error, the half-maximum band
        beta_low, beta_high, NaN on a side where the grid does not reach it, and method: "reweighting" or "cubic".

    Raises
    ------
    ValueError
        If a grid has fewer than 5 points, the largest value lies at its edge, or no maximum can be fitted.
    """
    tables = [_peak(size, run, quantity) for size, run in zip(split_sizes(data), measure(data))]
    peak_table = join_sizes(tables, data)
    return peak_table.assign_attrs(quantity=quantity, formula=QUANTITIES[quantity].formula)


def _peak(data: xr.Dataset, run: Measurement, quantity: str) -> xr.Dataset:
    order = np.argsort(run.beta, kind="stable")
    beta, rows = run.beta[order], evaluate(run, quantity)[:, order]
    top = _highest(beta, rows[0], f"{quantity} of size {run.label or run.n_sites}")
    found = _reweighted(data, run, quantity, order[max(top - REACH, 0) : top + REACH + 1])
    places, heights = found or _fitted(beta, rows, top, quantity)
    band = _half_maximum(beta, rows[0], top, 0.5 * heights[0])
    return _tabulate(run, quantity, (places, heights), band, "reweighting" if found else "cubic")


def _reweighted(
    data: xr.Dataset, run: Measurement, quantity: str, near: NDArray[np.intp]
) -> tuple[Array, Array] | None:
    """Place and height, (1 + block,) each, from the samples at some beta; None where they do not carry the peak."""
    if "energy" not in data or data.sizes.get("disorder", 1) > 1:
        return None
    series = series_of(data.drop_vars(PAIR_OBSERVABLES, errors="ignore").isel(beta=near))
    here = replace(run, beta=run.beta[near], tau={name: tau[near] for name, tau in run.tau.items()})
    beta = np.linspace(here.beta.min(), here.beta.max(), FINE)
    with threadpool_limits(limits=1, user_api="blas"):
        pool = pool_run(here, series, 0)
        try:
            solution = solve(pool)
        except RuntimeError:
            return None
        moments, n_effective = averages(pool, solution, beta)
    rows = evaluate(replace(here, beta=beta, moments=moments, tau={}), quantity)
    highest = rows.argmax(axis=1)
    enough = solution.overlap >= LEAST_OVERLAP and n_effective[highest[0]] >= FEWEST_SAMPLES
    if not enough or highest.min() == 0 or highest.max() == FINE - 1:
        return None
    left, middle, right = (rows[np.arange(len(rows)), highest + step] for step in (-1, 0, 1))
    step = (left - right) / (2 * (left - 2 * middle + right))  # of the vertex, in units of the grid
    return beta[highest] + step * (beta[1] - beta[0]), middle - (left - right) * step / 4


def _fitted(beta: Array, rows: Array, top: int, quantity: str) -> tuple[Array, Array]:
    """Place and height, (1 + block,) each, of a cubic through the top of the peak."""
    scale = float(np.mean(np.diff(beta)))
    fit = allow_for_misfit(fit_points(beta, rows, _cap(rows[0]), beta[top], scale))
    slope = polynomial.polyder(fit.coefficients)
    place = rising_root(-slope[:, 0], fit.low, fit.high)
    if np.isnan(place):
        raise ValueError(f"no maximum of {quantity} can be fitted near beta = {beta[top]:g}: draw more")
    places = np.concatenate([[place], follow_root(slope[:, 1:], place)])
    return beta[top] + scale * places, polynomial.polyval(places, fit.coefficients, tensor=False)


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
    run: Measurement, quantity: str, peak: tuple[Array, Array], band: tuple[float, float], method: str
) -> xr.Dataset:
    (places, heights), long_name, units = peak, QUANTITIES[quantity].long_name, QUANTITIES[quantity].units
    columns = {
        "beta_peak": (places[0], f"pseudo-critical beta of {long_name}", "1/J"),
        "beta_peak_error": (jackknife_error(places), "jackknife error of the pseudo-critical beta", "1/J"),
        "height": (heights[0], f"largest {long_name}", units),
        "height_error": (jackknife_error(heights), f"jackknife error of the largest {long_name}", units),
        "beta_low": (band[0], "lower end of the half-maximum band", "1/J"),
        "beta_high": (band[1], "upper end of the half-maximum band", "1/J"),
    }
    table = xr.Dataset(
        {key: ((), value, {"long_name": name, "units": unit}) for key, (value, name, unit) in columns.items()},
        {"n_sites": run.n_sites} if run.label is None else {"n_sites": run.n_sites, "L": run.label},
    )
    return table.assign(method=((), method, {"long_name": "how the peak was found"}))
