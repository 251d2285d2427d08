"""Flat, complete and random lattices (hyperbolic ones live in `hyperbolic.py`)."""

from __future__ import annotations

from math import pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from .integers import as_integer
from .lattice import MAX_SITES, Lattice, Momentum
from .streams import Purpose, check_seed, generator

MAX_DIMENSION = 30


def hypercubic(L: int, d: int) -> Lattice:
    """Periodic hypercube of L^d sites in row-major order, one bond per site and axis.

    Raises
    ------
    ValueError
        L < 3 (a torus with L = 2 would double its bonds) or d < 1.
    """
    return _hypercubic(L, d, f"hypercubic({L}, {d})", "hypercubic")


def chain(L: int) -> Lattice:
    """Ring of L sites, L >= 3."""
    return _hypercubic(L, 1, f"chain({L})", "chain")


def square(L: int) -> Lattice:
    """L x L square lattice on a torus, L >= 3.

    Examples
    --------
    >>> square(4).n_sites, square(4).n_bonds
    (16, 32)
    """
    return _hypercubic(L, 2, f"square({L})", "square")


def cubic(L: int) -> Lattice:
    """L x L x L simple cubic lattice on a torus, L >= 3."""
    return _hypercubic(L, 3, f"cubic({L})", "cubic")


def triangular(L: int) -> Lattice:
    """L x L triangular lattice (degree 6) on a rhombic torus, L >= 3; site x a1 + y a2 has index x L + y."""
    L = _size(L)

    def bonds() -> NDArray[np.int32]:
        x, y = _grid(L, 2)
        ends = [(x, y + 1), (x + 1, y), (x + 1, y - 1)]
        return _bonds_from(_index(x, y, L), [_index(a, b, L) for a, b in ends])

    def coordinates() -> NDArray[np.float64]:
        x, y = _grid(L, 2)
        return np.stack([x + 0.5 * y, sqrt(3) / 2 * y], axis=-1)

    momentum = Momentum(L, 4 / sqrt(3) * sin(pi / L), lambda: _grid(L, 2))
    return Lattice(L * L, f"triangular({L})", 2, bonds, {"L": L}, coordinates, momentum, ("triangular", {"L": L}))


def honeycomb(L: int) -> Lattice:
    """Honeycomb lattice of L x L two-site cells (degree 3) on a rhombic torus, L >= 3; site 2 (x L + y) + s."""
    L = _size(L)

    def bonds() -> NDArray[np.int32]:
        x, y = _grid(L, 2)
        ends = [(x, y), (x - 1, y), (x, y - 1)]
        return _bonds_from(2 * _index(x, y, L), [2 * _index(a, b, L) + 1 for a, b in ends])

    def coordinates() -> NDArray[np.float64]:
        x, y = (np.repeat(axis, 2) + np.tile([0, 1 / 3], L * L) for axis in _grid(L, 2))
        return np.stack([sqrt(3) * (x + 0.5 * y), 1.5 * y], axis=-1)

    def thirds() -> NDArray[np.int64]:
        return 3 * np.repeat(_grid(L, 2), 2, axis=1) + np.tile([0, 1], L * L)  # sublattice B sits at (a1 + a2) / 3

    momentum = Momentum(3 * L, 4 / 3 * sin(pi / L), thirds)
    return Lattice(2 * L * L, f"honeycomb({L})", 2, bonds, {"L": L}, coordinates, momentum, ("honeycomb", {"L": L}))


def complete(n: int) -> Lattice:
    """Complete graph of n sites, n >= 2: with J = 1/n the Curie-Weiss model."""
    n = as_integer("n", n, 2, MAX_SITES)

    def bonds() -> NDArray[np.int32]:
        if n * (n - 1) // 2 >= 2**31:
            raise ValueError(f"n must be at most 65,536 for a table of the bonds of complete(n), got n={n}")
        return np.stack(np.triu_indices(n, k=1), axis=-1).astype(np.int32)

    return Lattice(n, f"complete({n})", "mean_field", bonds, recipe=("complete", {"n": n}))


def random_regular(n: int, degree: int, seed: int) -> Lattice:
    """Random graph in which every site has `degree` neighbours.

    Half-edges are paired at random; loops and repeated bonds are then removed by switching them with random bonds
    (McKay and Wormald 1990), which is uniform up to corrections of order degree^3 / n.

    Parameters
    ----------
    n, degree
        Sites and neighbours per site: 0 < degree < n with n * degree even.
    seed
        The same seed gives the same graph.

    Raises
    ------
    ValueError
        No such graph exists.
    """
    n, degree, seed = as_integer("n", n, 2, MAX_SITES), as_integer("degree", degree, 1), check_seed(seed)
    if not 0 < degree < n or n * degree % 2:
        raise ValueError(f"random_regular needs 0 < degree < n and n * degree even, got n={n}, degree={degree}")
    if degree > n // 2:
        raise ValueError(f"random_regular switches too long above degree n/2, got {degree} of {n}; use complete(n)")

    def bonds() -> NDArray[np.int32]:
        rng = generator(seed, Purpose.LATTICE, n, degree)
        pairs = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
        while (bad := _repeated(pairs, n)).size:
            for a in bad:
                b = rng.integers(len(pairs))
                pairs[a, 1], pairs[b, 1] = pairs[b, 1], pairs[a, 1]
        return pairs.astype(np.int32)

    name, recipe = f"random_regular({n}, {degree}, seed={seed})", {"n": n, "degree": degree, "seed": seed}
    return Lattice(n, name, "mean_field", bonds, {"degree": degree}, recipe=("random_regular", recipe))


def _repeated(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    key = pairs.min(axis=1) * n + pairs.max(axis=1)
    first = np.zeros(len(pairs), dtype=bool)
    first[np.unique(key, return_index=True)[1]] = True
    return np.flatnonzero(~first | (pairs[:, 0] == pairs[:, 1]))


def _hypercubic(L: int, d: int, name: str, maker: str) -> Lattice:
    L, d = _size(L), as_integer("dimension d", d, 1, MAX_DIMENSION)

    def bonds() -> NDArray[np.int32]:
        if L**d >= 2**31:
            raise ValueError(f"L^d must be below 2^31 for a table of bonds, got L={L}, d={d}")
        sites = np.arange(L**d, dtype=np.int32).reshape((L,) * d)
        return _bonds_from(sites.ravel(), [np.roll(sites, -1, axis).ravel() for axis in range(d)])

    momentum = Momentum(L, 2 * sin(pi / L), lambda: _grid(L, d))
    recipe = (maker, {"L": L} | ({"d": d} if maker == "hypercubic" else {}))
    return Lattice(L**d, name, d, bonds, {"L": L}, lambda: _grid(L, d).T.astype(np.float64), momentum, recipe)


def _size(L: int) -> int:
    if (size := as_integer("L", L, most=MAX_SITES)) < 3:
        raise ValueError(f"L must be >= 3 on a torus (L = 2 doubles the bonds), got {L}")
    return size


def _grid(L: int, d: int) -> NDArray[np.int64]:
    return np.indices((L,) * d).reshape(d, -1)


def _index(x: NDArray[np.int64], y: NDArray[np.int64], L: int) -> NDArray[np.int64]:
    return x % L * L + y % L


def _bonds_from(start: NDArray[np.integer], ends: list[NDArray[np.integer]]) -> NDArray[np.int32]:
    pairs = [np.stack([start, end], axis=-1) for end in ends]  # d arrays (n, 2)
    return np.stack(pairs, axis=1).reshape(-1, 2).astype(np.int32)
