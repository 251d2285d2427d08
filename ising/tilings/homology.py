"""The Z2 homology of a closed map: a label of 2g bits on every dart, and linear equations for classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .darts import Darts
from .kernels_homology import eliminate, fill_labels, span
from .surface import orbits

Bits = NDArray[np.uint8]


class Coset(NamedTuple):
    """Classes offset + span of the rows of basis: (n_bits,) and (dimension, n_bits), of zeros and ones."""

    offset: Bits
    basis: Bits


def surface_genus(darts: Darts, p: int, q: int) -> int:
    """Genus of a map with faces of p sides and vertices of degree q."""
    order = darts.x.size
    return 1 - (order // q - order // 2 + order // p) // 2


def homology_labels(
    darts: Darts, vertex: NDArray[np.int32], corners: NDArray[np.int32], p: int, q: int
) -> NDArray[np.uint64]:
    """(order, n_words): 2g bits on every dart, one basis class of H^1(surface, Z2) a bit.

    Edges of a spanning tree have label 0; the 2g edges that are neither in it nor in a spanning tree of the faces
    across the other edges have one bit each; the sum round every face gives the rest.
    """
    face, starts = orbits(darts.y, p, "faces")
    n_words = (2 * surface_genus(darts, p, q) + 63) // 64
    free = np.ones(darts.x.size, dtype=bool)
    for follow, cell, start, length in ((darts.z, vertex, corners, q), (darts.y, face, starts, p)):
        entry, order = np.empty(len(start), dtype=np.int32), np.empty(len(start), dtype=np.int32)
        span(follow, cell, start, length, np.where(free, darts.x, -1).astype(np.int32), entry, order)
        free[entry[1:]] = free[darts.x[entry[1:]]] = False
    labels = np.zeros((darts.x.size, n_words), dtype=np.uint64)
    left = np.flatnonzero(free & (darts.x > np.arange(darts.x.size)))
    bit = np.arange(left.size)
    labels[left, bit // 64] = np.uint64(1) << (bit % 64).astype(np.uint64)
    labels[darts.x[left]] = labels[left]
    fill_labels(darts.x, darts.y, starts, p, order, entry, labels)
    return labels


def unpack_bits(words: NDArray[np.uint64], n_bits: int) -> Bits:
    """(n, n_words) uint64 -> (n, n_bits) of zeros and ones."""
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little", count=n_bits)


def solve(rows: Bits) -> Coset | None:
    """All classes a with a . row = 1 over Z2 for every row, or None; rows (n, n_bits)."""
    n_bits = rows.shape[1]
    echelon, has_pivot = np.zeros((n_bits, n_bits + 1), dtype=np.uint8), np.zeros(n_bits, dtype=np.bool_)
    if not eliminate(np.column_stack([rows, np.ones(len(rows), dtype=np.uint8)]), echelon, has_pivot):
        return None
    for column in np.flatnonzero(has_pivot)[::-1]:
        echelon[np.flatnonzero(echelon[:column, column])] ^= echelon[column]
    free = np.flatnonzero(~has_pivot)
    basis = np.ascontiguousarray(echelon[:, free].T)
    basis[np.arange(free.size), free] = 1
    return Coset(echelon[:, -1].copy(), basis)
