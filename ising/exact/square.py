"""The square lattice: infinite (Onsager, Yang) and on a torus (Kaufman)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import ellipe, ellipk

from ._common import check_beta, dataset

SQUARE_CRITICAL_BETA = log(1 + sqrt(2)) / 2
TRIANGULAR_CRITICAL_BETA = log(3) / 4
HONEYCOMB_CRITICAL_BETA = log(2 + sqrt(3)) / 2


def onsager_energy(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Energy per site of the infinite square lattice (Onsager 1944).

    u = -coth(2 beta) [1 + (2/pi) (2 tanh^2(2 beta) - 1) K(k)], k = 2 sinh(2 beta) / cosh^2(2 beta).

    Examples
    --------
    >>> round(onsager_energy(SQUARE_CRITICAL_BETA), 6)
    -1.414214
    """
    b = np.asarray(check_beta(beta, positive=True))
    k = 2 * np.sinh(2 * b) / np.cosh(2 * b) ** 2
    kappa = 2 * np.tanh(2 * b) ** 2 - 1
    with np.errstate(invalid="ignore"):
        elliptic = np.where(kappa == 0, 0.0, kappa * ellipk(np.minimum(k**2, 1.0)))
    energy = -(1 + 2 / pi * np.where(np.isfinite(elliptic), elliptic, 0.0)) / np.tanh(2 * b)
    return float(energy[0]) if np.ndim(beta) == 0 else energy


def onsager_specific_heat(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Specific heat per site of the infinite square lattice; infinite at the critical point (Onsager 1944).

    c = (2/pi) (beta coth 2 beta)^2 [2K - 2E - (1 - k') (pi/2 + k' K)], k' = 2 tanh^2(2 beta) - 1.
    """
    b = np.asarray(check_beta(beta, positive=True))
    m = np.minimum((2 * np.sinh(2 * b) / np.cosh(2 * b) ** 2) ** 2, 1.0)
    kappa = 2 * np.tanh(2 * b) ** 2 - 1
    c = (
        2
        / pi
        * (b / np.tanh(2 * b)) ** 2
        * (2 * ellipk(m) - 2 * ellipe(m) - (1 - kappa) * (pi / 2 + kappa * ellipk(m)))
    )
    return float(c[0]) if np.ndim(beta) == 0 else c


def onsager_magnetization(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Spontaneous magnetization of the infinite square lattice, (1 - sinh^-4 2 beta)^(1/8) (Yang 1952)."""
    b = np.asarray(check_beta(beta, positive=True))
    m = np.maximum(1 - np.sinh(2 * b) ** -4.0, 0.0) ** 0.125
    return float(m[0]) if np.ndim(beta) == 0 else m


def kaufman(L: int, beta: ArrayLike) -> xr.Dataset:
    """Square L x L torus, J = 1: ln Z, energy, specific heat and entropy per site (Kaufman 1949).

    Z = (1/2) (2 sinh 2 beta)^(N/2) sum of four products of 2 cosh and 2 sinh of L gamma_r / 2 with
    cosh gamma_r = cosh(2 beta) coth(2 beta) - cos(pi r / L), gamma_0 = 2 beta + ln tanh beta.

    Parameters
    ----------
    L
        Linear size, >= 3.
    beta
        Inverse temperature(s) > 0 in 1/J.

    Examples
    --------
    >>> round(kaufman(8, SQUARE_CRITICAL_BETA).energy.item(), 9)
    -1.491589107
    """
    if L < 3:
        raise ValueError(f"L must be >= 3 on a torus, got {L}")
    betas = check_beta(beta, positive=True)
    log_z, energy, heat = np.array([_kaufman_point(L, b) for b in betas]).T
    return dataset(betas, {"log_z": log_z, "energy": energy, "specific_heat": heat}, L * L)


def _kaufman_point(L: int, beta: float) -> tuple[float, float, float]:
    r = np.arange(2 * L)
    sinh, cosh = np.sinh(2 * beta), np.cosh(2 * beta)
    y = cosh * cosh / sinh - np.cos(pi * r / L)  # cosh gamma_r
    y1 = 2 * cosh * (1 - 1 / sinh**2)
    y2 = 4 * sinh * (1 - 1 / sinh**2) + 8 * cosh**2 / sinh**3
    gamma = np.arccosh(np.maximum(y, 1.0))
    gamma[0] = 2 * beta + log(np.tanh(beta))
    root = np.sqrt(y[1:] ** 2 - 1)
    gamma1, gamma2 = np.empty(2 * L), np.empty(2 * L)
    gamma1[1:], gamma2[1:] = y1 / root, y2 / root - y[1:] * y1**2 / root**3
    gamma1[0], gamma2[0] = 2 + 2 / sinh, -4 * cosh / sinh**2
    # each product as sign * exp(log) with first and second logarithmic derivatives; sinh(0) is kept apart
    half = L / 2
    scaled = half * gamma
    tanh = np.tanh(scaled)
    log_cosh = np.logaddexp(scaled, -scaled)
    d1c, d2c = half * gamma1 * tanh, half * gamma2 * tanh + (half * gamma1) ** 2 * (1 - tanh**2)
    log_sinh = scaled[1:] + np.log1p(-np.exp(-2 * scaled[1:]))
    coth = 1 / tanh[1:]
    d1s, d2s = half * gamma1[1:] * coth, half * gamma2[1:] * coth + (half * gamma1[1:]) ** 2 * (1 - coth**2)
    odd = slice(1, None, 2)
    terms = [
        (log_cosh[odd].sum(), d1c[odd].sum(), d2c[odd].sum(), 1.0, 0.0, 0.0),
        (log_sinh[0::2].sum(), d1s[0::2].sum(), d2s[0::2].sum(), 1.0, 0.0, 0.0),
        (log_cosh[0::2].sum(), d1c[0::2].sum(), d2c[0::2].sum(), 1.0, 0.0, 0.0),
        (
            log_sinh[1::2].sum(), d1s[1::2].sum(), d2s[1::2].sum(),
            2 * np.sinh(scaled[0]), 2 * np.cosh(scaled[0]) * half * gamma1[0],
            2 * np.sinh(scaled[0]) * (half * gamma1[0]) ** 2 + 2 * np.cosh(scaled[0]) * half * gamma2[0],
        ),
    ]  # fmt: skip
    return _combine(terms, L, beta)


def _combine(terms: Sequence[tuple[float, ...]], L: int, beta: float) -> tuple[float, float, float]:
    """Ln Z, -d ln Z / d beta and beta^2 d^2 ln Z / d beta^2 per site of Z = prefactor * sum f exp(g)."""
    top = max(term[0] for term in terms)
    z = z1 = z2 = 0.0
    for g, g1, g2, f, f1, f2 in terms:
        w = np.exp(g - top)
        z += w * f
        z1 += w * (f1 + f * g1)
        z2 += w * (f2 + 2 * f1 * g1 + f * (g2 + g1 * g1))
    n = L * L
    coth = 1 / np.tanh(2 * beta)
    log_z = (top + log(z) - log(2)) / n + log(2 * np.sinh(2 * beta)) / 2
    first = z1 / z / n + coth
    second = (z2 / z - (z1 / z) ** 2) / n - 2 / np.sinh(2 * beta) ** 2
    return log_z, -first, beta**2 * second
