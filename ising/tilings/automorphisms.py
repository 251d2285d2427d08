"""Symmetries of closed maps as permutations of the sites, to average correlations over."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..integers import as_integer
from ..lattice import Lattice, as_lattice
from .catalog import find_name
from .darts import Darts, Quotient
from .kernels_maps import extends, mark_automorphisms
from .surface import orbits


def automorphisms(lattice: Lattice, count: int, seed: int = 0) -> NDArray[np.int32]:
    """Random orientation-preserving automorphisms of a closed hyperbolic map: g takes site i to site g[i].

    They take bonds to bonds and faces to faces, so <s_i s_j> = <s_g(i) s_g(j)> in the ferromagnet. Of a regular map the
    whole group acts, of order q n_sites: it moves any site to any other. A lift keeps at least the exchange of its two
    sheets.

    Parameters
    ----------
    lattice
        From `closed_hyperbolic`.
    count
        How many, each drawn uniformly from the group and independently.
    seed
        Seed of the draws.

    Returns
    -------
    (count, n_sites) int32
        One permutation a row.

    Raises
    ------
    ValueError
        A lattice that is not a closed hyperbolic map, a count below 1 or a negative seed.

    Examples
    --------
    >>> from ising import closed_hyperbolic
    >>> lattice = closed_hyperbolic(3, 7, surface="klein")
    >>> images = automorphisms(lattice, 1000)
    >>> images.shape, len(set(images[:, 0].tolist()))  # site 0 goes everywhere
    ((1000, 24), 24)
    """
    count, seed = as_integer("count", count, 1), as_integer("seed", seed, 0)
    if not {"p", "q", "surface"} <= as_lattice(lattice).attrs.keys():
        raise ValueError(f"lattice must be from closed_hyperbolic to have known automorphisms, got {lattice.name!r}")
    quotient = find_name(lattice.attrs["p"], lattice.attrs["q"], lattice.attrs["surface"])
    darts, targets = _darts_and_targets(quotient)
    vertex, corners = orbits(darts.z, quotient.q, "vertices")
    image, queue = np.empty_like(darts.x), np.empty_like(darts.x)
    permutations = np.empty((count, lattice.n_sites), dtype=np.int32)
    for row, target in zip(permutations, np.random.default_rng(seed).choice(targets, count)):
        extends(darts.x, darts.z, queue, target, image)
        row[:] = vertex[image[corners]]
    return permutations


@lru_cache(maxsize=2)
def _darts_and_targets(quotient: Quotient) -> tuple[Darts, NDArray[np.int32]]:
    """The darts, and those to which an automorphism takes dart 0: it is the only one that does."""
    darts = quotient.build()
    possible = np.ones(darts.x.size, dtype=np.bool_)
    if not quotient.regular:
        mark_automorphisms(darts.x, darts.z, np.empty_like(darts.x), np.empty_like(darts.x), possible)
    return darts, np.flatnonzero(possible).astype(np.int32)
