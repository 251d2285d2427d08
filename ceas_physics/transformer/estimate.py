"""A cheap estimate of the temperature-gap score T of every row, from its query and the spread of the keys before it.

All heads of all sequences are worked on side by side, position after position; their arrays end in the pair of head and
batch.
"""

from __future__ import annotations

import math

import numpy as np

from .exponential import compiled


@compiled
def read_position(part: np.ndarray, position: int, out: np.ndarray) -> None:
    """Fill out (d_k, pair) from part (head, d_k, batch, position)."""
    heads, d_k, batch, _ = part.shape
    for h in range(heads):
        for d in range(d_k):
            for b in range(batch):
                out[d, h * batch + b] = part[h, d, b, position]


@compiled
def add_first(key: np.ndarray, scale: float, first: np.ndarray) -> None:
    """Add scale * key to ``first``, both (d_k, pair)."""
    factor = key.dtype.type(scale)
    for d in range(key.shape[0]):
        for pair in range(key.shape[1]):
            first[d, pair] += factor * key[d, pair]


@compiled
def remove_second(key: np.ndarray, second: np.ndarray) -> None:
    """Take the products of a key's entries out of ``second`` (d_k, d_k, pair), of which the upper half is used."""
    for d in range(key.shape[0]):
        for e in range(d, key.shape[0]):
            for pair in range(key.shape[1]):
                second[d, e, pair] -= key[d, pair] * key[e, pair]


@compiled
def add_second(key: np.ndarray, query: np.ndarray, second: np.ndarray, square: np.ndarray) -> None:
    """Add the products of a key's entries to ``second``; square (pair,) becomes q second q, the sum of (q.k)^2."""
    square[:] = 0.0
    for d in range(key.shape[0]):
        for e in range(d, key.shape[0]):
            factor = key.dtype.type(1.0 if d == e else 2.0)
            for pair in range(key.shape[1]):
                total = second[d, e, pair] + key[d, pair] * key[e, pair]
                second[d, e, pair] = total
                square[pair] += factor * total * query[d, pair] * query[e, pair]


@compiled
def contract(query: np.ndarray, first: np.ndarray, out: np.ndarray) -> None:
    """Fill out (pair,) with q.first."""
    out[:] = 0.0
    for d in range(query.shape[0]):
        for pair in range(query.shape[1]):
            out[pair] += query[d, pair] * first[d, pair]


@compiled
def estimate_rows(split: np.ndarray, beta: np.ndarray, slopes: np.ndarray, window: int, out: np.ndarray) -> None:
    """Fill out (batch, head, query) with T ~ beta sigma sqrt(2 max(ln n - beta^2 sigma^2/2, 0)).

    sigma^2 = q^T Cov q over the visible keys is exact and takes d_k^2 operations a row and no score; the entropy
    ln n - beta^2 sigma^2/2 is that of Gaussian scores, exact for small beta sigma. A slope against distance adds
    2 slope Cov(q.k, position) + slope^2 (n^2 - 1)/12 to sigma^2. Arrays as in ``rows.forward_rows``.
    """
    _, heads, d_k, batch, context = split.shape
    kind, pairs, inclined = split.dtype, heads * batch, np.any(slopes != 0.0)
    key, query, first = np.zeros((d_k, pairs), kind), np.zeros((d_k, pairs), kind), np.zeros((d_k, pairs), kind)
    moment, second = np.zeros((d_k, pairs), kind), np.zeros((d_k, d_k, pairs), kind)  # moment = sum of position * key
    square, total, crossed = np.zeros(pairs, kind), np.zeros(pairs, kind), np.zeros(pairs, kind)
    for i in range(context):
        if i >= window:
            read_position(split[1], i - window, key)
            add_first(key, -1.0, first)
            add_first(key, float(window - i), moment)
            remove_second(key, second)
        read_position(split[0], i, query)
        read_position(split[1], i, key)
        add_first(key, 1.0, first)
        add_second(key, query, second, square)
        contract(query, first, total)
        if inclined:
            add_first(key, float(i), moment)
            contract(query, moment, crossed)
        count = float(min(i + 1, window))
        log_count, middle = math.log(count), i - 0.5 * (count - 1.0)
        for h in range(heads):
            slope = slopes[h]
            tilt = slope * slope * (count * count - 1.0) / 12.0
            for b in range(batch):
                pair = h * batch + b
                mean = np.float64(total[pair]) / count
                variance = np.float64(square[pair]) / count - mean * mean + tilt
                variance += 2.0 * slope * (np.float64(crossed[pair]) / count - mean * middle)
                heat = np.float64(beta[b, h, i]) ** 2 * max(variance, 0.0)
                out[b, h, i] = math.sqrt(2.0 * heat * max(log_count - 0.5 * heat, 0.0))
