"""Compiled: distances from a site, and the sums over shells behind C(r)."""

from __future__ import annotations

import numpy as np
from numba import njit

INT64_ZERO = np.int64(0)


@njit(cache=True, nogil=True)
def shells(neighbors, source, seen, order, starts):  # type: ignore[no-untyped-def]
    """Breadth-first search: the sites by distance into `order`, the first place of every shell into `starts`.

    Parameters
    ----------
    neighbors
        (n_sites, max_degree) int32, padded with -1.
    seen
        (n_sites,) bool, scratch.
    order, starts
        (n_sites,) and (n_sites + 1,) int32, filled: shell r is order[starts[r] : starts[r + 1]].

    Returns
    -------
    int
        Number of shells, the source's own included; sites out of reach are in none.
    """
    seen[:] = False
    seen[source] = True
    order[0] = source
    starts[0] = 0
    starts[1] = 1
    first, last, n_shells = 0, 1, 1
    while last > first:
        end = last
        for place in range(first, last):
            for k in range(neighbors.shape[1]):
                site = neighbors[order[place], k]
                if site < 0:
                    break
                if not seen[site]:
                    seen[site] = True
                    order[end] = site
                    end += 1
        first, last = last, end
        if last > first:
            n_shells += 1
            starts[n_shells] = last
    return n_shells


@njit(cache=True, nogil=True)
def keep(order, starts, n_shells, wanted):  # type: ignore[no-untyped-def]
    """Drop from the shells, in place, the sites that are not wanted: (n_sites,) bool."""
    end = begin = 0
    for r in range(n_shells):
        for place in range(begin, starts[r + 1]):
            if wanted[order[place]]:
                order[end] = order[place]
                end += 1
        begin = starts[r + 1]
        starts[r + 1] = end


@njit(cache=True, nogil=True)
def add_products(spins, source, order, starts, n_shells, sums):  # type: ignore[no-untyped-def]
    """Add s_source times the sum of every shell to sums (configuration, distance); spins (configuration, site) int8."""
    for row in range(spins.shape[0]):
        own = np.int64(spins[row, source])
        for r in range(n_shells):
            total = INT64_ZERO
            for place in range(starts[r], starts[r + 1]):
                total += spins[row, order[place]]
            sums[row, r] += own * total
