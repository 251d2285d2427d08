"""The infinite {p,q} lattice: which pairs are hyperbolic, and how its spheres grow."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral


def check_hyperbolic(p: int, q: int) -> None:
    """Refuse Euclidean, spherical and impossible {p,q} with a ValueError that says which it is."""
    if not (isinstance(p, Integral) and isinstance(q, Integral)) or p < 3 or q < 3:
        raise ValueError(f"p and q must be integers >= 3, got p={p!r}, q={q!r}")
    excess = (p - 2) * (q - 2) - 4
    if excess <= 0:
        kind = "Euclidean (see square, triangular, honeycomb)" if excess == 0 else "spherical (a finite polyhedron)"
        raise ValueError(f"{{{p},{q}}} is {kind}: a hyperbolic lattice needs (p-2)(q-2) > 4, got {excess + 4}")


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
