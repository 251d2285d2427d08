r"""Rows of n independent normal scores, the random energy model at finite n: exact averages by quadrature.

Z = sum_i exp(beta s_i) has the Laplace transform E[exp(-t Z)] = phi(t)^n, phi(t) = E[exp(-w)], w = t exp(beta s). With
t = exp(u) and powers of 1/Z written as Gamma integrals, every average of a row is one integral over u, whose integrand
needs E[w^k exp(-w)] of one normal score:

    E[ln Z]  = int du (exp(-e^u) - phi^n)
    E[Y_k]   = n / Gamma(k) int du E[w^k e^-w] phi^(n-1),         Y_k = sum_i p_i^k
    E[Y_2^2] = E[Y_4] + n (n-1) / Gamma(4) int du E[w^2 e^-w]^2 phi^(n-2)

Gaussian integration by parts, with x = beta sigma, gives the rest: E[<s>] = sigma x (1 - E[Y_2]),
E[H] = E[ln Z] - x^2 (1 - E[Y_2]) and E[C] = x^2 (1 - E[Y_2]) - 2 x^4 (E[Y_2] - 4 E[Y_3] + 3 E[Y_2^2]). The trapezoidal
rule is exact to rounding on these integrands, for any n (1e30 as well as 16).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, factorial, lgamma, log, sqrt

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar

STEP = 0.25  # of u: the integrands are analytic for |Im u| < pi/2, so that the rule errs by exp(-pi^2 / STEP)
LARGEST = 7.0  # of ln w: exp(-exp(7)) is 0 in double precision
REACH = 10.0  # standard deviations beyond the largest score that still weigh less than 1e-22


@dataclass(frozen=True)
class RowPeak:
    """Peak of the exact E[C] in units of 1/sigma: place, C there, and where C is half of that."""

    place: float
    height: float
    low: float
    high: float

    @property
    def relative_width(self) -> float:
        """(high - low) / place."""
        return (self.high - self.low) / self.place


@dataclass(frozen=True)
class _Transform:
    """On the grid u: ln phi, and moments[k] = E[w^k exp(-w)] of one score."""

    u: NDArray[np.float64]
    log_phi: NDArray[np.float64]
    moments: dict[int, NDArray[np.float64]]

    def integral(self, log_factor: float, values: NDArray[np.float64], power: float) -> float:
        """The integral over u of exp(log_factor) values phi^power."""
        return STEP * float(np.sum(values * np.exp(log_factor + power * self.log_phi)))


def _transform(n: float, x: float) -> _Transform:
    z_limit = sqrt(2.0 * log(n)) + REACH
    z = np.linspace(-z_limit, z_limit, 2 * int(z_limit * max(10.0, 3.0 * x)) + 1)
    density = (z[1] - z[0]) * np.exp(-0.5 * z * z) / sqrt(2.0 * np.pi)
    u = np.arange(-45.0 - log(n) - x * z_limit, x * z_limit + 5.0, STEP)
    log_phi, moments = np.empty(len(u)), {k: np.empty(len(u)) for k in (1, 2, 3, 4)}
    for start in range(0, len(u), 256):
        block = slice(start, start + 256)
        w = np.exp(np.minimum(u[block, None] + x * z, LARGEST))
        log_phi[block] = np.log1p(np.maximum(_mean(np.expm1(-w), density), -1.0 + 1e-16))
        power = np.exp(-w)
        for k in moments:
            power *= w
            moments[k][block] = _mean(power, density)
    return _Transform(u, log_phi, moments)


def _mean(values: NDArray[np.float64], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Averages over the scores z of (u, z); without BLAS, whose threads would wait for each other."""
    return np.asarray(np.einsum("uz,z->u", values, density))


def _averages(n: float, x: float) -> tuple[float, float, float, float]:
    """E[ln Z], E[Y_2], E[H], E[C] for sigma = 1."""
    if x == 0.0:
        return log(n), 1.0 / n, log(n), 0.0
    row = _transform(n, x)
    log_z = STEP * float(np.sum(np.exp(-np.exp(np.minimum(row.u, LARGEST))) - np.exp(n * row.log_phi)))
    y2, y3, y4 = (row.integral(log(n) - lgamma(k), row.moments[k], n - 1) for k in (2, 3, 4))
    pairs = log(n) + log(n - 1) - log(factorial(3))
    y2_squared = y4 + row.integral(pairs, row.moments[2] ** 2, n - 2)
    entropy = log_z - x * x * (1.0 - y2)
    return log_z, y2, entropy, x**2 * (1.0 - y2) - 2.0 * x**4 * (y2 - 4.0 * y3 + 3.0 * y2_squared)


def _check(n: float) -> float:
    if not 2 <= n < np.inf:
        raise ValueError(f"n must be at least 2 scores, and finite, got {n}")
    return float(n)


def rem_averages(n: float, beta: ArrayLike, sigma: float = 1.0) -> xr.Dataset:
    """Exact averages over rows of n independent N(0, sigma^2) scores.

    Parameters
    ----------
    n
        Number of scores, >= 2; the cost hardly depends on it.
    beta
        Inverse temperature(s) >= 0, in 1/score.
    sigma
        Standard deviation of the scores, > 0.

    Returns
    -------
    xarray.Dataset
        Dimension `beta`: log_z = E[ln Z], entropy = E[H], participation = E[Y2], specific_heat = E[beta^2 Var_p[s]].

    Raises
    ------
    ValueError
        n < 2, beta < 0 or sigma <= 0.

    Examples
    --------
    >>> round(rem_averages(2, 0.0).entropy.item(), 12)
    0.69314718056
    """
    betas = np.atleast_1d(np.asarray(beta, dtype=float))
    if not (np.isfinite(betas) & (betas >= 0)).all():
        raise ValueError(f"beta must be finite and >= 0, got {betas}")
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be positive and finite, got {sigma}")
    columns = np.array([_averages(_check(n), float(x)) for x in betas * sigma]).T
    names = ("log_z", "participation", "entropy", "specific_heat")
    return xr.Dataset({name: ("beta", column) for name, column in zip(names, columns)}, {"beta": betas})


def rem_peak(n: float) -> RowPeak:
    """Peak of the exact E[C] of n independent N(0, 1) scores, and its half-maximum band.

    Examples
    --------
    >>> round(rem_peak(256).place / (2 * log(256)) ** 0.5, 4)
    0.7637
    """
    n = _check(n)
    x_c = sqrt(2.0 * log(n))

    def heat(log_x: float) -> float:
        return _averages(n, exp(log_x))[3]

    found = minimize_scalar(
        lambda log_x: -heat(log_x), bounds=(log(0.4 * x_c), log(1.6 * x_c)), method="bounded", options={"xatol": 1e-5}
    )
    top, height = float(found.x), -float(found.fun)

    def end(direction: float) -> float:
        outside = top + direction * STEP
        while heat(outside) > height / 2.0:
            outside += direction * STEP
        inside = outside - direction * STEP
        return exp(brentq(lambda log_x: heat(log_x) - height / 2.0, inside, outside, xtol=1e-6))

    return RowPeak(exp(top), height, end(-1.0), end(1.0))


def planted_weight(n: float, beta: float, s0: float) -> float:
    """Mean weight E[p_0] = int du w_0 e^(-w_0) phi^n, w_0 = e^(u + beta s0), of a key of score s0 beside n of N(0, 1).

    Its weight reaches 1/2 near `attention.planted_half_weight_beta`, which takes the background's mean for the whole.
    """
    if not (0 < beta < np.inf and np.isfinite(s0)):
        raise ValueError(f"beta must be > 0 and s0 finite, got {beta} and {s0}")
    row = _transform(_check(n), beta)
    log_w = np.minimum(row.u + beta * s0, LARGEST)
    return row.integral(0.0, np.exp(log_w - np.exp(log_w)), n)
