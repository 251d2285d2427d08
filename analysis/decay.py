"""Decay length of C(r) ~ e^(-r / xi): from correlations by distance, or of whole slices of a torus."""

from __future__ import annotations

from math import prod

import numpy as np
import xarray as xr

from .arguments import as_integer, as_numbers, as_table, refuse
from .resampling import Array, jackknife_error, leave_one_out
from .samples import pieces

SIGNIFICANT = 4.0  # errors by which C(r) must exceed zero
FEWEST_DISTANCES = 3
GAUSS_NEWTON_STEPS = 40


def slice_correlations(spins: xr.DataArray, shape: tuple[int, ...]) -> xr.Dataset:
    """G(r) = sum over sites s of the slice at distance r of <s_0 s>: correlation at zero momentum across the axis.

    On a torus of any dimension it decays as a plain exponential, without the power of r that C(r) has, plus its image
    from the other side: A cosh((L/2 - r) / xi). `decay_length` with ``period=L`` fits that. Averaged over the axes of
    the first one's length and over all translations.

    Parameters
    ----------
    spins
        (..., site), +1 and -1, such as ``data.spins`` or ``data.configurations``; the last dimension in C order.
    shape
        Lengths of the axes of the torus.

    Returns
    -------
    xarray.Dataset
        ``correlation`` (..., distance), distances 0 .. L/2 along the axis.

    Raises
    ------
    ValueError
        If the shape does not fit the number of sites.

    Examples
    --------
    >>> up = xr.DataArray(np.ones((2, 16)), dims=("chain", "site"))
    >>> slice_correlations(up, (4, 4)).correlation.values[0].tolist()
    [4.0, 4.0, 4.0]
    """
    if not isinstance(spins, xr.DataArray) or "site" not in spins.dims:
        refuse("spins", "a DataArray with a dimension site, such as data.configurations", spins)
    if not isinstance(shape, tuple | list) or not shape:
        refuse("shape", "the lengths of the axes, such as (L, L)", shape)
    shape = tuple(as_integer("shape", length, 1) for length in shape)
    if spins.size == 0:
        refuse("spins", "a non-empty array of numbers", spins)
    if prod(shape) != spins.sizes["site"]:
        raise ValueError(f"shape must have {spins.sizes['site']} sites, got {shape}")
    kept = [dim for dim in spins.dims if dim != "site"]
    leading = tuple(spins.sizes[dim] for dim in kept)
    half = np.empty((*leading, shape[0] // 2 + 1))
    for *outer, n_rows in [(*index, leading[-1]) for index in np.ndindex(leading[:-1])] if kept else [(1,)]:
        for rows in pieces(n_rows, prod(shape)):
            index = (*outer, rows) if kept else ()
            part = spins.variable.isel(dict(zip(kept, index))).transpose(..., "site")
            half[index] = _correlate(as_numbers("spins", part.values), shape)
    words = {"long_name": "correlation of a site with a slice", "units": "1", "formula": "sum over the slice of s_0 s"}
    distance = ("distance", np.arange(half.shape[-1]), {"long_name": "distance along the axis", "units": "bonds"})
    coords = {dim: spins.coords[dim] for dim in kept if dim in spins.coords}
    return xr.Dataset({"correlation": ((*kept, "distance"), half, words)}, coords | {"distance": distance})


def _correlate(spins: Array, shape: tuple[int, ...]) -> Array:
    """Correlations with slices at the distances 0 .. L/2 of some configurations, (..., site) -> (..., distance)."""
    lattice, length, n_axes = spins.reshape(*spins.shape[:-1], *shape), shape[0], len(shape)
    axes = [axis for axis in range(n_axes) if shape[axis] == length]
    total = np.zeros((*spins.shape[:-1], length))
    for axis in axes:
        across = tuple(axis_ - n_axes for axis_ in range(n_axes) if axis_ != axis)
        power = np.abs(np.fft.fft(lattice.sum(axis=across), axis=-1)) ** 2
        total += np.fft.ifft(power, axis=-1).real / spins.shape[-1]
    return np.asarray(total[..., : length // 2 + 1] / len(axes))


def decay_length(table: xr.Dataset, window: tuple[int, int] | None = None, period: int | None = None) -> xr.Dataset:
    """Decay length xi of C(r) = A e^(-r / xi): weighted line through ln C(r), errors by a jackknife over chains.

    With a period L, C(r) = A cosh((L/2 - r) / xi): the exponential correlation length of a torus, from
    `slice_correlations`. It is that of the symmetric phase; below T_c C(r) holds <m>^2 besides. Neighbouring distances
    vary together, so that chi2 / dof comes out below 1.

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
    period
        Length L of the torus along the axis; by default C(r) has no image.

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
    as_table("table", table, "analysis.slice_correlations", ["correlation", "distance"])
    if window is not None and (not isinstance(window, tuple | list) or len(window) != 2):
        refuse("window", "two distances", window)
    if window is not None:
        window = (as_integer("window", window[0], 0), as_integer("window", window[1], 0))
    if period is not None:
        period = as_integer("period", period, 1)
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
    places, fitted = distance[inside].astype(np.float64), rows[..., inside]
    slope, intercept, chi2 = _line(places, fitted) if period is None else _cosh(places, fitted, period)
    length, amplitude = -1 / slope, np.exp(intercept)
    dof = int(inside.sum()) - 2
    columns = {
        "decay_length": (length[0], "decay length of C(r)", "bonds"),
        "decay_length_error": (jackknife_error(length), "jackknife error of the decay length", "bonds"),
        "amplitude": (amplitude[0], "amplitude A of C(r)", "1"),
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


def _cosh(x: Array, rows: Array, period: int) -> tuple[Array, Array, Array]:
    """Weighted fits of ln A + ln cosh(m (L/2 - r)) to ln C by Gauss-Newton: -m, ln A and chi-square as `_line`."""
    y, errors = np.log(rows), jackknife_error(np.log(rows))
    weight = 1 / np.maximum(errors, 1e-12) ** 2
    away = period / 2 - x
    mass = np.maximum(-_line(x, rows)[0], 1e-6)
    for _ in range(GAUSS_NEWTON_STEPS):
        shape = np.log(np.cosh(mass[..., np.newaxis] * away))
        tangent = away * np.tanh(mass[..., np.newaxis] * away)
        level = _mean(weight, y - shape)
        residual = y - shape - level
        centred = tangent - _mean(weight, tangent)
        step = (weight * centred * residual).sum(axis=-1) / (weight * centred**2).sum(axis=-1)
        mass = np.maximum(mass + step, mass / 2)
    if np.any(np.abs(step) > 1e-6 * mass):
        raise ValueError("the fit of a cosh did not converge: choose a window of larger C(r) or draw more")
    return -mass, level[..., 0], (weight * residual**2).sum(axis=-1)


def _mean(weight: Array, values: Array) -> Array:
    return np.asarray((weight * values).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True))
