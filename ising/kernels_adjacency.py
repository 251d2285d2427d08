"""Compiled: neighbours of every site from a list of bonds."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def count_ends(bonds, degree):  # type: ignore[no-untyped-def]
    """Add to degree (n_sites,) the bonds (n_bonds, 2) that end at each site."""
    for bond in range(bonds.shape[0]):
        degree[bonds[bond, 0]] += 1
        degree[bonds[bond, 1]] += 1


@njit(cache=True, nogil=True)
def fill_neighbors(bonds, filled, neighbors):  # type: ignore[no-untyped-def]
    """Enter the neighbours of every site into neighbors (n_sites, max_degree), in the order of the bonds.

    filled (n_sites,) comes as zeros and leaves as the degrees.
    """
    for bond in range(bonds.shape[0]):
        one, other = bonds[bond, 0], bonds[bond, 1]
        neighbors[one, filled[one]] = other
        filled[one] += 1
        neighbors[other, filled[other]] = one
        filled[other] += 1


@njit(cache=True, nogil=True)
def fill_neighbor_bonds(bonds, filled, neighbor_bonds):  # type: ignore[no-untyped-def]
    """As `fill_neighbors`, with the bond in place of the neighbour."""
    for bond in range(bonds.shape[0]):
        for site in bonds[bond]:
            neighbor_bonds[site, filled[site]] = bond
            filled[site] += 1
