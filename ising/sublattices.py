"""The two sublattices of a bipartite lattice: bonds join sites of opposite sign."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .bit_tables import color
from .lattice import Lattice

_SIGNS: WeakKeyDictionary[Lattice, NDArray[np.int8] | None] = WeakKeyDictionary()


def sublattice_signs(lattice: Lattice) -> NDArray[np.int8] | None:
    """(n_sites,) of +-1, opposite at the two ends of every bond; None where an odd ring of bonds forbids it.

    The first site of every connected part is +1. With these signs the gauge transformation s_i -> sign_i s_i turns an
    antiferromagnet into the ferromagnet of the same |J|.

    Examples
    --------
    >>> import ising
    >>> sublattice_signs(ising.chain(4)).tolist(), sublattice_signs(ising.chain(5))
    ([1, -1, 1, -1], None)
    """
    if lattice not in _SIGNS:
        _SIGNS[lattice] = _find_signs(lattice)
    return _SIGNS[lattice]


def _find_signs(lattice: Lattice) -> NDArray[np.int8] | None:
    if lattice.n_bonds > lattice.n_sites**2 // 4:  # more bonds always close a triangle (Mantel 1907)
        return None
    colors = color(lattice.neighbors)
    ends = colors[lattice.bonds]
    if colors.max() > 1 or (ends[:, 0] == ends[:, 1]).any():
        return None
    signs = (1 - 2 * colors).astype(np.int8)
    signs.setflags(write=False)
    return signs
