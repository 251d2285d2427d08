"""The square lattice on a torus (Kaufman 1949)."""

from __future__ import annotations

from math import cosh, exp, log, pi, sinh, tanh

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..integers import as_integer
from ._common import check_beta, dataset
from .onsager import energy_and_slope, log_z_infinite

Array = NDArray[np.float64]
HOT, COLD = 1e-20, 7.0  # beyond these loops and walls round the torus change no digit of the infinite lattice


def kaufman(L: int, beta: ArrayLike) -> xr.Dataset:
    """Square L x L torus, J = 1: ln Z, energy, specific heat and entropy per site (Kaufman 1949).

    Z = (1/2) (2 sinh 2 beta)^(N/2) sum of four products of 2 cosh and 2 sinh of L gamma_r / 2 with
    cosh gamma_r = cosh(2 beta) coth(2 beta) - cos(pi r / L), gamma_0 = 2 beta + ln tanh beta.

    Parameters
    ----------
    L
        Linear size, >= 3.
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    Dataset over beta. The specific heat keeps ten digits or more (L = 3; fourteen from L = 4 on) down to where it
    underflows, beta of about 90; `log_z` and `entropy` are accurate to 1e-14 x (1 + beta) absolute.

    Raises
    ------
    ValueError
        L below 3, or a beta that is negative or not finite.

    Notes
    -----
    Where |gamma_0| > 1 the four products are divided by the infinite lattice: with <.> the mean over real momenta,
    (1/2 L) sum over odd (even) r of gamma_r = <gamma>/2 + <ln(1 +- e^(-L gamma))> / L, so that deviations from the
    ground state or from beta = 0 are summed as they are, instead of appearing as differences of large sums.

    Examples
    --------
    >>> round(kaufman(8, 0.5).energy.item(), 9)
    -1.74568317
    """
    L = as_integer("L", L, 3)
    betas = check_beta(beta)
    log_z, energy, heat = np.array([_point(L, float(b)) for b in betas]).T
    return dataset(betas, {"log_z": log_z, "energy": energy, "specific_heat": heat}, L * L)


def _point(L: int, beta: float) -> tuple[float, float, float]:
    """Ln Z, energy and specific heat per site from a part per site and a part of the whole torus."""
    if beta < HOT or beta > COLD:
        per_site, torus = _infinite(beta), np.array([log(2) if beta > 1 else 0.0, 0.0, 0.0])
    elif abs(2 * beta + log(tanh(beta))) > 1:
        per_site, torus = _infinite(beta), _four_products(L, beta, divided=True)
    else:
        s = sinh(2 * beta)
        per_site = np.array([log(2 * s) / 2, cosh(2 * beta) / s, -2 / s**2])
        torus = _four_products(L, beta, divided=False)
    log_z, first, second = per_site + torus / L**2
    return log_z, 0.0 - first, beta * (beta * second)


def _infinite(beta: float) -> Array:
    """Ln Z per site of the infinite lattice and its two derivatives."""
    b = np.array([beta])
    energy, slope = energy_and_slope(b)
    return np.array([log_z_infinite(b)[0], -energy[0], -slope[0]])


def _four_products(L: int, beta: float, divided: bool) -> Array:
    """Logarithm of half the sum of Kaufman's four products, and its two derivatives.

    Each product is f e^g: g sums over the modes, f is 1 or the factor of the mode r = 0 in the last product, which
    changes sign at beta_c. `divided`: relative to e^(N <gamma> / 2).
    """
    s = sinh(2 * beta)
    sign = 1.0 if s >= 1 else -1.0
    zero = np.array([2 * beta + log(tanh(beta)), 2 + 2 / s, -4 * cosh(2 * beta) / s**2])
    modes = np.column_stack([sign * zero, _modes(beta, pi * np.arange(1, 2 * L) / L)])  # (3, 2 L)
    plus, minus = _log_one_plus(1, modes, L), _log_one_plus(-1, modes[:, 1:], L)
    if divided:
        waves = _modes(beta, pi * (np.arange(64) + 0.5) / 64)
        odd, even = (L * _log_one_plus(sign, waves, L).mean(axis=1) for sign in (1, -1))
    else:
        odd, even = L / 2 * modes[:, 1::2].sum(axis=1), L / 2 * modes[:, 0::2].sum(axis=1)
    g = np.array([
        odd + plus[:, 1::2].sum(axis=1), odd + minus[:, 0::2].sum(axis=1),
        even + plus[:, 0::2].sum(axis=1), even + minus[:, 1::2].sum(axis=1),
    ])  # fmt: skip
    f = np.array([[1.0, 0.0, 0.0]] * 4)
    rest = exp(-L * abs(zero[0]))
    f[3] = sign * (1 - rest), L * zero[1] * rest, (L * zero[2] - sign * (L * zero[1]) ** 2) * rest
    return _log_mean(f.T, g.T)


def _modes(beta: float, k: Array) -> Array:
    """(3, k.size): gamma > 0 of cosh gamma = cosh 2 beta coth 2 beta - cos k, with its two derivatives by beta."""
    s, c = sinh(2 * beta), cosh(2 * beta)
    excess = (s - 1) ** 2 / s + 2 * np.sin(k / 2) ** 2  # cosh gamma - 1
    root = np.sqrt(excess * (2 + excess))
    slope = 2 * c * (s - 1) * (s + 1) / s**2
    curvature = 4 * (s - 1) * (s + 1) / s + 8 * c**2 / s**3
    first = slope / root
    return np.array([2 * np.arcsinh(np.sqrt(excess / 2)), first, (curvature - (1 + excess) * first**2) / root])


def _log_one_plus(sign: int, modes: Array, L: int) -> Array:
    """(3, modes): ln(1 + sign e^(-L gamma)) with its two derivatives by beta."""
    gamma, first, second = modes
    t = sign * np.exp(-L * gamma)
    share = t / (1 + t)
    return np.array([np.log1p(t), -L * share * first, L * share * (L * first**2 / (1 + t) - second)])


def _log_mean(f: Array, g: Array) -> Array:
    """ln[(1/2) sum f e^g] and its two derivatives, from (3, terms) arrays of f, g and their derivatives."""
    top = g[:, g[0].argmax()][:, None]
    g = g - top  # a common linear part adds to the logarithm, so only differences are squared
    w = np.exp(g[0])
    z = (w * f[0]).sum()
    first = (w * (f[1] + f[0] * g[1])).sum() / z
    second = (w * (f[2] + 2 * f[1] * g[1] + f[0] * (g[2] + g[1] ** 2))).sum() / z - first**2
    return top[:, 0] + np.array([log(z / 2), first, second])
