"""The infinite square lattice (Onsager 1944, Yang 1952), to relative machine precision at every temperature."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import elliprd

from ._common import check_beta, shaped_like

Array = NDArray[np.float64]
SQUARE_CRITICAL_BETA = log(1 + sqrt(2)) / 2
COLD = 200.0  # e^(-4 beta) is zero in double precision from here on
LAST_BELOW_ONE = np.nextafter(1.0, 0.0)


def onsager_energy(beta: ArrayLike) -> float | Array:
    """Energy per site of the infinite square lattice (Onsager 1944).

    u = -coth(2 beta) [1 + (2/pi) (2 tanh^2(2 beta) - 1) K(k)], k = 2 sinh(2 beta) / cosh^2(2 beta).

    Parameters
    ----------
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    A float for a scalar beta, else an array.

    Examples
    --------
    >>> round(onsager_energy(SQUARE_CRITICAL_BETA), 6)
    -1.414214
    """
    energy, _ = energy_and_slope(check_beta(beta))
    return shaped_like(beta, energy)


def onsager_specific_heat(beta: ArrayLike) -> float | Array:
    """Specific heat per site of the infinite square lattice (Onsager 1944).

    c = (2/pi) (beta coth 2 beta)^2 [2K - 2E - (1 - k') (pi/2 + k' K)], k' = 2 tanh^2(2 beta) - 1; it diverges as
    -ln |beta - beta_c|, so at the double nearest to the critical point it is large, not infinite.

    Parameters
    ----------
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    A float for a scalar beta, else an array.
    """
    b = check_beta(beta)
    _, slope = energy_and_slope(b)
    c = b * (b * (0.0 - slope))
    return shaped_like(beta, c)


def onsager_magnetization(beta: ArrayLike) -> float | Array:
    """Spontaneous magnetization of the infinite square lattice, (1 - sinh^-4 2 beta)^(1/8), 0 above T_c (Yang 1952).

    Parameters
    ----------
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    A float for a scalar beta, else an array.
    """
    p, ordered = _modulus(check_beta(beta))
    m = np.where(ordered, (1 - p) * (1 + p), 0.0) ** 0.125
    return shaped_like(beta, m)


def energy_and_slope(beta: Array) -> tuple[Array, Array]:
    """Onsager's u and du/dbeta in the modulus p of Landen's transformation: no leading terms that cancel.

    With a = (2/pi) K(p) - 1 and b = (2/pi) (E(p) - (1 - p^2) K(p)) / p^2, where p = sinh^-2(2 beta) below T_c,
    u = -sqrt(1 + p) [1 + (1 - p) (1 + a)], du/dbeta = -2 p a - 6 p^2 (1 + a) + 4 p^2 b;
    and where p = sinh^2(2 beta) above T_c, u = -coth(2 beta) [p - (1 - p) a],
    du/dbeta = -2 - 2 a/p - 2 a - 4 p (1 + a) + 4 p b.
    """
    p, ordered = _modulus(beta)
    a_over_p, b = _elliptic(p)
    a = p * a_over_p
    cold = -np.sqrt(1 + p) * (1 + (1 - p) * (1 + a))
    hot = 0.0 - np.sqrt((1 + p) * p) * (1 - (1 - p) * a_over_p)
    cold_slope = p * (-2 * a - 6 * p * (1 + a) + 4 * p * b)
    hot_slope = -2 - 2 * a_over_p - 2 * a - 4 * p * (1 + a) + 4 * p * b
    return np.where(ordered, cold, hot), np.where(ordered, cold_slope, hot_slope)


def log_z_infinite(beta: Array) -> Array:
    """The logarithm of Z per site, ln(2 cosh 2 beta) + (1/2 pi) int_0^pi ln[(1 + sqrt(1 - k^2 sin^2 phi)) / 2] dphi.

    Away from beta_c the trapezoidal rule converges exponentially: at beta_c +- 0.2 its 64 points give all digits.
    """
    sin = np.sin(pi * (np.arange(64) + 0.5) / 64)
    cold = np.minimum(beta, COLD)
    k = 2 / np.cosh(2 * cold) * np.tanh(2 * cold)
    integrand = np.log1p(np.sqrt((1 - k[:, None] * sin) * (1 + k[:, None] * sin))) - log(2)
    return 2 * beta + np.log1p(np.exp(-4 * cold)) + integrand.mean(axis=1) / 2


def _modulus(beta: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Landen's modulus, min(sinh^2 2 beta, sinh^-2 2 beta) < 1, and whether beta is above beta_c."""
    hot = np.sinh(2 * np.minimum(beta, 1.0)) ** 2
    cold = np.clip(beta, 0.1, COLD)
    p = np.where(hot > 1, 4 * np.exp(-4 * cold) / np.expm1(-4 * cold) ** 2, hot)
    return np.minimum(p, LAST_BELOW_ONE), hot > 1


def _elliptic(p: Array) -> tuple[Array, Array]:
    """((2/pi) K(p) - 1) / p and (2/pi) (E(p) - (1 - p^2) K(p)) / p^2 of the modulus p < 1, without cancellation."""
    modulus, log_k = p, np.zeros_like(p)
    for _ in range(10):
        modulus = (modulus / (1 + np.sqrt((1 - modulus) * (1 + modulus)))) ** 2
        log_k = log_k + np.log1p(modulus)
    a = np.expm1(log_k)
    b = 1 + a - 2 / (3 * pi) * elliprd(0.0, (1 - p) * (1 + p), 1.0)
    return np.divide(a, p, out=p / 4, where=p > 1e-150), b
