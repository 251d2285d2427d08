"""How well the curves of several sizes fall onto one: the quality S of a data collapse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resampling import Array


def collapse_quality(x: Array, y: Array, error: Array, run: NDArray[np.intp]) -> float:
    """Quality S = (1 / n) sum_ij (y_ij - Y_ij)^2 / (dy_ij^2 + dY_ij^2) of a data collapse: about 1 when it is good.

    Y_ij and its error dY_ij are the master curve at x_ij: the weighted straight line through the two points on either
    side of x_ij of every other run that has them. Points that no other run surrounds do not count.

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
    >>> x = np.tile(np.linspace(-1, 1, 5), 2)
    >>> collapse_quality(x, 2 * x, np.full(10, 0.1), np.repeat([0, 1], 5))
    0.0
    """
    terms = []
    for i in range(len(x)):
        support = _support(x, run, i)
        if len(support):
            value, variance = _line_at(x[i], x[support], y[support], error[support])
            terms.append((y[i] - value) ** 2 / (error[i] ** 2 + variance))
    return float(np.mean(terms)) if terms else float("nan")


def _support(x: Array, run: NDArray[np.intp], i: int) -> NDArray[np.intp]:
    """The two points of every other run between which x_i lies."""
    found: list[int] = []
    for other in np.unique(run[run != run[i]]):
        members = np.flatnonzero(run == other)
        members = members[np.argsort(x[members], kind="stable")]
        k = int(np.searchsorted(x[members], x[i]))
        if k < len(members) and x[members[k]] == x[i]:
            k = max(k, 1)
        if 0 < k < len(members):
            found.extend(members[k - 1 : k + 1])
    return np.array(found, dtype=np.intp)


def _line_at(place: float, x: Array, y: Array, error: Array) -> tuple[float, float]:
    """Value and variance at a place of the weighted straight line through points."""
    weight = error**-2
    total, mean = weight.sum(), np.average(x, weights=weight)
    spread = weight @ (x - mean) ** 2
    slope = weight @ ((x - mean) * y) / spread
    value = np.average(y, weights=weight) + slope * (place - mean)
    return float(value), float(1 / total + (place - mean) ** 2 / spread)
