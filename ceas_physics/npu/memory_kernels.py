"""Compiled: Hebbian couplings of patterns, and zero-temperature relaxation to an attractor."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def pattern_sums(patterns, bonds, sums):  # type: ignore[no-untyped-def]
    """Fill sums[b] = sum_mu xi_i^mu xi_j^mu over the bonds (i, j); `patterns` is (n_sites, n_patterns) int8."""
    for b in range(len(bonds)):
        first, second = patterns[bonds[b, 0]], patterns[bonds[b, 1]]
        total = np.int32(0)
        for mu in range(len(first)):
            total += first[mu] * second[mu]
        sums[b] = total


@njit(cache=True, nogil=True)
def descend(neighbors, couplings, fields, tolerance, order, spins):  # type: ignore[no-untyped-def]
    """Flip spins against their local field, one at a time in the given order, round after round, until none is left.

    Parameters
    ----------
    neighbors, couplings
        (n_sites, max_degree): int32 padded with -1, and J of those bonds.
    fields
        (n_sites,) h.
    tolerance
        A spin counts as against its local field f_i if s_i f_i < -tolerance.
    order
        (n_sites,) int.
    spins
        (n_sites,) int8, changed in place.
    """
    local_fields = np.empty(len(spins))
    for i in range(len(spins)):
        total = fields[i]
        for k in range(neighbors.shape[1]):
            j = neighbors[i, k]
            if j < 0:
                break
            total += couplings[i, k] * spins[j]
        local_fields[i] = total
    flipped = True
    while flipped:
        flipped = False
        for i in order:
            if spins[i] * local_fields[i] < -tolerance:
                spins[i] = -spins[i]
                flipped = True
                for k in range(neighbors.shape[1]):
                    j = neighbors[i, k]
                    if j < 0:
                        break
                    local_fields[j] += 2 * couplings[i, k] * spins[i]
