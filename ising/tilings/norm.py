"""The norm of the adjacency matrix A of the infinite {p,q}: bounds from both sides."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ..integers import as_integer
from .cone_types import Word, around, gap_over, next_ring, windows
from .growth import check_hyperbolic

Array = NDArray[np.float64]
Neighbor = tuple[int, Word]  # how many rings up, and its type
MOST_SIDES = 100  # the number of types grows with p and q
REACH = 3  # a site's type: the sites up to so far to either side in its ring
CENTER: Word = ()


def norm_bounds(p: int, q: int) -> tuple[float, float]:
    """A lower and an upper bound on the norm of A, the largest value of its spectrum, on the infinite {p,q} lattice.

    Sites are told apart by type: the piece of their ring round a centre within 3 sites, see `cone_types`.

    Upper: for any weights with m(v,w) m(w,v) = 1 on the bonds, ||A|| <= max_v sum_w m(v,w), because
    2 |f(v) f(w)| <= m f(v)^2 + f(w)^2 / m. The weights depend on the types at both ends and on the direction; log m is
    optimised, a convex problem, and the maximum is then taken over all combinations of types round a site.

    Lower: the Rayleigh quotient of f = omega^(-n/2) g(type) on rings n, omega the growth rate: the largest eigenvalue
    of S + U + U^T, where S counts the bonds inside a ring and U those between two, over the root of the numbers of
    sites of the types at both ends; finitely many rings come as close as one likes. Where it is larger, the norm of the
    tree, 2 sqrt(q - 1) (Kesten 1959). Both bounds hold up to rounding errors.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site, (p - 2)(q - 2) > 4.

    Returns
    -------
    lower, upper
        They differ by 0.008 % ({7,3}), 0.05 % ({5,4}), 0.07 % ({3,7}), 0.5 % ({4,6}), 1.2 % ({4,7}).

    Raises
    ------
    ValueError
        {p,q} is not hyperbolic.

    Examples
    --------
    >>> [round(bound, 3) for bound in norm_bounds(3, 7)]
    [6.509, 6.513]
    """
    p, q = check_hyperbolic(p, q)
    return _bounds(as_integer("p", p, 3, MOST_SIDES), as_integer("q", q, 3, MOST_SIDES))


@lru_cache
def _bounds(p: int, q: int) -> tuple[float, float]:
    return max(_lower(p, q), 2 * sqrt(q - 1)), _upper(p, q)


def neighborhoods(p: int, q: int) -> dict[tuple[Word, tuple[Neighbor, ...]], None]:
    """All combinations (type of a site, sorted (rings up, type) of its q neighbours) that occur, as ordered keys."""
    gap = gap_over(p - 2, p)
    first_ring, middle = (gap, 1) * (2 * REACH + 5) + (gap,), REACH + 2
    first = around(first_ring, middle, REACH)
    found = {(CENTER, ((1, first),) * q): None, (first, _neighbors(first_ring, middle, [(-1, CENTER)], p, q)): None}
    for window, children in windows(p, q, middle).items():
        for child in children:
            parents = range(middle, middle + child[2 * middle + 1])
            below = [(-1, around(window, parent, REACH)) for parent in parents]
            found[around(child, middle, REACH), _neighbors(child, middle, below, p, q)] = None
    return found


def _neighbors(ring: Word, site: int, below: list[Neighbor], p: int, q: int) -> tuple[Neighbor, ...]:
    """The parents given, the neighbours in the ring and the children of a site."""
    above, parents = next_ring(ring, p, q)
    children = [(1, around(above, child, REACH)) for child, its in enumerate(parents) if site in its]
    left, _, right = around(ring, site, 0)
    beside = [(0, around(ring, site + step, REACH)) for step, gap in ((-1, left), (1, right)) if gap < 0]
    return tuple(sorted(below + beside + children))


def _upper(p: int, q: int) -> float:
    """The smallest max_v sum_w m(v,w) found: a soft maximum, hardened in steps."""
    from scipy.optimize import minimize

    number: dict[tuple[Neighbor, Neighbor], int] = {}
    places, signs = [], []
    for center, neighbors in neighborhoods(p, q):
        there = [((up, center), (-up, other)) for up, other in neighbors]
        places.append([number.setdefault(min(bond, bond[::-1]), len(number)) for bond in there])
        signs.append([(bond > bond[::-1]) - (bond < bond[::-1]) for bond in there])
    place, sign = np.array(places), np.array(signs, dtype=np.float64)  # (neighbourhood, neighbour)

    def soft_maximum(log_m: Array, hardness: float) -> tuple[float, Array]:
        m = np.exp(sign * log_m[place])
        sums = m.sum(axis=1)
        share = (sums / sums.max()) ** hardness
        value = float(sums.max() * share.sum() ** (1 / hardness))
        slope = value * (share / sums / share.sum())[:, None] * m * sign
        return value, np.bincount(place.ravel(), slope.ravel(), len(number)).astype(np.float64)

    log_m = np.zeros(len(number))
    for hardness in (1e1, 1e2, 1e3, 1e4, 1e5):
        log_m = minimize(soft_maximum, log_m, args=(hardness,), jac=True, method="L-BFGS-B").x
    return float(np.exp(sign * log_m[place]).sum(axis=1).max())


def _lower(p: int, q: int) -> float:
    """The largest eigenvalue of A among functions of ring and type, far from the centre."""
    followers = windows(p, q, REACH + 1)
    place = {window: k for k, window in enumerate(followers)}
    substitution = np.zeros((len(place), len(place)))
    for window, children in followers.items():
        for child in children:
            substitution[place[child], place[window]] += 1
    values, vectors = np.linalg.eig(substitution)
    growth, counts = values.real.max(), np.abs(vectors[:, values.real.argmax()].real)
    types = {around(window, REACH + 1, REACH) for window in followers}
    kind = {one: k for k, one in enumerate(sorted(types))}
    sites, bonds = np.zeros(len(kind)), np.zeros((len(kind), len(kind)))
    for window, count in zip(followers, counts, strict=True):
        here = kind[around(window, REACH + 1, REACH)]
        sites[here] += count
        for up, other in _neighbors(window, REACH + 1, [], p, q):
            bonds[here, kind[other]] += count / np.sqrt(growth) if up else count / 2
    lasting = sites > 1e-12 * sites.sum()  # the types of the first rings die out
    scale = np.sqrt(sites[lasting])
    quotient = bonds[lasting][:, lasting] / np.outer(scale, scale)
    return float(np.linalg.eigvalsh(quotient + quotient.T)[-1])
