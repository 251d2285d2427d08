"""A cheap estimate of the temperature-gap score T of every row, from its query and the spread of the keys before it.

All heads of all sequences are worked on side by side, position after position; their arrays end in the pair of head and
batch.
"""

from __future__ import annotations

import math

import numpy as np

from .exponential import compiled

TILE = 16  # positions read at once, as many as share a cache line


@compiled
def read_positions(part: np.ndarray, first: int, out: np.ndarray) -> None:
    """Fill out (position, d_k, pair) from part (head, d_k, batch, position), from position ``first`` on."""
    heads, d_k, batch, context = part.shape
    count = min(out.shape[0], context - first)
    for h in range(heads):
        for d in range(d_k):
            for i in range(count):
                for b in range(batch):
                    out[i, d, h * batch + b] = part[h, d, b, first + i]


@compiled
def read_rows(beta: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """Fill out (position, pair) from beta (batch, head, query), for queries from ``start`` to ``stop``."""
    batch, heads, _ = beta.shape
    for h in range(heads):
        for b in range(batch):
            for i in range(start, stop):
                out[i - start, h * batch + b] = beta[b, h, i]


@compiled
def write_rows(scores: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """The way back: out (batch, head, query) from scores (position, pair)."""
    batch, heads, _ = out.shape
    for b in range(batch):
        for h in range(heads):
            for i in range(start, stop):
                out[b, h, i] = scores[i - start, h * batch + b]


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
def add_second(key: np.ndarray, query: np.ndarray, second: np.ndarray, row: np.ndarray, square: np.ndarray) -> None:
    """Add the products of a key's entries to ``second``; square (pair,) becomes q second q, the sum of (q.k)^2.

    ``row`` (pair,) is scratch.
    """
    square[:] = 0.0
    half = key.dtype.type(0.5)
    for d in range(key.shape[0]):
        for pair in range(key.shape[1]):
            total = second[d, d, pair] + key[d, pair] * key[d, pair]
            second[d, d, pair] = total
            row[pair] = half * total * query[d, pair]
        for e in range(d + 1, key.shape[0]):
            for pair in range(key.shape[1]):
                total = second[d, e, pair] + key[d, pair] * key[e, pair]
                second[d, e, pair] = total
                row[pair] += total * query[e, pair]
        for pair in range(key.shape[1]):
            square[pair] += row[pair] * query[d, pair]
    for pair in range(key.shape[1]):
        square[pair] += square[pair]


@compiled
def contract(query: np.ndarray, first: np.ndarray, out: np.ndarray) -> None:
    """Fill out (pair,) with q.first."""
    out[:] = 0.0
    for d in range(query.shape[0]):
        for pair in range(query.shape[1]):
            out[pair] += query[d, pair] * first[d, pair]


@compiled
def incline(
    slopes: np.ndarray, total: np.ndarray, crossed: np.ndarray, position: int, count: int, variance: np.ndarray
) -> None:
    """Add to the variance (pair,) what slopes (head,) against distance do."""
    middle, spread = position - 0.5 * (count - 1.0), (float(count) * count - 1.0) / 12.0
    batch = variance.shape[0] // slopes.shape[0]
    for pair in range(variance.shape[0]):
        slope = slopes[pair // batch]
        covariance = (np.float64(crossed[pair]) - np.float64(total[pair]) * middle) / count
        variance[pair] += slope * (slope * spread + 2.0 * covariance)


@compiled
def gap_score(beta: np.ndarray, variance: np.ndarray, count: int, out: np.ndarray) -> None:
    """Fill out (pair,) with beta sigma sqrt(2 max(ln count - beta^2 sigma^2/2, 0))."""
    log_count = math.log(count)
    for pair in range(out.shape[0]):
        heat = np.float64(beta[pair]) * np.float64(beta[pair]) * max(variance[pair], 0.0)
        out[pair] = math.sqrt(2.0 * heat * max(log_count - 0.5 * heat, 0.0))


@compiled
def estimate_rows(split: np.ndarray, beta: np.ndarray, slopes: np.ndarray, window: int, out: np.ndarray) -> None:
    """Fill out (batch, head, query) with T ~ beta sigma sqrt(2 max(ln n - beta^2 sigma^2/2, 0)).

    sigma^2 = q^T Cov q over the visible keys is exact and takes d_k^2 operations a row and no score; the entropy
    ln n - beta^2 sigma^2/2 is that of Gaussian scores, exact for small beta sigma. A slope against distance adds
    2 slope Cov(q.k, position) + slope^2 (n^2 - 1)/12 to sigma^2. Arrays as in ``rows.forward_rows``.
    """
    _, heads, d_k, batch, context = split.shape
    kind, pairs, inclined = split.dtype, heads * batch, np.any(slopes != 0.0)
    queries, keys = np.zeros((TILE, d_k, pairs), kind), np.zeros((TILE, d_k, pairs), kind)
    old, first, moment = np.zeros((1, d_k, pairs), kind), np.zeros((d_k, pairs), kind), np.zeros((d_k, pairs), kind)
    second, square, total = np.zeros((d_k, d_k, pairs), kind), np.zeros(pairs, kind), np.zeros(pairs, kind)
    crossed, row, variance = np.zeros(pairs, kind), np.zeros(pairs, kind), np.zeros(pairs)
    betas, scores = np.zeros((TILE, pairs), kind), np.zeros((TILE, pairs))
    for start in range(0, context, TILE):
        stop = min(start + TILE, context)
        read_positions(split[0], start, queries)
        read_positions(split[1], start, keys)
        read_rows(beta, start, stop, betas)
        for i in range(start, stop):
            if i >= window:
                read_positions(split[1], i - window, old)
                add_first(old[0], -1.0, first)
                add_first(old[0], float(window - i), moment)
                remove_second(old[0], second)
            query, key = queries[i - start], keys[i - start]
            add_first(key, 1.0, first)
            add_second(key, query, second, row, square)
            contract(query, first, total)
            count = min(i + 1, window)
            share = 1.0 / count
            for pair in range(pairs):
                mean = np.float64(total[pair]) * share
                variance[pair] = np.float64(square[pair]) * share - mean * mean
            if inclined:
                add_first(key, float(i), moment)
                contract(query, moment, crossed)
                incline(slopes, total, crossed, i, count, variance)
            gap_score(betas[i - start], variance, count, scores[i - start])
        write_rows(scores, start, stop, out)
