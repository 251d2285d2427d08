"""Compiled attention rows, backward: the gradient at queries, keys, values and beta of the rows that were computed."""

from __future__ import annotations

import numpy as np

from .exponential import compiled
from .row_block import LANES, copy_head, key_range, next_count, next_rows, padded


@compiled
def softmax_backward(
    d_scores: np.ndarray, weights: np.ndarray, projection: np.ndarray, moment: np.ndarray, low: int
) -> None:
    """d_scores (key, lane) from the gradient at the weights p to that at beta s: p (d_scores - projection).

    ``moment[lane]`` becomes the sum over keys of (position of the key) d_scores, the gradient at beta times the slope.
    """
    kind = d_scores.dtype.type
    first = kind(low)
    moment[:] = kind(0)
    for j in range(d_scores.shape[0]):
        key = first + kind(j)
        for l in range(moment.shape[0]):
            gradient = weights[j, l] * (d_scores[j, l] - projection[l])
            d_scores[j, l] = gradient
            moment[l] += gradient * key


@compiled
def add(part: np.ndarray, out: np.ndarray) -> None:
    """Add ``part`` to ``out``, both flat."""
    for i in range(part.shape[0]):
        out[i] += part[i]


@compiled
def read_lanes(
    q: np.ndarray,
    beta: np.ndarray,
    mixed: np.ndarray,
    d_mixed: np.ndarray,
    query: np.ndarray,
    count: int,
    queries: np.ndarray,
    gradient: np.ndarray,
    projection: np.ndarray,
) -> None:
    """Of the rows ``query``: beta q, the gradient g at mixed (0 from lane ``count`` on), and g.mixed.

    q, mixed and d_mixed are (d_k, position), beta (position,), queries and gradient (lane, d_k), projection (lane,).
    """
    zero = gradient.dtype.type(0)
    for lane in range(query.shape[0]):
        row = query[lane]
        projection[lane] = zero
        for d in range(q.shape[0]):
            g = d_mixed[d, row] if lane < count else zero
            queries[lane, d] = q[d, row] * beta[row]
            gradient[lane, d] = g
            projection[lane] += g * mixed[d, row]


@compiled
def backward_rows(
    split: np.ndarray,
    beta: np.ndarray,
    slopes: np.ndarray,
    window: int,
    kept: np.ndarray,
    frozen: np.ndarray,
    weights: np.ndarray,
    mixed: np.ndarray,
    d_mixed: np.ndarray,
    d_split: np.ndarray,
    d_beta: np.ndarray,
) -> None:
    """Gradient of the rows, from the one at ``mixed``; arrays as in ``rows.forward_rows``.

    With p the weights and g the gradient at mixed: dL/d(beta s_k) = p_k (g.v_k - g.mixed). Written are ``d_split`` like
    split and ``d_beta`` (batch, head, query), both given as zeros; heads ``frozen`` (head,) and rows not kept stay 0.
    """
    _, heads, d_k, batch, context = split.shape
    size, kind = padded(context), split.dtype
    by_key, by_lane = np.zeros((5, size, d_k), kind), np.zeros((3, LANES, d_k), kind)
    keys, values, d_keys, d_values, part = by_key[0], by_key[1], by_key[2], by_key[3], by_key[4]
    queries, gradient, d_queries = by_lane[0], by_lane[1], by_lane[2]
    room, projection, moment = np.zeros((size, LANES), kind), np.zeros(LANES, kind), np.zeros(LANES, kind)
    query = np.zeros(LANES, np.int64)
    for b in range(batch):
        for h in range(heads):
            if frozen[h]:
                continue
            copy_head(split[1, h], b, keys)
            copy_head(split[2, h], b, values)
            by_key[2:4] = kind.type(0)
            number, position, left = 0, 0, np.sum(kept[b, h])
            while left > 0:
                count = next_count(left)
                position = next_rows(kept[b, h], position, count, query)
                low, high = key_range(query, window)
                read_lanes(
                    split[0, h, :, b],
                    beta[b, h],
                    mixed[h, :, b],
                    d_mixed[h, :, b],
                    query,
                    count,
                    queries,
                    gradient,
                    projection,
                )
                d_scores, w = room[low:high], weights[b, h, number, low:high]
                np.dot(values[low:high], gradient.T, d_scores)
                softmax_backward(d_scores, w, projection, moment, low)
                np.dot(d_scores.T, keys[low:high], d_queries)
                np.dot(d_scores, queries, part[low:high])
                add(part[low:high].ravel(), d_keys[low:high].ravel())
                np.dot(w, gradient, part[low:high])
                add(part[low:high].ravel(), d_values[low:high].ravel())
                for lane in range(count):
                    row, total = query[lane], kind.type(slopes[h]) * moment[lane]
                    for d in range(d_k):
                        d_split[0, h, d, b, row] = d_queries[lane, d] * beta[b, h, row]
                        total += d_queries[lane, d] * split[0, h, d, b, row]
                    d_beta[b, h, row] = total
                number, left = number + 1, left - count
            for d in range(d_k):
                for j in range(context):
                    d_split[1, h, d, b, j] = d_keys[j, d]
                    d_split[2, h, d, b, j] = d_values[j, d]
