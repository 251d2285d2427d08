"""Whether chains agree: rank-normalised split R-hat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .arguments import LARGEST, as_numbers

Array = NDArray[np.float64]


def r_hat(series: ArrayLike) -> float:
    """R-hat = sqrt((W (n - 1) / n + B) / W) of rank-normalised half chains of n draws: 1 where all chains agree.

    W is the mean of their variances, B the variance of their means; values are replaced by normal scores of their
    ranks, so that heavy tails do no harm. The larger of the R-hat of the values and of their distances from the median
    is returned: the former sees chains in different places, the latter chains of different widths. Above 1.01 the
    chains have not settled. The middle draw of an odd number is left out. A constant series has R-hat 1.

    Parameters
    ----------
    series
        (chain, draw), or (draw,) for the two halves of one chain.

    Raises
    ------
    ValueError
        If the series has more than two axes, fewer than 4 draws, or holds values that are not finite.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Buerkner, Bayesian Analysis 16, 667 (2021).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(4, 1000))
    >>> r_hat(noise) < 1.01, r_hat(noise + np.arange(4)[:, np.newaxis]) > 1.01
    (True, True)
    """
    chains: Any = series  # an array is read chain by chain, and twice, so that one copy of it is in memory
    if len(getattr(series, "shape", ())) != 2 or isinstance(series, np.ma.MaskedArray):
        chains = np.atleast_2d(as_numbers("series", series, -LARGEST, most=LARGEST))
    if chains.ndim != 2 or chains.shape[1] < 4:
        raise ValueError(f"series must be (chain, draw) with at least 4 draws, got shape {chains.shape}")
    halves = _Halves(chains)
    ranked, median = _r_hat(halves, lambda values: values)
    return max(ranked, _r_hat(halves, lambda values: np.abs(values - median))[0])


class _Halves:
    """The halves of chains, first all first ones; each is read when it is asked for, the middle draw never."""

    def __init__(self, chains: Any) -> None:
        self.chains, (self.n_chains, self.n_draws) = chains, np.shape(chains)
        self.shape = (2 * self.n_chains, self.n_draws // 2)

    def __iter__(self) -> Iterator[Array]:
        for number in range(self.shape[0]):
            chain = as_numbers("series", self.chains[number % self.n_chains], -LARGEST, most=LARGEST)
            yield chain[: self.shape[1]] if number < self.n_chains else chain[-self.shape[1] :]


def _r_hat(halves: _Halves, of: Callable[[Array], Array]) -> tuple[float, float]:
    """R-hat of a function of the values, and their median."""
    n_draws, means, variances = halves.shape[1], [], []
    ordered = np.empty(halves.shape)
    for row, half in zip(ordered, halves, strict=True):
        row[:] = of(half)
    ordered = ordered.reshape(-1)
    ordered.sort()
    for half in halves:
        values, place = np.unique(of(half), return_inverse=True)
        rank = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / 2
        scores = ndtri((rank - 0.375) / (ordered.size + 0.25))[place]
        means.append(scores.mean())
        variances.append(scores.var(ddof=1))
    median = float(np.mean(ordered[(ordered.size - 1) // 2 : ordered.size // 2 + 1]))
    return _ratio(np.mean(variances), np.var(means, ddof=1), n_draws), median


def _ratio(within: Any, between: Any, n_draws: int) -> float:
    if between == 0.0:
        return 1.0
    return float(np.sqrt((n_draws - 1) / n_draws + between / within)) if within > 0.0 else np.inf
