"""Compiled sums over the rows of one head; the formulas are those of `attention`, the arrays are compact.

``below`` (rows, keys) has in row r its ``counts[r]`` visible scores minus the largest of them, in double precision; a
count of 0 leaves the row out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; infinities and NaN keep their meaning


def compiled(function: Any) -> Any:
    """Compile without the interpreter's lock, and keep the result on disk."""
    return njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")(function)


@compiled
def compact(scores: np.ndarray, kept: np.ndarray, below: np.ndarray, counts: np.ndarray) -> int:
    """Fill ``below`` and ``counts`` from scores (rows, keys) with -inf at hidden keys; columns not ``kept`` are hidden.

    Returns the number of scores that are NaN or +inf.
    """
    broken = 0
    for row in range(scores.shape[0]):
        count, top = 0, -np.inf
        for key in range(scores.shape[1]):
            score = np.float64(scores[row, key])
            if not score < np.inf:
                broken += 1
            elif kept[key] and score > -np.inf:
                below[row, count] = score
                count += 1
                top = max(top, score)
        for k in range(count):
            below[row, k] -= top
        counts[row] = count
    return broken


@compiled
def scan(
    below: np.ndarray, counts: np.ndarray, betas: np.ndarray, weights: np.ndarray, heat: np.ndarray, entropy: np.ndarray
) -> None:
    """Add C and H of every row to ``heat`` and ``entropy`` at each of ``betas``, which double every 4 entries.

    Only the first 4 need exponentials; squares of exp(beta s) are exp(2 beta s). ``weights`` (keys,) is room to work.
    """
    for row in range(below.shape[0]):
        count = counts[row]
        if count == 0:
            continue
        for phase in range(4):
            for k in range(count):
                weights[k] = np.exp(betas[phase] * below[row, k])
            for i in range(phase, len(betas), 4):
                partition, first, second = 0.0, 0.0, 0.0
                for k in range(count):
                    weight, score = weights[k], below[row, k]
                    partition += weight
                    first += weight * score
                    second += weight * score * score
                    weights[k] = weight * weight
                mean = first / partition
                heat[i] += betas[i] ** 2 * (second / partition - mean * mean)
                entropy[i] += np.log(partition) - betas[i] * mean


@compiled
def moments(below: np.ndarray, counts: np.ndarray, beta: float, weights: np.ndarray, rows: np.ndarray) -> None:
    """Fill ``rows`` (rows, 6) with H, Y2, Var_p[s], C, dC/dln(beta) and d^2C/dln(beta)^2; zeros where the count is 0.

    With the cumulants k of the scores under p: C = b^2 k2, C' = 2 b^2 k2 + b^3 k3, C'' = 4 b^2 k2 + 5 b^3 k3 + b^4 k4.
    """
    for row in range(below.shape[0]):
        count = counts[row]
        if count == 0:
            rows[row] = 0.0
            continue
        partition, first = 0.0, 0.0
        for k in range(count):
            weights[k] = np.exp(beta * below[row, k])
            partition += weights[k]
            first += weights[k] * below[row, k]
        mean = first / partition
        second, third, fourth, square = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            p, centred = weights[k] / partition, below[row, k] - mean
            power = p * centred * centred
            square += p * p
            second += power
            third += power * centred
            fourth += power * centred * centred
        k2, k3, k4 = beta**2 * second, beta**3 * third, beta**4 * (fourth - 3.0 * second * second)
        rows[row, 0] = max(np.log(partition) - beta * mean, 0.0)
        rows[row, 1] = square
        rows[row, 2] = second
        rows[row, 3] = k2
        rows[row, 4] = 2.0 * k2 + k3
        rows[row, 5] = 4.0 * k2 + 5.0 * k3 + k4
