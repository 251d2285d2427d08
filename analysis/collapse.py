"""How well the curves of several sizes fall onto one: the quality S of a data collapse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resampling import Array

HIGHEST_DEGREE = 6


def collapse_quality(x: Array, y: Array, error: Array, run: NDArray[np.intp]) -> float:
    """Quality S = (1 / n) sum_ij (y_ij - Y_ij)^2 / (dy_ij^2 + dY_ij^2) of a data collapse: about 1 when it is good.

    Y_ij and its error dY_ij are the master curve at x_ij: the weighted straight line through the two points on either
    side of x_ij of every other run that has them. Points that no other run surrounds do not count. A polynomial in x
    through all points is taken off first: what all runs share alters no difference between them, but its bend between
    neighbouring points would count as misfit where grids are coarse for their errors.

    Parameters
    ----------
    x, y, error
        (point,): scaled variable, scaled value and its error.
    run
        (point,): which run (size) each point belongs to.

    Returns
    -------
    float
        NaN where no point can be compared.

    References
    ----------
    J. Houdayer and A. K. Hartmann, Phys. Rev. B 70, 014418 (2004), appendix.

    Examples
    --------
    >>> x, run, error = np.tile(np.linspace(-1, 1, 5), 2), np.repeat([0, 1], 5), np.full(10, 0.1)
    >>> round(collapse_quality(x, 2 * x + 0.3 * run, error, run), 6)  # apart by 3 errors: 3^2 / (1 + 1)
    4.5
    """
    z = misfits(x, y, error, run)
    return float(np.nanmean(z**2)) if np.isfinite(z).any() else float("nan")


def misfits(x: Array, y: Array, error: Array, run: NDArray[np.intp]) -> Array:
    """(y_ij - Y_ij) / sqrt(dy_ij^2 + dY_ij^2) of `collapse_quality` for every point, NaN where nothing surrounds it."""
    y = y - _shared_curve(x, y, error, run)
    sums = np.zeros((5, len(x)))  # of w, w a, w a^2, w b, w a b over the support; a, b as seen from the point itself
    for other in np.unique(run):
        members = np.flatnonzero(run == other)
        members = members[np.argsort(x[members], kind="stable")]
        if len(members) < 2:
            continue
        inside = (run != other) & (x >= x[members[0]]) & (x <= x[members[-1]])
        right = np.clip(np.searchsorted(x[members], x[inside]), 1, len(members) - 1)
        for neighbours in (members[right - 1], members[right]):
            weight, a, b = error[neighbours] ** -2, x[neighbours] - x[inside], y[neighbours] - y[inside]
            sums[:, inside] += weight * np.stack([np.ones_like(a), a, a * a, b, a * b])
    total, first, second, values, mixed = sums
    determinant = total * second - first**2
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (second * values - first * mixed) / determinant  # Y - y
        variance = second / determinant
        return np.where(determinant > 0, -away / np.sqrt(error**2 + variance), np.nan)


def _shared_curve(x: Array, y: Array, error: Array, run: NDArray[np.intp]) -> Array:
    """Weighted polynomial in x through the points of all runs, of a degree that one run alone could carry: (point,)."""
    degree = min(HIGHEST_DEGREE, int(np.unique(run, return_counts=True)[1].max()) - 1)
    design = np.vander(x / max(float(np.max(np.abs(x))), 1e-300), degree + 1)
    weights = 1 / error
    return np.asarray(design @ np.linalg.lstsq(design * weights[:, np.newaxis], y * weights, rcond=None)[0])
