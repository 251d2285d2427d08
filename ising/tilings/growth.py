"""The infinite {p,q} lattice: which pairs are hyperbolic, its lengths and areas, and how its spheres grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import acosh, cos, pi, sin

import numpy as np

from ..integers import as_integer

MAX_SIDES = 2**31 - 1
MOST_TERMS = 1_000  # of the growth series, whose length is p


def check_hyperbolic(p: int, q: int) -> tuple[int, int]:
    """P and q as Python integers; a ValueError for Euclidean, spherical and impossible {p,q} says which it is."""
    p, q = as_integer("p", p, 3, MAX_SIDES), as_integer("q", q, 3, MAX_SIDES)
    excess = (p - 2) * (q - 2) - 4
    if excess <= 0:
        kind = "Euclidean (see square, triangular, honeycomb)" if excess == 0 else "spherical (a finite polyhedron)"
        raise ValueError(f"{{{p},{q}}} is {kind}: a hyperbolic lattice needs (p-2)(q-2) > 4, got {excess + 4}")
    return p, q


def sphere_sizes(p: int, q: int) -> Iterator[int]:
    """Number of sites at distance 0, 1, 2, ... from a site of the infinite {p,q} lattice.

    The coefficients of N(t) / D(t), with m = p // 2: for even p

        N = 1 + 2 t + ... + 2 t^(m-1) + t^m,    D = 1 - (q-2) (t + ... + t^(m-1)) + t^m;

    for odd p both go on, palindromic, to t^(2m), with 4 in N and -(q-4) in D at t^m (the growth of the triangle groups,
    Floyd and Plotnick 1987).

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.
    """
    p, q = check_hyperbolic(p, q)
    as_integer("p", p, 3, MOST_TERMS)
    return _quotient_of_series(*_growth_series(p, q))


def _quotient_of_series(above: list[int], below: list[int]) -> Iterator[int]:
    """The coefficients of N(t) / D(t), D(0) = 1."""
    sizes: list[int] = []
    while True:
        source = above[len(sizes)] if len(sizes) < len(above) else 0
        sizes.append(source - sum(factor * size for factor, size in zip(below[1:], sizes[::-1], strict=False)))
        yield sizes[-1]


def layer_sizes(p: int, q: int, center: str) -> Iterator[int]:
    """Number of sites at distance 0, 1, 2, ... from a site (``"site"``) or from the p sites of a face (``"cell"``).

    Between neighbours of a layer lies one unfinished face, known by the number r of its edges still to come. In layer
    n + 1 every site with k children opens k - 1 faces with r = p - 2; r = 2 closes with a child that two sites share;
    r = 1 closes with a bond inside the layer, on which a face with r = p - 1 opens; any other r falls by 2.
    """
    unfinished = Counter({p: 1} if center == "site" else {1: p})
    sites, parents = unfinished.total(), 0
    while True:
        yield sites
        closing = unfinished.pop(1, 0)
        unfinished[p - 1] += closing
        children = q * sites - parents - 2 * closing
        shared = unfinished.pop(2, 0)
        unfinished = Counter({r - 2: count for r, count in unfinished.items()})
        unfinished[p - 2] += children - sites
        sites, parents = children - shared, children


def _growth_series(p: int, q: int) -> tuple[list[int], list[int]]:
    """Coefficients of N and D of `sphere_sizes`, from t^0 up."""
    half = p // 2
    above, below = [1, *[2] * (half - 1)], [1, *[2 - q] * (half - 1)]
    if p % 2:
        return [*above, 4, *above[::-1]], [*below, 4 - q, *below[::-1]]
    return [*above, 1], [*below, 1]


def growth_rate(p: int, q: int) -> float:
    """Limit of |sphere(n + 1)| / |sphere(n)|: the largest root of t^deg(D) D(1/t), D the denominator of `sphere_sizes`.

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.

    Examples
    --------
    >>> round(growth_rate(3, 7), 6), round(growth_rate(7, 3), 6)
    (2.618034, 1.55603)
    """
    p, q = check_hyperbolic(p, q)
    as_integer("p", p, 3, MOST_TERMS)
    return float(np.abs(np.roots(_growth_series(p, q)[1])).max())


def edge_length(p: int, q: int) -> float:
    """Geodesic length e of an edge at curvature -1: cosh(e / 2) = cos(pi / p) / sin(pi / q).

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.
    """
    p, q = check_hyperbolic(p, q)
    return 2 * acosh(cos(pi / p) / sin(pi / q))


def area_per_site(p: int, q: int) -> float:
    """Area of the plane per site at curvature -1: 2 pi (q/2 - q/p - 1), by Gauss and Bonnet.

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.
    """
    p, q = check_hyperbolic(p, q)
    return 2 * pi * (q / 2 - q / p - 1)
