"""Hyperbolic lattices {p,q}, faces of p sides and q neighbours at every site: closed surfaces without a boundary."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, islice
from numbers import Integral
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .lattice import Lattice
from .triangle_group import FAMILIES, TABLE, Darts, Quotient, quotients

RADIUS_RULE_FROM = 1_000  # sites; smaller maps are admitted whatever their injectivity radius
MAX_SITES = 1_000_000


class SmallRadiusWarning(UserWarning):
    """A closed map looks like the infinite lattice only up to a distance that is small for its size."""


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


def closed_hyperbolic(
    p: int, q: int, n_sites: int | None = None, surface: str | None = None, *, allow_small_radius: bool = False
) -> Lattice:
    """The closed hyperbolic lattice {p,q}: the vertices of a regular map on a surface of genus g >= 2.

    Among the known maps of exactly `n_sites` sites the one with the largest injectivity radius is taken; a tie goes to
    the first in this order: relator table, then PSL(2,l) and PGL(2,l) by prime l and number. V - E + F = 2 - 2g.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site: {3,7}, {7,3}, {4,5}, {5,4}, and others by the name of a surface.
    n_sites
        Number of sites; see `available_sizes`.
    surface
        Instead of `n_sites`: a name, such as ``"klein"``, ``"macbeath"``, ``"bolza"``, ``"bring"``, ``"T5.3"``, or what
        ``attrs["surface"]`` of a lattice says, such as ``"PSL(2,13) #2"``.
    allow_small_radius
        From 1,000 sites on, a map whose injectivity radius is below 2/3 of the best map of the same {p,q} with no more
        sites is refused; True admits it with a `SmallRadiusWarning`.

    Returns
    -------
    Lattice
        With attrs p, q, genus, injectivity_radius, surface, group_order and n_faces.

    Raises
    ------
    ValueError
        An impossible or unsupported {p,q}, a size or surface that is not there, a map that is not a simple graph, a
        small injectivity radius.

    Examples
    --------
    >>> lattice = closed_hyperbolic(3, 7, surface="klein")
    >>> lattice.n_sites, lattice.n_bonds, lattice.attrs["genus"]
    (24, 84, 3)
    """
    _check_hyperbolic(p, q)
    if (n_sites is None) == (surface is None):
        raise ValueError(f"give exactly one of n_sites and surface, got n_sites={n_sites!r}, surface={surface!r}")
    quotient = _by_name(p, q, surface) if surface is not None else _by_size(p, q, n_sites)
    closed = _closed_map(quotient)
    if not closed.simple:
        raise ValueError(
            f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites is not a simple graph (it has loops "
            f"or double bonds); {_nearest_sizes(p, q, quotient.n_sites)}"
        )
    _check_radius(quotient, closed.radius, allow_small_radius)
    attrs = {
        "p": int(p),
        "q": int(q),
        "genus": closed.genus,
        "injectivity_radius": closed.radius,
        "surface": quotient.surface,
        "group_order": quotient.order,
        "n_faces": closed.n_faces,
    }
    name = f"closed_hyperbolic({p},{q},{quotient.n_sites})"
    return Lattice(quotient.n_sites, name, "mean_field", lambda: closed.bonds, MappingProxyType(attrs))


def available_sizes(p: int, q: int, n_max: int = 10_000) -> list[int]:
    """The sizes that ``closed_hyperbolic(p, q, n_sites=...)`` knows as simple graphs, ascending.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site.
    n_max
        Largest number of sites listed; maps that need ``allow_small_radius=True`` are among them.

    Examples
    --------
    >>> available_sizes(5, 4, 2_000)
    [30, 40, 330, 1710]
    """
    _check_hyperbolic(p, q)
    return sorted({quotient.n_sites for quotient in quotients(p, q, n_max * q) if _radius(quotient) >= 1})


# --- The search ------------------------------------------------------------------------------------------------------


def _check_hyperbolic(p: int, q: int) -> None:
    if not (isinstance(p, Integral) and isinstance(q, Integral)) or p < 3 or q < 3:
        raise ValueError(f"p and q must be integers >= 3, got p={p!r}, q={q!r}")
    excess = (p - 2) * (q - 2) - 4
    if excess <= 0:
        kind = "Euclidean (see square, triangular, honeycomb)" if excess == 0 else "spherical (a finite polyhedron)"
        raise ValueError(f"{{{p},{q}}} is {kind}: a hyperbolic lattice needs (p-2)(q-2) > 4, got {excess + 4}")


def _by_size(p: int, q: int, n_sites: int | None) -> Quotient:
    if not isinstance(n_sites, Integral) or not 1 <= n_sites <= MAX_SITES:
        raise ValueError(f"n_sites must be an integer from 1 to {MAX_SITES}, got {n_sites!r}")
    maps = [quotient for quotient in quotients(p, q, int(n_sites) * q) if quotient.n_sites == n_sites]
    if not maps:
        raise ValueError(f"no closed {{{p},{q}}} map with {n_sites} sites is known; {_nearest_sizes(p, q, n_sites)}")
    return max(maps, key=_radius)  # the first of equals


def _by_name(p: int, q: int, surface: str) -> Quotient:
    field = re.fullmatch(r"P[SG]L\(2,(\d{1,3})\) #\d+", surface, re.IGNORECASE)
    order = int(field[1]) ** 3 if field else max(row.order for row in TABLE)
    for quotient in quotients(p, q, min(order, MAX_SITES * q)):
        if quotient.called(surface):
            return quotient
    here = [quotient.surface for quotient in quotients(p, q, 3_000)]
    known = f"take one of {', '.join(here)}, ...; " if here else ""
    raise ValueError(f"no surface {surface!r} of {{{p},{q}}} is known; {known}{_supported()}")


def _supported() -> str:
    families = ", ".join(f"{{{p},{q}}}" for p, q in FAMILIES)
    named = ", ".join(f"{row.name!r} {{{row.p},{row.q}}}" for row in TABLE)
    return f"available are {families} by n_sites, and the surfaces {named}, each also with p and q exchanged"


def _nearest_sizes(p: int, q: int, n_sites: int) -> str:
    """The available sizes next below and above, for error messages."""
    sizes = {quotient.n_sites: quotient for quotient in quotients(p, q, min(100 * (n_sites + 100), MAX_SITES) * q)}

    def first(candidates: Iterable[int]) -> int | None:
        return next((size for size in candidates if _radius(sizes[size]) >= 1), None)

    below = first(size for size in sorted(sizes, reverse=True) if size < n_sites)
    above = first(size for size in sorted(sizes) if size > n_sites)
    known = " and ".join(str(size) for size in (below, above) if size is not None)
    return f"the nearest available sizes: {known}" if known else _supported()


def _check_radius(quotient: Quotient, radius: int, allow: bool) -> None:
    """Refuse a map whose radius is below 2/3 of the best map of the same {p,q} with no more sites."""
    if quotient.n_sites < RADIUS_RULE_FROM:
        return
    p, q = quotient.p, quotient.q
    needed = 3 * radius // 2 + 1  # the smallest integer above 3/2 of the radius
    ball = next(islice(accumulate(sphere_sizes(p, q)), needed, None))
    rivals = [rival for rival in quotients(p, q, quotient.order) if rival.n_sites >= ball]  # it must have room
    best = max(rivals, key=lambda rival: (_radius(rival), rival.n_sites), default=quotient)
    if _radius(best) < needed:
        return
    message = (
        f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites has injectivity radius {radius}, below "
        f"2/3 of the {_radius(best)} of {best.surface!r} with {best.n_sites} sites"
    )
    if not allow:
        raise ValueError(f"{message}; take that one, or pass allow_small_radius=True")
    warnings.warn(message, SmallRadiusWarning, stacklevel=3)


# --- The map of a quotient, and its checks ---------------------------------------------------------------------------


def sphere_sizes(p: int, q: int) -> Iterator[int]:
    """Number of sites at distance 0, 1, 2, ... from a site of the infinite {p,q} lattice.

    The coefficients of N(t) / D(t), with m = p // 2: for even p

        N = 1 + 2 t + ... + 2 t^(m-1) + t^m,    D = 1 - (q-2) (t + ... + t^(m-1)) + t^m;

    for odd p both go on, palindromic, to t^(2m), with 4 in N and -(q-4) in D at t^m (the growth of the triangle groups,
    Floyd and Plotnick 1987).
    """
    half = p // 2
    above, below = [1, *[2] * (half - 1)], [1, *[2 - q] * (half - 1)]
    if p % 2:
        above, below = [*above, 4, *above[::-1]], [*below, 4 - q, *below[::-1]]
    else:
        above, below = [*above, 1], [*below, 1]
    sizes: list[int] = []
    while True:
        source = above[len(sizes)] if len(sizes) < len(above) else 0
        sizes.append(source - sum(factor * size for factor, size in zip(below[1:], sizes[::-1], strict=False)))
        yield sizes[-1]


@cache
def _radius(quotient: Quotient) -> int:
    return _closed_map(quotient).radius


@lru_cache(maxsize=4)
def _closed_map(quotient: Quotient) -> ClosedMap:
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
    return ClosedMap(bonds, len(faces), 1 - euler // 2, _injectivity_radius(p, q, spheres), simple)


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


def _injectivity_radius(p: int, q: int, spheres: list[int]) -> int:
    """Largest r with full spheres up to r; the group moves any site to any other, so one centre speaks for all."""
    equal = [here == infinite for here, infinite in zip(spheres, sphere_sizes(p, q), strict=False)]
    return (*equal, False).index(False) - 1
