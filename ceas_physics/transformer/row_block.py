"""The rows in work: LANES queries side by side, and the compiled loops over their keys.

Of each head the kept queries are taken in order, LANES at a time, and see one range of keys; the block that is not full
comes first, where keys are few, and its other lanes repeat a query. Elementwise loops run over lanes and need no sum
across them, so they become vector code with the same bits in any vector width; products are matrix products.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .exponential import compiled, exponential

LANES = 16
UNROLL = 4  # keys that a sum takes at once
HIDDEN = -1e30  # score of a hidden key


class Block(NamedTuple):
    """Room for the rows in work."""

    query: np.ndarray  # (lane,) position of the query
    position: np.ndarray  # (lane,) the same as a real number
    queries: np.ndarray  # (lane, d_k)
    scores: np.ndarray  # (key, lane)
    mixed: np.ndarray  # (lane, d_k)
    beta: np.ndarray  # (lane,)
    top: np.ndarray  # (lane,) largest score
    sums: np.ndarray  # (5, lane) over visible keys of w, w z, w z^2, z, z^2 with z = s - top, w = exp(beta z)
    bracket: np.ndarray  # (2, lane)


@compiled
def padded(size: int) -> int:
    """The next multiple of UNROLL."""
    return (size + UNROLL - 1) // UNROLL * UNROLL


@compiled
def new_block(split: np.ndarray) -> Block:
    """An empty block for the heads of ``split``."""
    d_k, keys, kind = split.shape[2], padded(split.shape[4]), split.dtype
    return Block(
        np.zeros(LANES, np.int64),
        np.zeros(LANES, kind),
        np.zeros((LANES, d_k), kind),
        np.zeros((keys, LANES), kind),
        np.zeros((LANES, d_k), kind),
        np.zeros(LANES, kind),
        np.zeros(LANES, kind),
        np.zeros((5, LANES), kind),
        np.zeros((2, LANES), kind),
    )


@compiled
def copy_head(part: np.ndarray, batch: int, out: np.ndarray) -> None:
    """Fill out (key, d_k) from part (d_k, batch, position)."""
    for j in range(part.shape[2]):
        for d in range(part.shape[0]):
            out[j, d] = part[d, batch, j]


@compiled
def next_rows(kept: np.ndarray, start: int, count: int, index: np.ndarray) -> int:
    """Put the next ``count`` kept queries from ``start`` on into ``index``; where to go on."""
    lane, query = 0, start
    while lane < count:
        if kept[query]:
            index[lane] = query
            lane += 1
        query += 1
    index[count:] = index[count - 1]
    return query


@compiled
def next_count(left: int) -> int:
    """Rows of the next block if so many are left: the block that is not full comes first, where keys are few."""
    return (left - 1) % LANES + 1


@compiled
def key_range(index: np.ndarray, window: int) -> tuple[int, int]:
    """First and end of the keys that the rows of a block see, in multiples of UNROLL."""
    return max(0, index[0] - window + 1) // UNROLL * UNROLL, padded(index[-1] + 1)


@compiled
def hide(scores: np.ndarray, position: np.ndarray, top: np.ndarray, slope: float, window: int, low: int) -> None:
    """Add slope * (key - query) to scores (key from ``low``, lane), put hidden keys at HIDDEN, find the largest."""
    kind = scores.dtype.type
    hidden, width, incline, first = kind(HIDDEN), kind(window), kind(slope), kind(low)
    top[:] = hidden
    for j in range(scores.shape[0]):
        key = first + kind(j)
        for l in range(top.shape[0]):
            distance = position[l] - key
            s = scores[j, l] - incline * distance
            if distance < 0 or distance >= width:
                s = hidden
            scores[j, l] = s
            top[l] = max(top[l], s)


@compiled
def weigh(scores: np.ndarray, top: np.ndarray, beta: np.ndarray, weights: np.ndarray) -> None:
    """weights[key, lane] = exp(beta (s - top)), 0 for hidden keys."""
    kind = scores.dtype.type
    hidden, zero = kind(HIDDEN), kind(0)
    for j in range(scores.shape[0]):
        for l in range(top.shape[0]):
            s = scores[j, l]
            w = exponential(beta[l] * (s - top[l]))
            weights[j, l] = w if s > hidden else zero


@compiled
def add_up(scores: np.ndarray, weights: np.ndarray, top: np.ndarray, sums: np.ndarray) -> None:
    """The sums of a block over the visible keys, UNROLL of them at once."""
    kind = scores.dtype.type
    hidden, zero = kind(HIDDEN), kind(0)
    sums[:] = zero
    for j in range(0, scores.shape[0], UNROLL):
        for l in range(top.shape[0]):
            s0, s1, s2, s3 = scores[j, l], scores[j + 1, l], scores[j + 2, l], scores[j + 3, l]
            w0, w1, w2, w3 = weights[j, l], weights[j + 1, l], weights[j + 2, l], weights[j + 3, l]
            z0 = s0 - top[l] if s0 > hidden else zero
            z1 = s1 - top[l] if s1 > hidden else zero
            z2 = s2 - top[l] if s2 > hidden else zero
            z3 = s3 - top[l] if s3 > hidden else zero
            first0, first1, first2, first3 = w0 * z0, w1 * z1, w2 * z2, w3 * z3
            sums[0, l] += (w0 + w1) + (w2 + w3)
            sums[1, l] += (first0 + first1) + (first2 + first3)
            sums[2, l] += (first0 * z0 + first1 * z1) + (first2 * z2 + first3 * z3)
            sums[3, l] += (z0 + z1) + (z2 + z3)
            sums[4, l] += (z0 * z0 + z1 * z1) + (z2 * z2 + z3 * z3)
