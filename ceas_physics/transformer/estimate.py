"""A cheap estimate of the temperature-gap score T of every row, from its query and the spread of the keys before it."""

from __future__ import annotations

import math

import numpy as np

from .exponential import compiled


@compiled
def add_key(key: np.ndarray, position: float, sign: float, totals: np.ndarray, products: np.ndarray) -> None:
    """Add (or with sign -1 remove) a key: totals[0] = sum k, totals[1] = sum position k, products = sum k k^T."""
    for d in range(key.shape[0]):
        signed = sign * key[d]
        totals[0, d] += signed
        totals[1, d] += position * signed
        for e in range(key.shape[0]):
            products[d, e] += signed * key[e]


@compiled
def spread(
    query: np.ndarray, slope: float, count: float, position_mean: float, totals: np.ndarray, products: np.ndarray
) -> float:
    """Variance of q.k + slope position over keys: q Cov q + 2 slope Cov(q.k, position) + slope^2 (count^2-1)/12."""
    second, first, cross = 0.0, 0.0, 0.0
    for d in range(query.shape[0]):
        row = 0.0
        for e in range(query.shape[0]):
            row += products[d, e] * query[e]
        second += query[d] * row
        first += query[d] * totals[0, d]
        cross += query[d] * totals[1, d]
    mean = first / count
    variance = second / count - mean * mean
    if slope != 0.0:
        variance += 2.0 * slope * (cross / count - mean * position_mean) + slope * slope * (count * count - 1.0) / 12.0
    return max(variance, 0.0)


@compiled
def estimate_rows(split: np.ndarray, beta: np.ndarray, slopes: np.ndarray, window: int, out: np.ndarray) -> None:
    """Fill out (batch, head, query) with T ~ beta sigma sqrt(2 max(ln n - beta^2 sigma^2/2, 0)).

    sigma^2 = q^T Cov q over the visible keys is exact and takes d_k^2 operations a row and no score; the entropy
    ln n - beta^2 sigma^2/2 is that of Gaussian scores, exact for small beta sigma. Arrays as in ``rows.forward_rows``.
    """
    _, heads, d_k, batch, context = split.shape
    totals, products = np.zeros((2, d_k)), np.zeros((d_k, d_k))
    key, query = np.zeros(d_k), np.zeros(d_k)
    for b in range(batch):
        for h in range(heads):
            totals[:] = 0.0
            products[:] = 0.0
            for i in range(context):
                if i >= window:
                    for d in range(d_k):
                        key[d] = split[1, h, d, b, i - window]
                    add_key(key, float(i - window), -1.0, totals, products)
                for d in range(d_k):
                    key[d], query[d] = split[1, h, d, b, i], split[0, h, d, b, i]
                add_key(key, float(i), 1.0, totals, products)
                count = float(min(i + 1, window))
                variance = spread(query, slopes[h], count, i - 0.5 * (count - 1.0), totals, products)
                heat = np.float64(beta[b, h, i]) ** 2 * variance
                out[b, h, i] = math.sqrt(2.0 * heat * max(math.log(count) - 0.5 * heat, 0.0))
