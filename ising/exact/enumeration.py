"""Full enumeration of small models."""

from __future__ import annotations

from math import log

import numpy as np
import xarray as xr
from numba import njit
from numpy.typing import ArrayLike

from ..arguments import as_kind
from ..model import IsingModel
from ._common import check_beta, dataset, magnetic

MAX_ENUMERATION = 28


def enumerate_model(model: IsingModel, beta: ArrayLike) -> xr.Dataset:
    """All 2^n configurations of a small model in Gray-code order, twice: for the ground state and for the sums.

    Energies are summed relative to the ground energy and |M| relative to that of a ground state, so small variances
    at low temperature keep their digits.

    Parameters
    ----------
    model
        At most 28 sites.
    beta
        Inverse temperature(s) >= 0.

    Raises
    ------
    ValueError
        Too many sites, or a beta that is negative or not finite.
    """
    lattice = as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(4))").lattice
    n = lattice.n_sites
    if n > MAX_ENUMERATION:
        raise ValueError(f"model must have at most {MAX_ENUMERATION} sites to be enumerated, got {n}")
    betas = check_beta(beta)
    couplings = np.broadcast_to(model.couplings, lattice.n_bonds).astype(np.float64)
    fields = np.broadcast_to(model.fields, n).astype(np.float64)
    graph = lattice.neighbors, lattice.neighbor_bonds, couplings, fields, model.has_field
    ground, order, _ = _enumerate(*graph, betas[:0], 0.0, 0.0)
    _, _, sums = _enumerate(*graph, betas, ground, order)
    z = sums[:, 0]
    e, e2, m1, m2, m4 = sums[:, 1:].T / z
    values = {
        "log_z": (np.log(z) + (0 if model.has_field else log(2)) - betas * ground) / n,
        "energy": (ground + e) / n,
        "specific_heat": betas * (betas * (e2 - e**2)) / n,
        **magnetic((order + m1) / n, (m2 - m1**2) / n**2, m4 / n**4, n),
    }
    return dataset(betas, values, n)


@njit(cache=True, nogil=True)
def _enumerate(neighbors, neighbor_bonds, couplings, fields, has_field, betas, ground, order):  # type: ignore[no-untyped-def]
    """Lowest energy, its |M|, and per beta the sums of w, E w, E^2 w, A w, A^2 w, M^4 w.

    E = energy - ground, A = |M| - order, w = exp(-beta E). Without a field the last spin stays up (the global flip is
    a symmetry).
    """
    n = neighbors.shape[0]
    spins = np.ones(n)
    energy = -couplings.sum() - fields.sum()
    total = float(n)
    lowest, lowest_order = energy, total
    sums = np.zeros((betas.size, 6))
    free = n if has_field else n - 1
    for step in range(np.int64(1) << free):
        if energy < lowest:
            lowest, lowest_order = energy, abs(total)
        E, A = energy - ground, abs(total) - order
        for b in range(betas.size):
            w = np.exp(-betas[b] * E)
            sums[b, 0] += w
            sums[b, 1] += w * E
            sums[b, 2] += w * E * E
            sums[b, 3] += w * A
            sums[b, 4] += w * A * A
            sums[b, 5] += w * total * total * total * total
        i = 0
        while i < free and (step >> i) & 1:
            i += 1
        if i < free:
            local = fields[i]
            for j in range(neighbors.shape[1]):
                if neighbors[i, j] < 0:
                    break
                local += couplings[neighbor_bonds[i, j]] * spins[neighbors[i, j]]
            energy += 2.0 * spins[i] * local
            total -= 2.0 * spins[i]
            spins[i] = -spins[i]
    return lowest, lowest_order, sums
