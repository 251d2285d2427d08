"""Straight lines through estimates from sizes that grow, with correlated errors: where they point for infinite size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from .resampling import Array

LOWEST_P = 0.05


@dataclass(frozen=True)
class Extrapolation:
    """Value at x = 0 of y = a + b x.

    Attributes
    ----------
    value, error
        a; the error is the fit's, joined in quadrature with the way from the last point to a.
    chi2, dof
        Of the fit.
    first
        Index of the first point used.
    shift
        Change of the value when the first point used is left out; NaN where fewer than two points remain.
    """

    value: float
    error: float
    chi2: float
    dof: int
    first: int
    shift: float


def extrapolate(x: Array, y: Array, covariance: Array) -> Extrapolation:
    """Generalised least squares y = a + b x through two points or more, ordered towards x = 0.

    The first points are dropped while the fit is not credible (p < 0.05). The way from the last point to the
    extrapolation enters the error in full: an allowance for the drift not seen.
    """
    for first in range(len(y) - 1):
        value, variance, chi2 = _intercept(x[first:], y[first:], covariance[first:, first:])
        dof = len(y) - first - 2
        if dof == 0 or chdtrc(dof, chi2) > LOWEST_P:
            break
    rest = slice(first + 1, None)
    shift = _intercept(x[rest], y[rest], covariance[rest, rest])[0] - value if dof > 0 else np.nan
    return Extrapolation(value, float(np.sqrt(variance + (value - y[-1]) ** 2)), chi2, dof, first, float(shift))


def _intercept(x: Array, y: Array, covariance: Array) -> tuple[float, float, float]:
    """The value of a, its variance, chi-square."""
    design = np.stack([np.ones_like(x), x / x[0]], axis=1)
    weights = np.linalg.inv(covariance)
    parameter_covariance = np.linalg.inv(design.T @ weights @ design)
    parameters = parameter_covariance @ design.T @ weights @ y
    residual = y - design @ parameters
    return float(parameters[0]), float(parameter_covariance[0, 0]), float(residual @ weights @ residual)
