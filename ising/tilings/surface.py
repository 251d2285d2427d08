"""The map of a finite quotient on its closed surface, read off the group and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from .darts import Darts, Quotient
from .growth import sphere_sizes


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
        Injectivity radius: the largest r at which a ball has as many sites as in the infinite {p,q} lattice.
    simple
        Whether the graph has neither loops nor double bonds.
    """

    bonds: NDArray[np.int32]
    n_faces: int
    genus: int
    radius: int
    simple: bool


@cache
def injectivity_radius(quotient: Quotient) -> int:
    """Injectivity radius of the map of a quotient."""
    return closed_map(quotient).radius


@lru_cache(maxsize=4)
def closed_map(quotient: Quotient) -> ClosedMap:
    """Enumerate the group and read the map off it; a failed check is a ValueError that names it."""
    p, q, darts = quotient.p, quotient.q, quotient.build()
    what = f"the {{{p},{q}}} map {quotient.surface!r}"
    vertex, corners = _orbits(darts.z, q, f"{what}: vertices of degree {q}")
    _, edges = _orbits(darts.x, 2, f"{what}: edges of two darts")
    _, faces = _orbits(darts.y, p, f"{what}: faces of {p} sides")
    neighbors = _neighbors(darts, vertex, corners, q)
    spheres = _spheres(neighbors)
    if sum(spheres) != len(corners) or darts.x.size != quotient.order:
        raise ValueError(f"{what}: connected, of {quotient.order} darts: failed")
    euler = len(corners) - len(edges) + len(faces)
    if euler % 2 or euler > -2:
        raise ValueError(f"{what}: Euler characteristic 2 - 2g with g >= 2: failed with {euler}")
    bonds = np.sort(np.stack([vertex[edges], vertex[darts.x[edges]]], axis=1), axis=1)
    bonds = bonds[np.lexsort(bonds.T[::-1])]
    simple = bool((bonds[:, 0] < bonds[:, 1]).all() and (np.diff(bonds, axis=0) != 0).any(axis=1).all())
    return ClosedMap(bonds, len(faces), 1 - euler // 2, _full_spheres(p, q, spheres), simple)


def _orbits(permutation: NDArray[np.int32], length: int, what: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
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


def _neighbors(darts: Darts, vertex: NDArray[np.int32], corners: NDArray[np.int32], q: int) -> NDArray[np.int32]:
    """(n_sites, q) int32: the neighbours of every site, in their order round it."""
    around = [corners]
    for _ in range(q - 1):
        around.append(darts.z[around[-1]])
    return vertex[darts.x[np.stack(around, axis=1)]]


def _spheres(neighbors: NDArray[np.int32]) -> list[int]:
    """Number of sites at distance 0, 1, 2, ... from site 0."""
    new = np.ones(len(neighbors), dtype=bool)
    shell, sizes = np.zeros(1, dtype=np.int64), []
    while shell.size:
        new[shell] = False
        sizes.append(shell.size)
        shell = np.unique(neighbors[shell])
        shell = shell[new[shell]]
    return sizes


def _full_spheres(p: int, q: int, spheres: list[int]) -> int:
    """Largest r with full spheres up to r; the group moves any site to any other, so one centre speaks for all."""
    equal = [here == infinite for here, infinite in zip(spheres, sphere_sizes(p, q), strict=False)]
    return (*equal, False).index(False) - 1
