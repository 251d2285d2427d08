"""Success probability and time to solution, TTS99 = t ln(1 - 0.99) / ln(1 - p), with errors from the runs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ising.arguments import as_number, as_numbers
from ising.integers import as_integer
from ising.streams import check_seed

from ..arguments import check_broadcast, yes_or_no

GOAL = 0.99
CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class TimeToSolution:
    """What runs of equal settings say about the time to a solution.

    Attributes
    ----------
    probability
        Share of runs that found it.
    seconds
        TTS99, infinite if no run found it.
    low, high
        Bootstrap interval of the confidence, over runs. Without a hit, `low` is a lower bound of that confidence and
        `high` is infinite; without a miss, `high` is an upper bound.
    runs, hits
        Counts.
    """

    probability: float
    seconds: float
    low: float
    high: float
    runs: int
    hits: int

    def __str__(self) -> str:
        """TTS in seconds with its interval."""
        if self.hits == 0:
            return f"> {self.low:.3g} ({CONFIDENCE:.0%})"
        return f"{self.seconds:.3g} [{self.low:.3g} .. {self.high:.3g}]"


def tts(seconds: ArrayLike, probability: ArrayLike, goal: float = GOAL) -> NDArray[np.float64]:
    """TTS = t max(1, ln(1 - goal) / ln(1 - p)): the time in which repeated runs succeed at least once with `goal`.

    Parameters
    ----------
    seconds
        Length t of a run.
    probability
        Its success probability p; broadcasts with `seconds`.
    goal
        Wanted probability, in (0, 1).

    Returns
    -------
    float64 array, infinite where p = 0, and t where p >= goal.

    Raises
    ------
    ValueError
        Probabilities outside [0, 1], or a goal outside (0, 1).

    Examples
    --------
    >>> round(float(tts(2.0, 0.9)), 9)
    4.0
    """
    p, goal = as_numbers("probability", probability, least=0, most=1), as_number("goal", goal, above=0, below=1)
    failures = np.log1p(-np.clip(p, 1e-300, goal))
    repeats = np.where(p > 0.0, log(1.0 - goal) / failures, inf)
    times = as_numbers("seconds", seconds, least=0)
    check_broadcast(seconds=times, probability=p)
    return np.asarray(times * repeats)


def largest_probability(runs: int, confidence: float = CONFIDENCE) -> float:
    """The p at which `runs` runs without a hit have probability 1 - confidence: p = 1 - (1 - confidence)^(1/runs).

    Examples
    --------
    >>> round(largest_probability(1), 2)
    0.95
    """
    return 1.0 - (1.0 - confidence) ** (1.0 / as_integer("runs", runs, 1))


def time_to_solution(
    seconds: ArrayLike, hits: ArrayLike, seed: int = 0, confidence: float = CONFIDENCE
) -> TimeToSolution:
    """TTS99 of a solver from its independent runs.

    A run is what is independent: of machines that share a sequence of events, the whole word of 64. t is the mean
    length of a run. Bootstrap over runs; without a hit the lower bound at `largest_probability`.

    Parameters
    ----------
    seconds
        Lengths of the runs, (runs,).
    hits
        Whether each found the solution, (runs,).
    seed
        Of the bootstrap.
    confidence
        Of the interval and of the bound.

    Raises
    ------
    ValueError
        No runs, or arrays of different lengths.

    Examples
    --------
    >>> print(time_to_solution(np.ones(10), np.zeros(10)))
    > 15.4 (95%)
    """
    times, found = as_numbers("seconds", seconds, least=0, empty=True), yes_or_no("hits", hits)
    confidence = as_number("confidence", confidence, above=0, below=1)
    if times.ndim != 1 or times.size == 0 or times.shape != found.shape:
        raise ValueError(
            f"seconds and hits must be of one length > 0, got shapes {times.shape} and {found.shape}; one entry a run"
        )
    n, p = len(times), float(found.mean())
    if p == 0.0:
        low = float(tts(times.mean(), largest_probability(n, confidence)))
        return TimeToSolution(0.0, inf, low, inf, n, 0)
    rows = np.random.default_rng(check_seed(seed)).integers(0, n, (RESAMPLES, n))
    resampled = tts(times[rows].mean(axis=1), found[rows].mean(axis=1))
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(resampled, [tail, 1.0 - tail], method="nearest")
    if p == 1.0:  # all resamples are equal: bounded by the p that n hits out of n leave possible
        high = tts(times.mean(), (1.0 - confidence) ** (1.0 / n))
    return TimeToSolution(p, float(tts(times.mean(), p)), float(low), float(high), n, int(found.sum()))


@dataclass(frozen=True)
class SuccessCorrelation:
    """How alike the members of a word succeed.

    Attributes
    ----------
    value
        Correlation rho of the successes of two members of a word; 0 if they are independent.
    error
        Jackknife over words.
    inflation
        1 + (m - 1) rho, m members a word: the variance of a word's share of successes over that of independent
        members. Hits of n words tell as much as n m / inflation independent runs.
    """

    value: float
    error: float
    inflation: float


def success_correlation(hits: ArrayLike) -> SuccessCorrelation:
    """Correlation of successes within a word, rho = (s_b^2 - s_w^2) / (s_b^2 + (m - 1) s_w^2).

    The intraclass correlation of a one-way analysis of variance: s_b^2 = m var_w(p_w), p_w the share of hits of word w,
    s_w^2 = m/(m - 1) mean_w p_w (1 - p_w).

    Parameters
    ----------
    hits
        (words, members) of booleans, 3 words and 2 members or more; from `anneal` with 64 replicas a word:
        ``(result.best_energy.values <= ground).reshape(-1, 64)``.

    Raises
    ------
    ValueError
        Another shape, or hits that are all equal: no correlation is defined.

    Examples
    --------
    >>> success_correlation([[1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]]).value
    1.0
    """
    found = yes_or_no("hits", hits)
    if found.ndim != 2 or found.shape[0] < 3 or found.shape[1] < 2:
        raise ValueError(f"hits must be (words, members) with 3 words and 2 members or more, got shape {found.shape}")
    if found.all() or not found.any():
        raise ValueError("hits are all equal, of all members of all words: no correlation is defined")
    shares, members = found.mean(axis=1), found.shape[1]
    value = _intraclass(shares, members)
    left_out = np.array([_intraclass(np.delete(shares, k), members) for k in range(len(shares))])
    error = np.sqrt((len(shares) - 1) * np.nanvar(left_out))
    return SuccessCorrelation(value, float(error), 1.0 + (members - 1) * value)


def _intraclass(shares: NDArray[np.float64], members: int) -> float:
    between = members * shares.var(ddof=1)
    within = members / (members - 1) * float((shares * (1.0 - shares)).mean())
    total = between + (members - 1) * within
    return float((between - within) / total) if total > 0.0 else np.nan
