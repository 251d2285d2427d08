"""Mean-field and random-energy models in closed form."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from ..arguments import as_number
from ..integers import as_integer
from ._common import check_beta, dataset, magnetic

MOST_STATES = 10**7  # of the sum over the magnetization
TRIANGULAR_CRITICAL_BETA = log(3) / 4
HONEYCOMB_CRITICAL_BETA = log(2 + sqrt(3)) / 2


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
    n = as_integer("n", n, 2, MOST_STATES)
    betas = check_beta(beta)
    up = np.arange(n + 1)
    M = 2.0 * up - n
    log_states = gammaln(n + 1) - gammaln(up + 1) - gammaln(n - up + 1)
    ground = -(n - 1) / 2
    energy = 2.0 * up * (n - up) / n  # above the ground state
    log_weight = log_states - betas[:, None] * energy  # (beta, M)
    log_sum = logsumexp(log_weight, axis=1)
    p = np.exp(log_weight - log_sum[:, None])
    e, missing = p @ energy, p @ (n - np.abs(M))
    heat = betas * (betas * (p * (energy - e[:, None]) ** 2).sum(axis=1)) / n
    variance = (p * (n - np.abs(M) - missing[:, None]) ** 2).sum(axis=1) / n**2
    values = {
        "log_z": (log_sum - betas * ground) / n,
        "energy": (ground + e) / n,
        "specific_heat": heat,
        **magnetic(1 - missing / n, variance, p @ M**4 / float(n) ** 4, n),
    }
    return dataset(betas, values, n)


def random_energy_model(n: int, beta: ArrayLike, sigma: float = 1.0) -> xr.Dataset:
    """Leading order of the random energy model of n states with energies N(0, sigma^2) (Derrida 1981).

    x = beta sigma, x_c = sqrt(2 ln n). Below x_c: ln Z = ln n + x^2/2, <E> = -sigma x, C = x^2, S = ln n - x^2/2;
    above: ln Z = x x_c, <E> = -sigma x_c, C = S = 0, <Y2> = 1 - x_c / x. Totals, not per site.
    """
    n, sigma = as_integer("n", n, 2), as_number("sigma", sigma, above=0)
    betas = check_beta(beta)
    x, x_c = betas * sigma, sqrt(2 * log(n))
    below, hot = x < x_c, np.minimum(x, x_c)
    values = {
        "log_z": np.where(below, log(n) + hot**2 / 2, x * x_c),
        "energy": 0.0 - sigma * hot,
        "specific_heat": np.where(below, hot**2, 0.0),
        "participation": np.where(below, 0.0, 1 - x_c / np.maximum(x, x_c)),
    }
    values["entropy"] = values["log_z"] + betas * values["energy"]
    return xr.Dataset({name: ("beta", value) for name, value in values.items()}, coords={"beta": betas})
