"""Thermodynamics of attention rows: p = softmax(beta s) over the visible keys, with s the UNSCALED scores q.k.

Functions of a row take scores of shape (..., keys) and reduce the last axis. Functions of a head take scores of shape
(..., rows, keys), reduce the last two, and average over the rows with at least 8 visible keys; an array of one
dimension is one row. Natural logarithms, k_B = 1: beta has the unit 1/score, entropies are in nats. A key is hidden if
``visible`` is False there or its score is -inf. ValueError for NaN or +inf scores, for a row without visible keys, and
for a beta that is negative or not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ising.arguments import as_choice, as_numbers
from ising.integers import as_integer

from .score_rows import inverse_temperature, shown_scores

MINIMUM_VISIBLE = 8
BLOCK = 1 << 16  # scores in a block of rows, which stays in cache while beta is scanned
GRID = np.linspace(np.log(2.0**-6), np.log(2.0**6), 49)  # ln(beta sigma)


def causal_mask(n: int) -> np.ndarray:
    """True where query i may see key j, j <= i; shape (n, n)."""
    return np.tri(as_integer("n", n, 1, 2**20), dtype=bool)


def _below_top(scores: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Scores minus the row's largest visible one; 0 at hidden keys."""
    top = np.max(scores, axis=-1, where=shown, initial=-np.inf, keepdims=True)
    return np.subtract(scores, top, where=shown, out=np.zeros_like(scores))


def _boltzmann(
    scores: ArrayLike, beta: ArrayLike, visible: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """p, scores below the row's largest, ln Z of those, beta; the last two of shape (...)."""
    scores, shown = shown_scores(scores, visible)
    beta = inverse_temperature(beta, scores.shape[:-1])
    below = _below_top(scores, shown)
    with np.errstate(over="ignore"):
        weights = np.exp(beta[..., None] * below) * shown
    partition = weights.sum(axis=-1)
    return weights / partition[..., None], below, np.log(partition), beta


def entropy(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """H = -sum p ln p of each row, in nats; dH/dbeta = -beta Var_p[s].

    Parameters
    ----------
    scores : array_like, shape (..., keys)
        Unscaled scores q.k.
    beta : array_like
        Broadcasts against ``scores.shape[:-1]``; in 1/score.
    visible : array_like of bool, optional
        Broadcasts to ``scores.shape``.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> entropy([1.0, 1.0, 1.0, 1.0], 3.0) / np.log(4)
    np.float64(1.0)
    """
    p, below, log_partition, beta = _boltzmann(scores, beta, visible)
    return np.maximum(log_partition - beta * np.sum(p * below, axis=-1), 0.0)


def n_eff(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """N_eff = exp(H), the effective number of competing keys of each row; arguments as for ``entropy``."""
    return np.exp(entropy(scores, beta, visible=visible))


def score_variance(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """Var_p[s] = <s^2>_p - <s>_p^2 of each row, in score^2; arguments as for ``entropy``."""
    p, below, _, _ = _boltzmann(scores, beta, visible)
    centred = below - np.sum(p * below, axis=-1, keepdims=True)
    return np.sum(p * centred * centred, axis=-1)


def specific_heat(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """C = beta^2 Var_p[s] of each row; arguments as for ``entropy``."""
    variance = score_variance(scores, beta, visible=visible)
    with np.errstate(over="ignore"):
        return (np.asarray(beta) * np.sqrt(variance)) ** 2


def participation(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """Y2 = sum p^2 of each row; 1/Y2 is the other effective number of keys; arguments as for ``entropy``."""
    p, _, _, _ = _boltzmann(scores, beta, visible)
    return np.sum(p * p, axis=-1)


def sigma_qk(scores: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """Standard deviation of the unscaled scores over the visible keys of each row (within the row, never pooled)."""
    return np.sqrt(score_variance(scores, 0.0, visible=visible))


def gap_score(scores: ArrayLike, beta: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """T = beta sigma_qk sqrt(2 ln N_eff) of each row, dimensionless; arguments as for ``entropy``."""
    remaining = entropy(scores, beta, visible=visible)
    return np.asarray(beta) * sigma_qk(scores, visible=visible) * np.sqrt(2.0 * remaining)


def _head(scores: ArrayLike, visible: ArrayLike | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and visible keys of shape (..., rows, keys), and which rows count, (..., rows)."""
    scores, shown = (np.atleast_2d(array) for array in shown_scores(scores, visible))
    counted = shown.sum(axis=-1) >= MINIMUM_VISIBLE
    if not counted.any(axis=-1).all():
        raise ValueError(
            f"scores of a head need a row with {MINIMUM_VISIBLE} visible keys, the most here is {shown.sum(-1).max()}"
        )
    return scores, shown, counted


def head_mean(values: ArrayLike, scores: ArrayLike, *, visible: ArrayLike | None = None) -> np.ndarray:
    """Mean of row values (..., rows) over the head's rows with at least 8 visible keys; ValueError if there is none."""
    _, _, counted = _head(scores, visible)
    rows = as_numbers("values", values)
    if rows.size != counted.size:
        raise ValueError(f"values must have one entry a row, shape {counted.shape}, got {rows.shape}")
    return _mean(rows.reshape(counted.shape), counted)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return np.sum(values * counted, axis=-1) / counted.sum(axis=-1)


def rem_beta(n: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """beta_n = sqrt(2 ln n)/sigma, freezing of n -> infinity independent normal scores (the random energy model)."""
    return np.sqrt(2.0 * np.log(as_numbers("n", n, least=1))) / as_numbers("sigma", sigma, above=0)


def planted_half_weight_beta(s0: ArrayLike, sigma_b: ArrayLike, n: ArrayLike) -> np.ndarray:
    """The beta = (s0 - sqrt(s0^2 - 2 sigma_b^2 ln n))/sigma_b^2, where a planted key has weight 1/2.

    The key's score lies ``s0`` above the mean of ``n`` normal background scores of standard deviation ``sigma_b``.
    ValueError if s0 < sigma_b sqrt(2 ln n): such a key never stands out before the background freezes.
    """
    s0, n, spread = (
        as_numbers("s0", s0, most=1e100),
        as_numbers("n", n, above=1),
        as_numbers("sigma_b", sigma_b, above=0),
    )
    least = spread * np.sqrt(2.0 * np.log(n))
    if not (s0 >= least).all():
        raise ValueError(f"s0 must be at least sigma_b sqrt(2 ln n) = {least}, got {s0}")
    return 2.0 * np.log(n) / (s0 + np.sqrt(s0 * s0 - least * least))


def beta_star(
    scores: ArrayLike, beta: ArrayLike | None = None, kind: str = "self_consistent", visible: ArrayLike | None = None
) -> np.ndarray:
    """beta* = sqrt(2 ln N_eff)/sigma_qk of a head, an estimate of its pseudo-critical point.

    Parameters
    ----------
    scores : array_like, shape (..., rows, keys)
    beta : array_like, optional
        The present beta of each head, shape (...); needed by ``kind="effective"`` only.
    kind : str
        "self_consistent": ln N_eff is the entropy at beta* itself, the one root of beta sigma = sqrt(2 H(beta)).
        "effective": the entropy at ``beta``; 0 for a frozen head. "visible": ln n, n the number of visible keys.
    visible : array_like of bool, optional

    Returns
    -------
    ndarray, shape (...)
        H, ln n and sigma_qk are means over rows with at least 8 visible keys; inf where all scores are equal.
    """
    as_choice("kind", kind, ("self_consistent", "effective", "visible"))
    scores, shown, counted = _head(scores, visible)
    sigma = _mean(sigma_qk(scores, visible=shown), counted)
    log_n = _mean(np.log(shown.sum(axis=-1)), counted)
    with np.errstate(divide="ignore"):
        largest = np.sqrt(2.0 * log_n) / sigma
        if kind == "visible":
            return largest
        if kind == "effective":
            if beta is None:
                raise ValueError('kind="effective" needs the present beta: beta_star(scores, beta, kind="effective")')
            present = entropy(scores, inverse_temperature(beta, sigma.shape)[..., None], visible=shown)
            return np.sqrt(2.0 * _mean(present, counted)) / sigma
    heads = np.empty(sigma.shape)
    for head in np.ndindex(sigma.shape):
        rows = counted[head]
        heads[head] = _self_consistent(scores[head][rows], shown[head][rows], float(sigma[head]), float(largest[head]))
    return heads[()]


def _self_consistent(scores: np.ndarray, shown: np.ndarray, sigma: float, largest: float) -> float:
    """Root of beta sigma - sqrt(2 H(beta)), which rises from below 0 at beta = 0 to above 0 at ``largest``."""

    def excess(beta: float) -> float:
        return beta * sigma - float(np.sqrt(2.0 * entropy(scores, beta, visible=shown).mean()))

    return brentq(excess, 0.0, 1.000001 * largest, xtol=1e-12 * largest) if sigma > 0.0 else np.inf


@dataclass(frozen=True)
class SpecificHeatPeak:
    """Peak of C(beta) = beta^2 Var_p[s] averaged over a head's rows; every field of shape (...), one entry a head.

    ``beta_c`` is the position of the maximum, to about 1e-4 relative (inf where all scores are equal), ``height`` is C
    there; ``low`` and ``high`` are where C falls to half of it, to about 0.5 % (0 and inf if it does not for
    beta sigma_qk between 1/64 and 64).
    """

    beta_c: np.ndarray
    height: np.ndarray
    low: np.ndarray
    high: np.ndarray


def specific_heat_peak(scores: ArrayLike, visible: ArrayLike | None = None) -> SpecificHeatPeak:
    """Position, height and half-maximum band of the head-averaged C(beta), searched over beta sigma_qk in [1/64, 64].

    Scores of shape (..., rows, keys); rows with at least 8 visible keys count, ValueError if a head has none.
    """
    scores, shown, counted = _head(scores, visible)
    peaks = np.empty((4, *scores.shape[:-2]))
    for head in np.ndindex(peaks.shape[1:]):
        peaks[:, *head] = _peak(scores[head][counted[head]], shown[head][counted[head]])
    return SpecificHeatPeak(*(field[()] for field in peaks))


def pseudo_critical_beta(scores: ArrayLike, visible: ArrayLike | None = None) -> np.ndarray:
    """beta_c = argmax over beta of the head-averaged C(beta): the measured pseudo-critical point, in 1/score.

    Scores (..., rows, keys) give shape (...); rows with at least 8 visible keys count. See ``specific_heat_peak``.
    """
    return specific_heat_peak(scores, visible).beta_c


def _peak(scores: np.ndarray, shown: np.ndarray) -> tuple[float, float, float, float]:
    """(beta_c, height, low, high) of one head: a scan in ln beta, then parabolas through ever closer triples."""
    sigma = sigma_qk(scores, visible=shown).mean()
    if sigma == 0.0:
        return np.inf, 0.0, np.inf, np.inf
    curve = partial(_mean_specific_heat, _below_top(scores, shown), shown)
    log_beta = GRID - np.log(sigma)
    scan = curve(np.exp(log_beta))
    centre, spacing = log_beta[np.argmax(scan)], GRID[1] - GRID[0]
    for _ in range(3):
        left, middle, right = curve(np.exp(centre + spacing * np.array([-1.0, 0.0, 1.0])))
        bend = left - 2.0 * middle + right
        centre += spacing * float(np.clip(0.5 * (left - right) / bend, -1.0, 1.0)) if bend < 0 else 0.0
        spacing /= 4.0
    height = float(curve(np.exp([centre]))[0])
    return float(np.exp(centre)), height, *_half_maximum(log_beta, scan, height)


def _half_maximum(log_beta: np.ndarray, scan: np.ndarray, height: float) -> tuple[float, float]:
    """Both beta where ln C, linear in ln beta between grid points, equals ln(height/2); those next to the peak."""
    excess = np.log(np.maximum(scan, 1e-300)) - np.log(height / 2.0)
    top = int(np.argmax(scan))
    below = np.flatnonzero(excess < 0)
    left, right = below[below < top], below[below > top]

    def crossing(inside: int, outside: int) -> float:
        fraction = excess[inside] / (excess[inside] - excess[outside])
        return float(np.exp(log_beta[inside] + fraction * (log_beta[outside] - log_beta[inside])))

    low = crossing(left[-1] + 1, left[-1]) if left.size else 0.0
    return low, crossing(right[0] - 1, right[0]) if right.size else np.inf


def _mean_specific_heat(below: np.ndarray, shown: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """C(beta) averaged over rows (rows, keys), for each of ``betas``; rows are taken in blocks."""
    total = np.zeros(len(betas))
    rows = max(1, BLOCK // below.shape[-1])
    for start in range(0, len(below), rows):
        score, mask = below[start : start + rows], shown[start : start + rows]
        for i, beta in enumerate(betas):
            weights = np.exp(beta * score)
            weights *= mask
            partition = weights.sum(axis=-1)
            weights *= score
            mean = weights.sum(axis=-1) / partition
            square = np.einsum("rk,rk->r", weights, score) / partition
            total[i] += beta * beta * np.sum(square - mean * mean)
    return total / len(below)
