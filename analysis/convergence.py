"""Whether chains agree: rank-normalised split R-hat."""

from __future__ import annotations

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
    chains = np.atleast_2d(as_numbers("series", series, -LARGEST, most=LARGEST))
    if chains.ndim != 2 or chains.shape[1] < 4:
        raise ValueError(f"series must be (chain, draw) with at least 4 draws, got shape {chains.shape}")
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    return max(_r_hat(halves), _r_hat(np.abs(halves - np.median(halves))))


def _r_hat(chains: Array) -> float:
    from scipy.stats import rankdata

    scores = ndtri((rankdata(chains).reshape(chains.shape) - 0.375) / (chains.size + 0.25))
    n_draws = chains.shape[1]
    within, between = scores.var(axis=1, ddof=1).mean(), scores.mean(axis=1).var(ddof=1)
    if between == 0.0:
        return 1.0
    return float(np.sqrt((n_draws - 1) / n_draws + between / within)) if within > 0.0 else np.inf
