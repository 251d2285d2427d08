"""One-dimensional, mean-field and random-energy models in closed form."""

from __future__ import annotations

from math import atanh, log, sqrt
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp

from ._common import check_beta, dataset, magnetic


def ring(n: int, beta: ArrayLike, J: float = 1.0, h: float = 0.0) -> xr.Dataset:
    """Ring of n spins by its 2 x 2 transfer matrix: ln Z, energy and specific heat per site, any J and h.

    Z = lambda_+^n + lambda_-^n,
    lambda_+- = e^(beta J) cosh(beta h) +- sqrt(e^(2 beta J) sinh^2(beta h) + e^(-2 beta J)).
    Derivatives are taken in complex arithmetic to machine precision (energy) and by central differences of the energy.

    Examples
    --------
    >>> round(ring(8, 1.0).energy.item(), 9)
    -0.817662875
    """
    if n < 3:
        raise ValueError(f"a ring needs n >= 3 sites, got {n}")
    betas = check_beta(beta)

    def log_z(b: NDArray[Any]) -> NDArray[Any]:
        root = np.sqrt(np.exp(2 * b * J) * np.sinh(b * h) ** 2 + np.exp(-2 * b * J))
        plus, minus = np.exp(b * J) * np.cosh(b * h) + root, np.exp(b * J) * np.cosh(b * h) - root
        return np.log(plus) + np.log1p((minus / plus) ** n) / n

    def energy(b: NDArray[np.float64]) -> NDArray[np.float64]:
        return -log_z(b + 1e-30j).imag / 1e-30

    step = 1e-5
    heat = -(betas**2) * (energy(betas + step) - energy(betas - step)) / (2 * step)
    values = {"log_z": log_z(betas + 0j).real, "energy": energy(betas), "specific_heat": heat}
    return dataset(betas, values, n)


def curie_weiss(n: int, beta: ArrayLike) -> xr.Dataset:
    """Complete graph with J = 1/n: sum over the magnetization, H = -(M^2 - n) / (2 n).

    Parameters
    ----------
    n
        Number of sites, >= 2.
    beta
        Inverse temperature(s) >= 0; the infinite system is critical at 1.

    Examples
    --------
    >>> round(curie_weiss(1024, 1.0).binder.item(), 5)
    0.28129
    """
    if n < 2:
        raise ValueError(f"n must be >= 2, got {n}")
    betas = check_beta(beta)
    up = np.arange(n + 1)
    M = 2.0 * up - n
    log_states = gammaln(n + 1) - gammaln(up + 1) - gammaln(n - up + 1)
    energy = -(M**2 - n) / (2 * n)
    log_weight = log_states - betas[:, None] * energy  # (beta, M)
    log_z = logsumexp(log_weight, axis=1)
    p = np.exp(log_weight - log_z[:, None])
    e = p @ energy
    values = {
        "log_z": log_z / n,
        "energy": e / n,
        "specific_heat": betas**2 * (p * (energy - e[:, None]) ** 2).sum(axis=1) / n,
        **magnetic(p @ np.abs(M) / n, p @ M**2 / n**2, p @ M**4 / n**4, n),
    }
    return dataset(betas, values, n)


def bethe_critical_beta(degree: int) -> float:
    """Critical beta of the Bethe lattice and of random regular graphs: atanh(1 / (degree - 1)), J = 1.

    Examples
    --------
    >>> round(bethe_critical_beta(7), 6)
    0.168236
    """
    if degree < 3:
        raise ValueError(f"a Bethe lattice orders at finite temperature for degree >= 3, got {degree}")
    return atanh(1 / (degree - 1))


def random_energy_model(n: int, beta: ArrayLike, sigma: float = 1.0) -> xr.Dataset:
    """Leading order of the random energy model of n states with energies N(0, sigma^2) (Derrida 1981).

    x = beta sigma, x_c = sqrt(2 ln n). Below x_c: ln Z = ln n + x^2/2, <E> = -sigma x, C = x^2, S = ln n - x^2/2;
    above: ln Z = x x_c, <E> = -sigma x_c, C = S = 0, <Y2> = 1 - x_c / x. Totals, not per site.
    """
    if n < 2 or not sigma > 0:
        raise ValueError(f"random_energy_model needs n >= 2 and sigma > 0, got n={n}, sigma={sigma}")
    betas = check_beta(beta)
    x, x_c = betas * sigma, sqrt(2 * log(n))
    below = x < x_c
    values = {
        "log_z": np.where(below, log(n) + x**2 / 2, x * x_c),
        "energy": -sigma * np.minimum(x, x_c),
        "specific_heat": np.where(below, x**2, 0.0),
        "participation": np.where(below, 0.0, 1 - x_c / np.maximum(x, x_c)),
    }
    values["entropy"] = values["log_z"] + betas * values["energy"]
    return xr.Dataset({name: ("beta", value) for name, value in values.items()}, coords={"beta": betas})
