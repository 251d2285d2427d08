"""Full enumeration of small models."""

from __future__ import annotations

from math import log

import numpy as np
import xarray as xr
from numba import njit
from numpy.typing import ArrayLike

from ..model import IsingModel
from ._common import check_beta, dataset, magnetic

MAX_ENUMERATION = 28


def enumerate_model(model: IsingModel, beta: ArrayLike) -> xr.Dataset:
    """All 2^n configurations of a small model in Gray-code order.

    Parameters
    ----------
    model
        At most 28 sites.
    beta
        Inverse temperature(s) >= 0.

    Raises
    ------
    ValueError
        Too many sites.
    """
    lattice = model.lattice
    n = lattice.n_sites
    if n > MAX_ENUMERATION:
        raise ValueError(f"enumeration takes at most {MAX_ENUMERATION} sites, got {n}")
    betas = check_beta(beta)
    couplings = np.broadcast_to(model.couplings, lattice.n_bonds).astype(np.float64)
    fields = np.broadcast_to(model.fields, n).astype(np.float64)
    reference = -np.abs(couplings).sum() - np.abs(fields).sum()
    sums = _enumerate(lattice.neighbors, lattice.neighbor_bonds, couplings, fields, betas, reference, model.has_field)
    z, e, e2, m1, m2, m4 = sums.T / np.where(np.arange(6) > 0, sums[:, :1], 1.0).T
    energy = reference + e
    log_z = np.log(z) + (0 if model.has_field else log(2)) - betas * reference
    values = {
        "log_z": log_z / n,
        "energy": energy / n,
        "specific_heat": betas**2 * (e2 - e**2) / n,
        **magnetic(m1 / n, m2 / n**2, m4 / n**4, n),
    }
    return dataset(betas, values, n)


@njit(cache=True, nogil=True)
def _enumerate(neighbors, neighbor_bonds, couplings, fields, betas, reference, has_field):  # type: ignore[no-untyped-def]
    """Sums of w, E w, E^2 w, |M| w, M^2 w, M^4 w with w = exp(-beta (E - reference)), E relative to the reference.

    Without a field the last spin stays up (the global flip is a symmetry).
    """
    n = neighbors.shape[0]
    spins = np.ones(n)
    energy = -couplings.sum() - fields.sum() - reference
    total = float(n)
    sums = np.zeros((betas.size, 6))
    free = n if has_field else n - 1
    for step in range(np.int64(1) << free):
        for b in range(betas.size):
            w = np.exp(-betas[b] * energy)
            sums[b, 0] += w
            sums[b, 1] += w * energy
            sums[b, 2] += w * energy * energy
            sums[b, 3] += w * abs(total)
            sums[b, 4] += w * total * total
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
    return sums
