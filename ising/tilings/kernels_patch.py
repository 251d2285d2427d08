"""Compiled: one layer of an open tiling from the layer below it."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def grow_layer(p, start, shift, gap, children, closes_before, parent, second, slot, next_gap):  # type: ignore[no-untyped-def]
    """Children of a layer that starts at site `start`, in order round the centre, from the child `shift` on.

    gap (n,): edges still to come of the face between a site and the next; children (n,); closes_before (n,): whether a
    bond joins a site to the one before it. Filled, one entry a child: parent; second, the next site if it is a parent
    too, else -1; slot, the turn at the parent from its own parent to the child in units of 2 pi / q; next_gap.
    """
    n_sites, n_children = gap.size, parent.size
    base = -shift
    for site in range(n_sites):
        after = site + 1 if site + 1 < n_sites else 0
        for rank in range(1 if gap[site - 1] == 2 else 0, children[site]):  # a shared child belongs to the first parent
            child = base + rank
            if child < 0:
                child += n_children
            elif child >= n_children:
                child -= n_children
            parent[child] = start + site
            second[child] = -1
            slot[child] = 1 + closes_before[site] + rank
            next_gap[child] = p - 2
            if rank == children[site] - 1:
                if gap[site] != 2:
                    next_gap[child] = gap[site] - 2
                else:
                    second[child] = start + after
                    if children[after] == 1:
                        next_gap[child] = gap[after] - 2
        base += children[site] - (1 if gap[site] == 2 else 0)
