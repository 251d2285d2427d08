"""Compiled attention rows, forward.

Arrays hold positions last: ``split`` (q k v, head, d_k, batch, position).
"""

from __future__ import annotations

import math

import numpy as np

from .exponential import compiled
from .row_beta import choose_beta, row_entropy
from .row_block import LANES, Block, copy_head, hide, key_range, new_block, next_count, next_rows, padded


@compiled
def store(block: Block, count: int, window: int, mixed: np.ndarray, beta: np.ndarray, observed: np.ndarray) -> None:
    """Write mixed (d_k, position), beta (query,) and observed (3, query) of the block's first ``count`` lanes."""
    for lane in range(count):
        query = block.query[lane]
        h, variance = row_entropy(block, lane)
        n = float(min(query + 1, window))
        first, second = np.float64(block.sums[3, lane]) / n, np.float64(block.sums[4, lane]) / n
        beta[query] = block.beta[lane]
        observed[0, query], observed[1, query] = max(h, 0.0), variance
        observed[2, query] = math.sqrt(max(second - first * first, 0.0))
        for d in range(mixed.shape[0]):
            mixed[d, query] = block.mixed[lane, d]


@compiled
def normalise(weights: np.ndarray, partition: np.ndarray) -> None:
    """Divide weights (key, lane) by partition (lane,)."""
    for j in range(weights.shape[0]):
        for l in range(partition.shape[0]):
            weights[j, l] /= partition[l]


@compiled
def forward_rows(
    split: np.ndarray,
    beta: np.ndarray,
    slopes: np.ndarray,
    window: int,
    mode: int,
    fraction: float,
    kept: np.ndarray,
    weights: np.ndarray,
    mixed: np.ndarray,
    observed: np.ndarray,
) -> None:
    """Attention of the kept rows: softmax(beta s) over the visible keys, times the values.

    Parameters
    ----------
    split : ndarray, shape (3, head, d_k, batch, position)
        Queries, keys and values.
    beta : ndarray, shape (batch, head, query)
        Changed in place by the modes ADAPTIVE and ENTROPY.
    slopes : ndarray, shape (head,)
        Of the unscaled score against distance.
    window : int
        The most keys that a query sees.
    mode, fraction : int, float
        How beta is chosen, and H / ln n for ENTROPY.
    kept : ndarray of bool, shape (batch, head, query)
        Rows that are computed; nothing is written for the others.
    weights : ndarray, shape (batch, head, block, key, lane)
        Filled for the backward pass, keys padded to a multiple of UNROLL.
    mixed : ndarray, shape (head, d_k, batch, position)
    observed : ndarray, shape (3, batch, head, query)
        H, Var_p[s] and sigma_qk.
    """
    _, heads, d_k, batch, context = split.shape
    block = new_block(split)
    keys, values = np.zeros((padded(context), d_k), split.dtype), np.zeros((padded(context), d_k), split.dtype)
    for b in range(batch):
        for h in range(heads):
            copy_head(split[1, h], b, keys)
            copy_head(split[2, h], b, values)
            number, query, left = 0, 0, np.sum(kept[b, h])
            while left > 0:
                count = next_count(left)
                query = next_rows(kept[b, h], query, count, block.query)
                low, high = key_range(block.query, window)
                for lane in range(LANES):
                    row = block.query[lane]
                    block.position[lane] = row
                    block.beta[lane] = beta[b, h, row]
                    for d in range(d_k):
                        block.queries[lane, d] = split[0, h, d, b, row]
                scores, w = block.scores[low:high], weights[b, h, number, low:high]
                np.dot(keys[low:high], block.queries.T, scores)
                hide(scores, block.position, block.top, slopes[h], window, low)
                choose_beta(block, scores, w, mode, fraction, window)
                normalise(w, block.sums[0])
                np.dot(w.T, values[low:high], block.mixed)
                store(block, count, window, mixed[h, :, b], beta[b, h], observed[:, b, h])
                number, left = number + 1, left - count
