"""Integrated autocorrelation time: how many draws are worth one independent draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

WINDOW = 5.0


def integrated_autocorrelation_time(series: ArrayLike) -> float:
    """Integrated autocorrelation time, tau = 1 + 2 sum_{t >= 1} rho(t), in draws.

    White noise has tau = 1, an AR(1) process of coefficient a has (1 + a) / (1 - a). The sum is cut by Sokal's window,
    the smallest M with M >= 5 tau(M). The autocovariance is averaged over chains about the mean of all chains, so that
    chains which have settled in different places show up as a long tau. When no window fits into the chains, every
    chain counts as one independent draw: tau is the number of draws. A constant series has tau = 1.

    Made for Monte Carlo series, whose rho is mostly positive; a strongly anticorrelated one is not resolved.

    Parameters
    ----------
    series
        (draw,) or (chain, draw).

    Raises
    ------
    ValueError
        If the series is empty, has more than two axes, or holds values that are not finite.

    References
    ----------
    A. D. Sokal, Monte Carlo Methods in Statistical Mechanics (1997), section 3.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 10_000))
    >>> round(integrated_autocorrelation_time(noise), 1)
    1.0
    """
    chains = np.atleast_2d(np.asarray(series, dtype=np.float64))
    if chains.ndim != 2 or chains.size == 0:
        raise ValueError(f"series must have shape (draw,) or (chain, draw) and not be empty, got {np.shape(series)}")
    if not np.isfinite(chains).all():
        raise ValueError("series must be finite, got NaN or infinity")
    return _windowed_sum(autocovariance(chains))


def effective_sample_size(series: ArrayLike) -> float:
    """Number of independent draws a series is worth, ess = n / tau with n = chains x draws.

    Parameters
    ----------
    series
        (draw,) or (chain, draw).
    """
    return np.size(series) / integrated_autocorrelation_time(series)


def autocovariance(chains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocovariance C(t) = mean over chains and draws i of d_i d_{i+t}, with d = x - mean of all chains.

    Parameters
    ----------
    chains
        (chain, draw).

    Returns
    -------
    NDArray
        (draw,), lag t = 0 .. draw - 1, every lag divided by its own number of pairs.
    """
    n_draws = chains.shape[1]
    deviation = chains - chains[0, 0]  # a constant series becomes exactly zero
    deviation -= deviation.mean()
    length = fft.next_fast_len(2 * n_draws - 1, real=True)  # zero padding: no wrap-around
    spectrum = fft.rfft(deviation, length, axis=1)
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0)
    return fft.irfft(power, length)[:n_draws] / np.arange(n_draws, 0, -1)


def _windowed_sum(covariance: NDArray[np.float64]) -> float:
    """Sum of rho over Sokal's window for an autocovariance of shape (draw,)."""
    n_draws = len(covariance)
    if covariance[0] <= 0.0:
        return 1.0
    tau = 2.0 * np.cumsum(covariance / covariance[0]) - 1.0
    lags = np.arange(n_draws)
    closed = np.flatnonzero((lags >= WINDOW * tau) & (lags > 0))
    if len(closed) == 0:
        return float(n_draws)
    return float(max(tau[closed[0]], 1.0 / n_draws))
