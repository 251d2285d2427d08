"""n-ary search for the beta at which a noisy objective is largest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments as rules

RESOLVED = 2.0  # standard errors by which a round's best point must beat its neighbours

MOST_POINTS = 10_000


@dataclass(frozen=True)
class Search:
    """The rounds of a search; arrays (round, point) of the points, means and standard errors (nan for one sample).

    Attributes
    ----------
    intervals : ndarray, shape (round + 1, 2)
        The interval searched in each round, and the one left at the end.
    evidence : ndarray, shape (round,)
        By how many standard errors the best point beats the better of its neighbours; nan without errors.
    """

    points: np.ndarray
    means: np.ndarray
    errors: np.ndarray
    intervals: np.ndarray
    evidence: np.ndarray

    @property
    def best(self) -> float:
        """The middle of the last interval."""
        return float(self.intervals[-1].mean())

    @property
    def evaluations(self) -> int:
        """Points at which the objective was evaluated."""
        return self.points.size

    @property
    def unresolved(self) -> int | None:
        """The first round that luck may have decided: evidence under 2 standard errors; None if there is none."""
        weak = np.flatnonzero(self.evidence < RESOLVED)
        return int(weak[0]) if weak.size else None

    @property
    def resolved_interval(self) -> tuple[float, float]:
        """The interval before the first unresolved round: all that the data support."""
        low, high = self.intervals[-1 if self.unresolved is None else self.unresolved].tolist()
        return low, high

    def statement(self) -> str:
        """What was found, and what it rests on."""
        low, high = self.intervals[-1]
        text = f"the maximum lies in [{low:.4g}, {high:.4g}] after {self.evaluations} evaluations"
        if np.isnan(self.evidence).any():
            text += " (no errors given)"
        elif self.unresolved is not None:
            weak = int(np.sum(self.evidence < RESOLVED))
            a, b = self.resolved_interval
            text += f", but {weak} of {len(self.evidence)} rounds were decided by less than 2 standard errors: "
            text += f"only [{a:.4g}, {b:.4g}] is resolved"
        if set(self.resolved_interval) & set(self.intervals[0].tolist()):
            text += ", which reaches an end of the searched interval: the maximum may lie outside"
        return text + "; all this if the objective has one maximum"


@rules.checked(objective=rules.function, low=rules.number, high=rules.number, n=rules.count, tolerance=rules.positive)
def nary_search(
    objective: Callable[[np.ndarray], ArrayLike], low: float, high: float, n: int = 3, tolerance: float = 0.01
) -> Search:
    """Divide an interval into n equal parts, keep the two parts around the best of the n - 1 points, repeat.

    n = 3 is ternary search. A round shrinks the interval by 2/n, so it takes (n - 1) ln(width/tolerance)/ln(n/2)
    evaluations: fewest at n = 4 and 5. An objective with several maxima can lead it to any of them.

    Parameters
    ----------
    objective : callable
        Takes the points of a round, (n - 1,), and returns their values, (n - 1,), or samples of them,
        (n - 1, samples). Sample k of all points must share its randomness (the same seeds): errors are paired.
    low, high : float
        Ends of the interval; they are not evaluated.
    n : int
        At least 3.
    tolerance : float
        Stop when the interval is no longer than this share of the first one.

    Raises
    ------
    ValueError
        An empty interval, n < 3, a tolerance outside (0, 1), or values that are not finite or of another shape.

    Examples
    --------
    >>> found = nary_search(lambda beta: -((beta - 6.0) ** 2), 0.0, 10.0)
    >>> round(found.best, 1), found.evaluations
    (6.0, 24)
    """
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"low must be under high, both finite, got {low} and {high}")
    if n < 3 or not 0.0 < tolerance < 1.0:
        raise ValueError(f"n must be at least 3 and tolerance between 0 and 1, got {n} and {tolerance}")
    if n > MOST_POINTS:
        raise ValueError(f"n must be at most {MOST_POINTS}, got {n}")
    if tolerance * (high - low) < 4 * n * math.ulp(max(abs(low), abs(high))):
        raise ValueError(f"tolerance must leave intervals that doubles resolve between low and high, got {tolerance}")
    intervals, rounds = [(low, high)], []
    while intervals[-1][1] - intervals[-1][0] > tolerance * (high - low):
        edges = np.linspace(*intervals[-1], n + 1)
        samples = _samples(objective(edges[1:-1]), edges[1:-1])
        best = int(samples.mean(axis=1).argmax())
        rounds.append((edges[1:-1], samples.mean(axis=1), _error(samples), _evidence(samples, best)))
        intervals.append((float(edges[best]), float(edges[best + 2])))
    points, means, errors, evidence = (np.array(part) for part in zip(*rounds))
    return Search(points, means, errors, np.array(intervals), evidence)


def _samples(values: ArrayLike, points: np.ndarray) -> np.ndarray:
    samples = rules.real_numbers(values)
    if samples is None:
        rules.refuse("objective", "a function that returns numbers", values)
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.shape[0] != len(points) or samples.ndim != 2 or not np.isfinite(samples).all():
        raise ValueError(
            f"objective must return {len(points)} finite values or rows of samples, got {rules.shown(values)}"
        )
    return samples


def _error(samples: np.ndarray) -> np.ndarray:
    count = samples.shape[-1]
    return samples.std(axis=-1, ddof=1) / math.sqrt(count) if count > 1 else np.full(samples.shape[:-1], np.nan)


def _evidence(samples: np.ndarray, best: int) -> float:
    neighbours = [k for k in (best - 1, best + 1) if 0 <= k < len(samples)]
    lead = samples[best] - samples[neighbours]
    error = _error(lead)
    if np.isnan(error).any():
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nan_to_num(lead.mean(axis=-1) / error, nan=0.0, posinf=np.inf).min())
