"""Double covers of closed maps: towers N, 2N, 4N, ... of sites that keep the ball round every site as full as can be.

A class of H^1(surface, Z2) is a sign on every edge with product +1 round every face, up to flips of all signs round a
site. Two copies of the map, joined crosswise along the edges of sign -1, are again a {p,q} map, of twice the sites; it
is connected where the class is not zero. A ball of the double cover has two points in one place where a loop lies in
the ball on which the class vanishes; so a larger injectivity radius is a system of linear equations over Z2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .darts import Darts, Quotient
from .growth import sphere_sizes
from .homology import Bits, Coset, homology_labels, solve, surface_genus, unpack_bits
from .kernels_homology import improve, short_loops, try_all
from .surface import dart_neighbors, orbits, site_radii

MAX_LIFT_SITES = 10_000
MAX_LIFT_GENUS = 2_000  # the time of a search grows with its cube
TRY_ALL_UP_TO = 12  # free coordinates; with more, a search from random classes
RESTARTS, PASSES = 32, 20

Lists = NDArray[np.int64]


def lift(base: Quotient, factor: int) -> Quotient:
    """The map ``"<surface> x<factor>"``, factor a power of two: the last of a tower of best double covers of `base`."""
    below = base if factor == 2 else lift(base, factor // 2)
    name, alias = (f"{word} x{factor}" if word else "" for word in (base.surface, base.alias))
    build = partial(_build_double_cover, below)
    return Quotient(base.p, base.q, name, base.order * factor, build, alias, base=below)


def tower(base: Quotient, max_order: int) -> Iterator[Quotient]:
    """The lifts of `base` of at most `max_order` darts, `MAX_LIFT_SITES` sites and genus `MAX_LIFT_GENUS`."""
    p, q, factor = base.p, base.q, 2
    curvature = p * q - 2 * p - 2 * q  # of an edge: 2g - 2 = order * curvature / (2 p q)
    largest = min(max_order, MAX_LIFT_SITES * q, 4 * p * q * (MAX_LIFT_GENUS - 1) // curvature)
    while base.order * factor <= largest:
        yield lift(base, factor)
        factor *= 2


def _build_double_cover(base: Quotient) -> Darts:
    darts = base.build()
    return double_cover(darts, np.unpackbits(_packed_signs(base), count=base.order))


@cache
def _packed_signs(base: Quotient) -> NDArray[np.uint8]:
    """The search is long and its result short, so towers are not searched twice."""
    return np.packbits(best_signs(base.p, base.q, base.build()))


def double_cover(darts: Darts, signs: NDArray[np.uint8]) -> Darts:
    """Two copies of a map, joined crosswise along the edges whose two darts have sign 1; (order,) zeros and ones."""
    order = darts.x.size
    crossed = np.where(signs, order, 0).astype(np.int32)
    x = np.concatenate([darts.x + crossed, darts.x + order - crossed]).astype(np.int32)
    z = np.concatenate([darts.z, darts.z + order]).astype(np.int32)
    y = np.empty_like(x)
    y[x[z]] = np.arange(x.size, dtype=np.int32)  # xyz = 1 and x^2 = 1: y undoes z, then x
    return Darts(x, y, z)


def best_signs(p: int, q: int, darts: Darts) -> NDArray[np.uint8]:
    """Signs (0 or 1) of the darts whose double cover has the largest injectivity radius, then fewest smallest balls.

    The radius is the largest of all classes: the equations say so. The number of sites with the smallest ball is the
    least of all classes where at most 2^`TRY_ALL_UP_TO` are left, otherwise the least found from `RESTARTS` random ones
    by flipping one coordinate after another, with a fixed seed.
    """
    vertex, corners = orbits(darts.z, q, "vertices")
    labels = homology_labels(darts, vertex, corners, p, q)
    n_bits = 2 * surface_genus(darts, p, q)
    radius = int(site_radii(dart_neighbors(darts, vertex, corners, q), p, q, len(corners)).min())
    classes = Coset(np.zeros(n_bits, dtype=np.uint8), np.eye(n_bits, dtype=np.uint8))
    while True:
        radius += 1
        spheres = np.array(list(islice(sphere_sizes(p, q), radius + 1)), dtype=np.int32)
        hopeless = np.zeros(len(corners), dtype=np.bool_)
        around = np.stack([corners, *_turns(darts.z, corners, q)], axis=1)
        sites, packed = short_loops(around, vertex[darts.x], labels, spheres, hopeless)
        loops, which = np.unique(packed, axis=0, return_inverse=True)
        bits = unpack_bits(loops, n_bits)
        opened = None if hopeless.any() else solve(bits)
        if opened is None:
            chosen = fewest_bad(bits, sites, which.ravel(), len(corners), classes)
            return (unpack_bits(labels, n_bits) @ chosen % 2).astype(np.uint8)
        classes = opened


def _turns(z: NDArray[np.int32], corners: NDArray[np.int32], q: int) -> Iterator[NDArray[np.int32]]:
    dart = corners
    for _ in range(q - 1):
        dart = z[dart]
        yield dart


def fewest_bad(rows: Bits, sites: NDArray[np.int32], which: NDArray[np.int64], n_sites: int, classes: Coset) -> Bits:
    """The class a of a coset that leaves the fewest sites with a row on which it vanishes; never the class zero.

    Parameters
    ----------
    rows
        (n_rows, n_bits), each once.
    sites, which
        Site and number of the row of every pair.
    n_sites
        Number of sites.
    classes
        Where to look.
    """
    dimension = len(classes.basis)
    effect = (rows.astype(np.float32) @ classes.basis.T.astype(np.float32)).astype(np.int64) % 2
    column, row = np.nonzero(effect.T)
    rows_of = _lists(column, row, dimension)
    pairs = np.unique(np.stack([which, sites], axis=1), axis=0)
    sites_of = _lists(pairs[:, 0], pairs[:, 1], len(rows))
    starting = (rows.astype(np.int64) @ classes.offset % 2).astype(np.uint8)

    def zeros(values: Bits) -> NDArray[np.int32]:
        return np.bincount(pairs[values[pairs[:, 0]] == 0, 1], minlength=n_sites).astype(np.int32)

    if dimension <= TRY_ALL_UP_TO:
        first = 0 if classes.offset.any() else 1
        number = try_all(dimension, rows_of, sites_of, starting, zeros(starting), first)
        best = (number >> np.arange(dimension) & 1).astype(np.uint8)
    else:
        best = _search(dimension, rows_of, sites_of, starting, zeros)
    return (classes.offset + best @ classes.basis.astype(np.int64)).astype(np.uint8) % 2


def _search(
    dimension: int, rows_of: Lists, sites_of: Lists, starting: Bits, zeros: Callable[[Bits], NDArray[np.int32]]
) -> Bits:
    """The vector with the fewest bad sites of `RESTARTS` local searches from random ones."""
    rng = np.random.default_rng(0)
    best, fewest = np.zeros(dimension, dtype=np.uint8), None
    for _ in range(RESTARTS):
        vector = rng.integers(0, 2, dimension, dtype=np.uint8)
        values = starting.copy()
        for column in np.flatnonzero(vector):
            values[rows_of[rows_of[column] : rows_of[column + 1]]] ^= 1
        orders = rng.permuted(np.tile(np.arange(dimension), (PASSES, 1)), axis=1)
        bad = improve(vector, orders, rows_of, sites_of, values, zeros(values))
        if vector.any() and (fewest is None or bad < fewest):
            best, fewest = vector, bad
    return best


def _lists(owner: NDArray[np.int64], member: NDArray[np.int64], n_owners: int) -> Lists:
    """Lists of members, one after another, owners ascending; the first n_owners + 1 entries say where they start."""
    starts = np.searchsorted(owner, np.arange(n_owners + 1)) + n_owners + 1
    return np.concatenate([starts, member])
