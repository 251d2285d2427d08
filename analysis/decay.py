"""Decay length of C(r) ~ e^(-r / xi) from the output of `ising.correlations`, or any table like it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .resampling import Array, jackknife_error, leave_one_out

SIGNIFICANT = 4.0  # errors by which C(r) must exceed zero
FEWEST_DISTANCES = 3


def decay_length(table: xr.Dataset, window: tuple[int, int] | None = None) -> xr.Dataset:
    """Decay length xi of C(r) = A e^(-r / xi): weighted line through ln C(r), errors by a jackknife over chains.

    On a closed surface C(r) flattens at <m^2> = chi / N and feels loops beyond the injectivity radius: end the window
    before. In d flat dimensions C(r) has a power of r besides, which makes xi from short distances too small.

    Parameters
    ----------
    table
        ``correlation`` with the dimensions chain (2 or more) and distance, and any others; ``configuration`` is
        averaged over.
    window
        Smallest and largest distance of the fit; by default from 1 to the last distance before C(r) first fails to
        exceed 4 errors (of the weakest entry where there are several beta).

    Returns
    -------
    xarray.Dataset
        decay_length, decay_length_error, amplitude, amplitude_error, chi2_per_dof with the dimensions that stay
        (beta, ...); attributes r_low, r_high. chi2 takes the distances as independent, which they are not.

    Raises
    ------
    ValueError
        If there are fewer than 2 chains, or fewer than 3 distances at which C(r) is significant.
    """
    correlation = table["correlation"]
    if correlation.sizes.get("chain", 0) < 2:
        raise ValueError(f"an error needs a dimension chain of 2 or more, got {dict(correlation.sizes)}: add chains")
    if "configuration" in correlation.dims:
        correlation = correlation.mean("configuration")
    kept = [dim for dim in correlation.dims if dim not in ("chain", "distance")]
    values = correlation.transpose(*kept, "distance", "chain").values
    distance = np.asarray(table["distance"])
    rows = leave_one_out(values, np.ones(values.shape[-1], dtype=np.intp))  # (1 + chain, ..., distance)
    low, high = window or _significant(distance, rows)
    inside = (distance >= low) & (distance <= high)
    if inside.sum() < FEWEST_DISTANCES or not (rows[..., inside] > 0).all():
        raise ValueError(
            f"C(r) must be positive at {FEWEST_DISTANCES} distances or more, got r = {low} .. {high}: "
            "draw more, go nearer to beta_c or give a window"
        )
    slope, intercept, chi2 = _line(distance[inside].astype(np.float64), rows[..., inside])
    length, amplitude = -1 / slope, np.exp(intercept)
    dof = int(inside.sum()) - 2
    columns = {
        "decay_length": (length[0], "decay length of C(r)", "bonds"),
        "decay_length_error": (jackknife_error(length), "jackknife error of the decay length", "bonds"),
        "amplitude": (amplitude[0], "amplitude A of C(r) = A exp(-r / xi)", "1"),
        "amplitude_error": (jackknife_error(amplitude), "jackknife error of the amplitude", "1"),
        "chi2_per_dof": (chi2[0] / dof, "chi-square per degree of freedom", "1"),
    }
    return xr.Dataset(
        {name: (kept, value, {"long_name": words, "units": units}) for name, (value, words, units) in columns.items()},
        {dim: table.coords[dim] for dim in kept if dim in table.coords},
        {"r_low": int(low), "r_high": int(high)},
    )


def _significant(distance: Array, rows: Array) -> tuple[int, int]:
    """From 1 to the last distance before C(r) fails to exceed its errors anywhere."""
    weakest = np.min((rows[0] - SIGNIFICANT * jackknife_error(rows)).reshape(-1, len(distance)), axis=0)
    failing = np.flatnonzero(weakest <= 0)
    end = failing[0] if len(failing) else len(distance)
    return 1, int(distance[end - 1]) if end else 0


def _line(x: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Weighted fits of ln C: slope, intercept and chi-square of every row, (1 + chain, ...) each."""
    y, errors = np.log(rows), jackknife_error(np.log(rows))
    weight = 1 / np.maximum(errors, 1e-12) ** 2  # (..., distance)
    total = weight.sum(axis=-1)
    mean_x = (weight * x).sum(axis=-1) / total
    mean_y = (weight * y).sum(axis=-1) / total
    away = x - mean_x[..., np.newaxis]
    slope = (weight * away * y).sum(axis=-1) / (weight * away**2).sum(axis=-1)
    residual = y - mean_y[..., np.newaxis] - slope[..., np.newaxis] * away
    return slope, mean_y - slope * mean_x, (weight * residual**2).sum(axis=-1)
