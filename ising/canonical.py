"""Canonical averages from a density of states."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from .arguments import shown
from .exact._common import check_beta, dataset
from .runs import jackknife

LARGEST_BETA = 1e100  # squares stay doubles
LARGEST_LOG = 1e15  # of g, far above 2^N of any lattice
QUANTITIES = ("log_z", "energy", "specific_heat", "entropy")


def thermodynamics_from(dos: xr.Dataset, beta: ArrayLike) -> xr.Dataset:
    """Canonical averages Z = sum_E g(E) exp(-beta E) with errors from the runs.

    Parameters
    ----------
    dos
        Result of `density_of_states`.
    beta
        Inverse temperature(s) >= 0 in 1/J.

    Returns
    -------
    xarray.Dataset
        `log_z`, `energy`, `specific_heat`, `entropy` (beta), per site as in `ising.exact`, and the jackknife error
        `X_error` of each. Levels that were not reached are missing from Z: at beta so large that they matter, the
        averages are those of the range in the attributes of `dos`.

    Raises
    ------
    ValueError
        A beta that is negative or not finite.
    """
    betas = check_beta(beta)
    if betas.max() > LARGEST_BETA:
        raise ValueError(f"beta must be at most {LARGEST_BETA:g}, got {betas.max()}")
    _check_states(dos)
    log_g, level, n = dos.log_g.values, dos.energy.values, int(dos.n_sites)
    ratio = np.exp(dos.log_g_run.values - log_g)  # (run, energy)

    def averages(kept: NDArray[np.float64]) -> NDArray[np.float64]:
        mixed = np.log(kept @ ratio / kept.sum(axis=1, keepdims=True)) + log_g  # (case, energy)
        points = [_canonical(mixed, level, b, n) for b in betas]
        return np.stack(points, axis=-1)  # (case, quantity, beta)

    mean, error = jackknife(averages, len(ratio))
    data = dataset(betas, dict(zip(QUANTITIES, mean)), n)
    errors = {f"{name}_error": ("beta", value) for name, value in zip(QUANTITIES, error)}
    return data.assign(errors).assign_attrs(dos.attrs)


def _check_states(dos: xr.Dataset) -> None:
    needed = {"log_g": ("energy",), "log_g_run": ("run", "energy"), "energy": ("energy",), "n_sites": ()}
    if not isinstance(dos, xr.Dataset) or any(
        name not in dos or dos[name].dims != dims or dos[name].size == 0 or dos[name].dtype.kind not in "iuf"
        for name, dims in needed.items()
    ):
        raise ValueError(f"dos must be a result of density_of_states, got {shown(dos)}")
    if not (np.abs(dos.log_g) < LARGEST_LOG).all() or np.isnan(dos.log_g_run).any() or not dos.n_sites > 0:
        raise ValueError("dos must hold finite log_g and n_sites > 0; take the result of density_of_states as it is")


def _canonical(
    log_g: NDArray[np.float64], energy: NDArray[np.float64], beta: float, n_sites: int
) -> NDArray[np.float64]:
    """Ln Z, <H>, beta^2 var H and the entropy, per site, of every row of log_g (case, energy) -> (case, quantity)."""
    log_weight = log_g - beta * energy
    log_z = logsumexp(log_weight, axis=1)
    p = np.exp(log_weight - log_z[:, None])
    mean = p @ energy
    heat = beta**2 * (p * (energy - mean[:, None]) ** 2).sum(axis=1)
    return np.stack([log_z, mean, heat, log_z + beta * mean], axis=-1) / n_sites
