"""Local polynomials through noisy curves, fitted to the estimate and to all its jackknife replicas at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from scipy.special import chdtrc

from .resampling import Array, jackknife_error

WINDOWS = (7, 6, 5)
LOWEST_P, HOPELESS_P = 0.1, 1e-3
NEWTON_STEPS = 4


@dataclass(frozen=True, eq=False)
class LocalFit:
    """Polynomials in x = (beta - center) / scale.

    Attributes
    ----------
    coefficients
        (degree + 1, 1 + block), constant term first; column 0 fits the estimate, the others the replicas.
    low, high
        Range of the fitted points, in x.
    chi2, dof
        Of the fit to the estimate.
    """

    coefficients: Array
    low: float
    high: float
    chi2: float
    dof: int


def fit_nearby(beta: Array, rows: Array, center: float, scale: float) -> LocalFit:
    """Fit the points nearest to a center: the largest of the windows of 7, 6 and 5 points that is not hopeless.

    That is p >= 0.001; below 0.1 the errors allow for the misfit. A window chosen by what noise does to p would add its
    own scatter, which no error knows: with p >= 0.1 and from 8 to 4 points, errors of crossings were 15 to 30 % small.
    Where all are hopeless, it is the one of lowest chi2 / dof.

    Parameters
    ----------
    beta
        (n_beta,)
    rows
        (1 + block, n_beta): the estimate, then its jackknife replicas.
    center, scale
        Origin and unit of the polynomial's variable.
    """
    nearest = np.argsort(np.abs(beta - center), kind="stable")
    fits = [fit_points(beta, rows, np.sort(nearest[:n_points]), center, scale) for n_points in WINDOWS]
    bearable = [fit for fit in fits if _credible(fit, HOPELESS_P)]
    return allow_for_misfit(bearable[0] if bearable else min(fits, key=lambda fit: fit.chi2 / fit.dof))


def fit_points(beta: Array, rows: Array, chosen: NDArray[np.intp], center: float, scale: float) -> LocalFit:
    """Weighted polynomial through chosen points, of a degree up to 3 that leaves a degree of freedom where it can.

    The weights are those of the estimate for every replica.
    """
    x, errors = (beta[chosen] - center) / scale, floored_errors(rows)[chosen]
    degree = max(1, min(3, len(x) - 2))
    design = polynomial.polyvander(x, degree) / errors[:, np.newaxis]  # (point, degree + 1)
    targets = (rows[:, chosen] / errors).T  # (point, 1 + block)
    coefficients = np.linalg.lstsq(design, targets, rcond=None)[0]
    chi2 = float(np.sum((targets[:, 0] - design @ coefficients[:, 0]) ** 2))
    return LocalFit(coefficients, float(x.min()), float(x.max()), chi2, len(x) - degree - 1)


def allow_for_misfit(fit: LocalFit) -> LocalFit:
    """Spread the replicas about the estimate by sqrt(chi2 / dof) where the fit is not credible (p < 0.1).

    Every error that follows from the replicas then allows for a grid too coarse for its error bars.
    """
    if _credible(fit):
        return fit
    estimate = fit.coefficients[:, :1]
    return replace(fit, coefficients=estimate + np.sqrt(fit.chi2 / fit.dof) * (fit.coefficients - estimate))


def _credible(fit: LocalFit, lowest_p: float = LOWEST_P) -> bool:
    return fit.dof == 0 or bool(chdtrc(fit.dof, fit.chi2) > lowest_p)


def floored_errors(rows: Array) -> Array:
    """Jackknife errors of (1 + block, n_beta) rows, none below 1 % of their median, so that no weight is infinite."""
    errors = jackknife_error(rows)
    positive = errors[errors > 0.0]
    floor = 0.01 * np.median(positive) if len(positive) else 1.0
    return np.maximum(errors, floor)


def rising_root(coefficients: Array, low: float, high: float) -> float:
    """Root nearest to 0, in [low, high], at which a polynomial (constant term first) rises; NaN if there is none."""
    roots = polynomial.polyroots(np.trim_zeros(coefficients, "b"))
    real = roots[np.isreal(roots)].real
    slope = polynomial.polyval(real, polynomial.polyder(coefficients))
    inside = real[(real >= low) & (real <= high) & (slope > 0.0)]
    return float(inside[np.argmin(np.abs(inside))]) if len(inside) else np.nan


def follow_root(coefficients: Array, root: float) -> Array:
    """Newton's method from the root of the estimate to those of its replicas: (degree + 1, k) -> (k,)."""
    derivative = polynomial.polyder(coefficients)
    roots = np.full(coefficients.shape[1], root)
    for _ in range(NEWTON_STEPS):
        value = polynomial.polyval(roots, coefficients, tensor=False)
        roots = roots - value / polynomial.polyval(roots, derivative, tensor=False)
    return roots
