"""Minimum-weight perfect matching of a complete graph, exact and in integers (Edmonds 1965)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .matching_kernels import NONE, match


class Forest(NamedTuple):
    """The state of the search: n vertices, and numbers n .. 2n - 1 for blossoms (odd cycles shrunk to one node).

    A blossom's children form a ring: `after` and `before` lead along it, and (`link_out`, `link_in`) of a child is the
    tight edge to the child after it. `dual` of a vertex includes the `width` of every blossom round it, so that the
    slack of an edge between outermost nodes is weight - dual - dual.
    """

    dual: NDArray[np.int64]
    mate: NDArray[np.int32]
    near: NDArray[np.int32]  # for a vertex, the outer vertex of least slack in another outermost node
    top: NDArray[np.int32]  # for a vertex, the outermost node round it
    width: NDArray[np.int64]
    label: NDArray[np.int8]
    parent: NDArray[np.int32]
    base: NDArray[np.int32]  # the vertex of a node whose mate lies outside
    first: NDArray[np.int32]  # the child of a blossom that holds its base
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    link_out: NDArray[np.int32]
    link_in: NDArray[np.int32]
    tree_out: NDArray[np.int32]  # the edge that took an inner node into the tree, from an outer vertex ...
    tree_in: NDArray[np.int32]  # ... to a vertex of the node
    mark: NDArray[np.bool_]
    unused: NDArray[np.int32]  # stack of blossom numbers, its height in the last entry
    stack: NDArray[np.int32]


def minimum_weight_matching(weights: ArrayLike) -> NDArray[np.int32]:
    """The perfect matching that minimises sum w(v, mate(v)) / 2, exactly, in integers.

    Maximises the dual sum_v y_v + sum_B z_B with y_u + y_v + sum of z_B over the odd sets B that the edge leaves
    <= w(u, v), z >= 0, one alternating tree after the other (Edmonds 1965); time n^3 at worst, memory n^2.

    Parameters
    ----------
    weights
        (n, n) integers >= 0, symmetric, n even, below 2^60; the diagonal is ignored.

    Returns
    -------
    (n,) int32
        The partner of every vertex.

    Raises
    ------
    ValueError
        Another shape, an odd number of vertices, weights that are no integers, negative, too large or asymmetric.

    Examples
    --------
    >>> minimum_weight_matching([[0, 1, 9, 9], [1, 0, 1, 9], [9, 1, 0, 1], [9, 9, 1, 0]]).tolist()
    [1, 0, 3, 2]
    """
    given = np.asarray(weights)
    n = len(given) if given.ndim else 0
    if given.shape != (n, n) or n % 2:
        raise ValueError(f"weights must have shape (n, n) with n even, got {given.shape}")
    if n == 0:
        return np.empty(0, dtype=np.int32)
    if not np.issubdtype(given.dtype, np.integer) or given.min() < 0 or given.max() >= 2**60:
        raise ValueError(
            f"weights must be integers in [0, 2^60), got {given.dtype} up to {given.max()}; scale and round"
        )
    if not np.array_equal(given, given.T):
        raise ValueError("weights must be symmetric: w(u, v) = w(v, u)")
    forest = _start(n)
    match(2 * given.astype(np.int64, order="C"), forest)  # doubled, so that all duals are integers
    return forest.mate


def _start(n: int) -> Forest:
    def nodes(value: int) -> NDArray[np.int32]:
        return np.full(2 * n, value, dtype=np.int32)

    return Forest(
        dual=np.zeros(n, dtype=np.int64),
        mate=np.full(n, NONE, dtype=np.int32),
        near=np.full(n, NONE, dtype=np.int32),
        top=np.arange(n, dtype=np.int32),
        width=np.zeros(2 * n, dtype=np.int64),
        label=np.zeros(2 * n, dtype=np.int8),
        parent=nodes(NONE),
        base=np.arange(2 * n, dtype=np.int32),
        first=nodes(NONE),
        after=nodes(NONE),
        before=nodes(NONE),
        link_out=nodes(NONE),
        link_in=nodes(NONE),
        tree_out=nodes(NONE),
        tree_in=nodes(NONE),
        mark=np.zeros(2 * n, dtype=np.bool_),
        unused=np.append(np.arange(n, 2 * n), n).astype(np.int32),
        stack=np.zeros((2 * n, 2), dtype=np.int32),
    )
