"""The map of darts on its closed surface, read off the permutations and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, takewhile

import numpy as np
from numpy.typing import NDArray

from .darts import Darts, Quotient
from .growth import sphere_sizes
from .kernels_maps import fill_distances, fill_radii


@dataclass(frozen=True, eq=False)
class ClosedMap:
    """A checked map on a closed surface.

    Attributes
    ----------
    bonds
        (n_bonds, 2) int32, the lower site first, ascending.
    n_faces, genus
        Number of faces, genus of the surface.
    radius
        Injectivity radius: the largest r at which the ball round every site has as many sites as in the infinite {p,q}
        lattice.
    n_smallest
        Number of sites whose ball is full up to `radius` and no further.
    simple
        Whether the graph has neither loops nor double bonds.
    bipartite
        Whether the sites fall into two classes with all bonds between them.
    """

    bonds: NDArray[np.int32]
    n_faces: int
    genus: int
    radius: int
    n_smallest: int
    simple: bool
    bipartite: bool


@cache
def injectivity_radius(quotient: Quotient) -> int:
    """Injectivity radius of a map, by the shortest way."""
    return quotient.quick_radius() if quotient.quick_radius else closed_map(quotient).radius


@lru_cache(maxsize=4)
def closed_map(quotient: Quotient) -> ClosedMap:
    """Build the darts and read the map off them; a failed check is a ValueError that names it."""
    p, q, darts = quotient.p, quotient.q, quotient.build()
    what = f"the {{{p},{q}}} map {quotient.surface!r}"
    vertex, corners = orbits(darts.z, q, f"{what}: vertices of degree {q}")
    _, edges = orbits(darts.x, 2, f"{what}: edges of two darts")
    _, faces = orbits(darts.y, p, f"{what}: faces of {p} sides")
    neighbors = dart_neighbors(darts, vertex, corners, q)
    distance = np.empty(len(corners), dtype=np.int32)
    reached = fill_distances(neighbors, np.empty_like(distance), distance)
    if reached != len(corners) or darts.x.size != quotient.order:
        raise ValueError(f"{what}: connected, of {quotient.order} darts: failed")
    euler = len(corners) - len(edges) + len(faces)
    if euler % 2 or euler > -2:
        raise ValueError(f"{what}: Euler characteristic 2 - 2g with g >= 2: failed with {euler}")
    bonds = np.sort(np.stack([vertex[edges], vertex[darts.x[edges]]], axis=1), axis=1)
    bonds = bonds[np.lexsort(bonds.T[::-1])]
    simple = bool((bonds[:, 0] < bonds[:, 1]).all() and (np.diff(bonds, axis=0) != 0).any(axis=1).all())
    bipartite = bool(((distance[bonds[:, 0]] + distance[bonds[:, 1]]) % 2).all())
    radii = site_radii(neighbors, p, q, 1 if quotient.regular else len(corners))
    n_smallest = len(corners) if quotient.regular else int((radii == radii.min()).sum())
    return ClosedMap(bonds, len(faces), 1 - euler // 2, int(radii.min()), n_smallest, simple, bipartite)


def orbits(permutation: NDArray[np.int32], length: int, what: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The orbit of every dart and the first dart of every orbit; every orbit must have the given length."""
    darts = np.arange(permutation.size, dtype=np.int32)
    first, image = darts.copy(), darts
    for _ in range(length - 1):
        image = permutation[image]
        np.minimum(first, image, out=first)
    starts = np.flatnonzero(first == darts).astype(np.int32)
    if (permutation[image] != darts).any() or starts.size * length != darts.size:
        raise ValueError(f"{what}: failed")
    number = np.empty_like(darts)
    number[starts] = np.arange(starts.size, dtype=np.int32)
    return number[first], starts


def dart_neighbors(darts: Darts, vertex: NDArray[np.int32], corners: NDArray[np.int32], q: int) -> NDArray[np.int32]:
    """(n_sites, q) int32: the neighbours of every site, in their order round it."""
    around = [corners]
    for _ in range(q - 1):
        around.append(darts.z[around[-1]])
    return vertex[darts.x[np.stack(around, axis=1)]]


def site_radii(neighbors: NDArray[np.int32], p: int, q: int, n_centres: int) -> NDArray[np.int32]:
    """(n_centres,) int32: how far the balls round the first sites are full; a group needs one, it moves any to any."""
    n_sites = len(neighbors)
    room = takewhile(lambda ball: ball <= n_sites, accumulate(sphere_sizes(p, q)))
    spheres = np.diff([0, *room]).astype(np.int32)
    radii = np.empty(n_centres, dtype=np.int32)
    fill_radii(neighbors, spheres, np.empty(n_sites, dtype=np.int32), np.full(n_sites, -1, dtype=np.int32), radii)
    return radii
