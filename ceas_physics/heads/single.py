"""One head measured: the observables of `attention` at its beta, its pseudo-critical point and the closed forms.

The same numbers as `attention` gives, for hundreds of heads of thousands of rows: compiled sums, C and H on the grid of
ln(beta sigma) by squaring, Newton steps for the peak and for the self-consistent estimate.
"""

from __future__ import annotations

from math import inf, log, nan, sqrt

import numpy as np

from ..attention import GRID, MINIMUM_VISIBLE, _half_maximum
from .kernels import compact, moments, scan

KINDS = ("self_consistent", "effective", "visible")
STEPS = 8  # of Newton's method at most; 3 or 4 are enough from the grid


class Head:
    """The rows of a head with at least 8 visible keys, compact, from scores (passage, query, key), -inf if hidden.

    Keys where ``kept`` is False are left out of every row, and p is normalized over the others.
    """

    def __init__(self, scores: np.ndarray, kept: np.ndarray) -> None:
        passages, queries, keys = scores.shape
        self.passages = passages
        self.below = np.zeros((passages * queries, keys))
        self.counts = np.zeros(passages * queries, dtype=np.int64)
        broken = compact(np.ascontiguousarray(scores).reshape(-1, keys), kept, self.below, self.counts)
        if broken:
            raise ValueError(
                f"scores must be finite, or -inf for a hidden key; {broken} are NaN or +inf: look for a diverged model"
            )
        if not self.counts.all() and kept.all():
            raise ValueError("every row needs at least one visible key; leave out the rows that are fully hidden")
        self.counted = self.counts >= MINIMUM_VISIBLE
        if not self.counted.any():
            raise ValueError(
                f"a head needs at least one row with {MINIMUM_VISIBLE} visible keys, the most here is "
                f"{self.counts.max()}; give longer passages"
            )
        self.counts[~self.counted] = 0
        self.rows = np.zeros((len(self.counts), 6))
        self.room = np.zeros(keys)
        self.log_n = float(np.log(self.counts[self.counted]).mean())
        self.deviations = np.sqrt(self.at(0.0)[self.counted, 2])
        self.sigma = float(self.deviations.mean())

    def at(self, beta: float) -> np.ndarray:
        """H, Y2, Var, C, dC/dln(beta), d^2C/dln(beta)^2 of every row, (rows, 6), overwritten by the next call."""
        moments(self.below, self.counts, beta, self.room, self.rows)
        return self.rows

    def mean(self, beta: float) -> np.ndarray:
        """Means over the counted rows of the six columns of `at`."""
        return self.at(beta)[self.counted].mean(axis=0)


def measure_head(head: Head, beta_0: float) -> dict[str, float | np.ndarray]:
    """Observables at ``beta_0``, peak of C with the jackknife error over passages, and closed forms (in KINDS' order).

    A head whose scores are all equal has beta_c = inf.
    """
    entropy, participation, variance, heat = head.at(beta_0)[head.counted, :4].T
    result: dict[str, float | np.ndarray] = {
        "sigma_qk": head.sigma,
        "entropy": entropy.mean(),
        "n_eff": np.exp(entropy).mean(),
        "participation": participation.mean(),
        "score_variance": variance.mean(),
        "specific_heat": heat.mean(),
        "gap_score": beta_0 * np.mean(head.deviations * np.sqrt(2.0 * entropy)),
        "log_n": head.log_n,
    }
    if head.sigma == 0.0:
        return result | {
            "beta_c": inf, "beta_c_error": nan, "peak_height": 0.0, "beta_c_low": inf, "beta_c_high": inf,
            "beta_star": np.full(len(KINDS), inf),
        }  # fmt: skip
    log_beta = GRID - log(head.sigma)
    curves = np.zeros((2, len(GRID)))
    scan(head.below, head.counts, np.exp(log_beta), head.room, *curves)
    heat_curve, entropy_curve = curves / np.count_nonzero(head.counted)
    beta_c, height, error = _peak(head, log_beta, heat_curve)
    low, high = _half_maximum(log_beta, heat_curve, height)
    stars = [_self_consistent(head, entropy_curve), *(sqrt(2.0 * x) / head.sigma for x in (entropy.mean(), head.log_n))]
    return result | {
        "beta_c": beta_c, "beta_c_error": error, "peak_height": height, "beta_c_low": low, "beta_c_high": high,
        "beta_star": np.array(stars),
    }  # fmt: skip


def _peak(head: Head, log_beta: np.ndarray, curve: np.ndarray) -> tuple[float, float, float]:
    """Position, height and error of the largest maximum of the head's mean C, never a grid step from the grid's."""
    spacing, centre = GRID[1] - GRID[0], log_beta[np.argmax(curve)]
    place = centre
    for _ in range(STEPS):
        slope, bend = head.mean(np.exp(place))[4:]
        step = -slope / bend if bend < 0.0 else np.sign(slope) * spacing / 4.0
        last, place = place, float(np.clip(place + step, centre - spacing, centre + spacing))
        if abs(place - last) < 1e-6:
            break
    rows = head.at(np.exp(place))
    height = float(rows[head.counted, 3].mean())
    slope, bend = rows.reshape(head.passages, -1, 6)[..., 4:].sum(axis=1).T
    if head.passages < 2 or not bend.sum() < 0.0:
        return float(np.exp(place)), height, nan
    moved = -(slope.sum() - slope) / (bend.sum() - bend)  # of ln(beta_c) when one passage is left out
    return float(np.exp(place)), height, float(np.exp(place) * sqrt((head.passages - 1) * np.var(moved)))


def _self_consistent(head: Head, entropy_curve: np.ndarray) -> float:
    """The root of beta sigma = sqrt(2 H(beta)), by Newton steps from the grid; the difference rises with beta."""
    excess = np.exp(GRID) - np.sqrt(2.0 * np.maximum(entropy_curve, 0.0))
    beta = float(np.exp(np.interp(0.0, excess, GRID)) / head.sigma)
    for _ in range(STEPS):
        entropy, _, variance = head.mean(beta)[:3]
        root = sqrt(2.0 * entropy)
        step = (beta * head.sigma - root) / (head.sigma + beta * variance / root)
        beta -= step
        if abs(step) < 1e-9 * beta:
            break
    return beta
