"""Autocorrelation times: how many draws are worth one independent draw, and how well that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from .arguments import LARGEST, as_choice, as_numbers
from .notices import warn
from .samples import pairwise_sum, pieces

Array = NDArray[np.float64]

SOKAL = 5.0
WOLFF = 1.5
SIGNIFICANT = 4.0
TRUSTED = 50
FEWEST_LAGS, MORE_LAGS = 256, 8
LAGS_PER_TAU = 8.0
IN_CACHE = 65_536


class ShortSeriesWarning(UserWarning):
    """A series shorter than 50 autocorrelation times, or chains shorter than its window: tau is not to be trusted."""


@dataclass(frozen=True)
class Autocorrelation:
    """Autocorrelation times of one series, in draws.

    Attributes
    ----------
    tau, tau_error
        Integrated time 1 + 2 sum_{1 <= t <= window} rho(t) and its error (white noise: 1).
    tau_exponential
        Decay time of rho at late lags, rho(t) ~ exp(-t / tau_exponential); 0 where rho(1) drowns in noise.
    window
        Lag at which the sum is cut.
    n
        Chains x draws.
    ess
        n / tau.
    trusted
        Whether a window fits into the chains and n >= 50 tau, and 50.
    """

    tau: float
    tau_error: float
    tau_exponential: float
    window: int
    n: int
    ess: float
    trusted: bool


def autocorrelation_time(series: ArrayLike, window: str = "sokal") -> Autocorrelation:
    """Integrated and exponential autocorrelation time with the error of the former.

    tau(W) = 1 + 2 sum_{1 <= t <= W} rho(t): white noise has tau = 1, an AR(1) process (1 + a) / (1 - a). The window W
    is the first with W >= 5 tau(W) ("sokal"), or the first at which the gain in bias no longer pays for the noise,
    exp(-W / s) < s / sqrt(W n), s = 1.5 / ln((tau + 1) / (tau - 1)) ("wolff"; tau is then freed of the bias of the
    mean, a factor 1 + (2 W + 1) / n). In either condition a clearly negative rho counts as |rho|, so that the window
    of an anticorrelated series is as long as its memory. The error is Bartlett's,
    var(tau) = (2 / n) mean over omega of f^2 (q - tau)^2, with the spectrum f of rho cut at W and q = sum_{|t| <= W}
    cos(omega t); it tends to the usual tau^2 (4 W + 2) / n for W >> tau.

    Parameters
    ----------
    series
        (draw,) or (chain, draw).
    window
        "sokal" or "wolff".

    Raises
    ------
    ValueError
        If the series is empty, has more than two axes, or holds values that are not finite, or the window is unknown.

    Warns
    -----
    ShortSeriesWarning
        If n < 50 tau, or no window fits into the chains.

    References
    ----------
    A. D. Sokal, Monte Carlo Methods in Statistical Mechanics (1997), section 3; U. Wolff, Comput. Phys. Commun. 156
    (2004) 143; M. S. Bartlett, J. R. Stat. Soc. Suppl. 8 (1946) 27.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 10_000))
    >>> found = autocorrelation_time(noise)
    >>> abs(found.tau - 1) < 3 * found.tau_error, found.trusted
    (True, True)
    """
    as_choice("window", window, WINDOWS)
    chains = _chains(series)
    rho, cut, tau = _windowed(chains, WINDOWS[window])
    n = chains.size
    if cut is None:
        cut, error = chains.shape[1] - 1, np.inf
    else:
        tau *= 1.0 + (2 * cut + 1) / n if window == "wolff" and cut > 0 else 1.0
        error = _bartlett_error(rho[: cut + 1], tau, n)
    trusted = bool(np.isfinite(error) and n >= TRUSTED * max(tau, 1.0))
    if not trusted:
        warn(
            f"the series is short: tau = {tau:.3g} draws, n = {n} ({len(chains)} chains of {chains.shape[1]} draws);"
            f" tau needs n >= {TRUSTED} tau, and {TRUSTED}, and chains longer than its window: draw more",
            ShortSeriesWarning,
        )
    return Autocorrelation(tau, error, _decay_time(rho[: cut + 1], n), cut, n, n / tau, trusted)


def integrated_autocorrelation_time(series: ArrayLike) -> float:
    """Integrated autocorrelation time, tau = 1 + 2 sum_{t >= 1} rho(t), in draws.

    White noise has tau = 1, an AR(1) process of coefficient a has (1 + a) / (1 - a). The sum is cut by Sokal's window
    (see `autocorrelation_time`). The autocovariance is averaged over chains about the mean of all chains, so that
    chains which have settled in different places show up as a long tau. When no window fits into the chains, every
    chain counts as one independent draw: tau is the number of draws. A constant series has tau = 1.

    Parameters
    ----------
    series
        (draw,) or (chain, draw).

    Raises
    ------
    ValueError
        If the series is empty, has more than two axes, or holds values that are not finite.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=(4, 10_000))
    >>> round(integrated_autocorrelation_time(noise), 1)
    1.0
    """
    return _windowed(_chains(series), _sokal_window)[2]


def effective_sample_size(series: ArrayLike) -> float:
    """Number of independent draws a series is worth, ess = n / tau with n = chains x draws.

    Parameters
    ----------
    series
        (draw,) or (chain, draw).
    """
    chains = _chains(series)
    return chains.size / _windowed(chains, _sokal_window)[2]


def autocovariance(chains: Array, n_lags: int | None = None) -> Array:
    """Autocovariance C(t) = mean over chains and draws i of d_i d_{i+t}, with d = x - mean of all chains.

    Chains are cut into segments as long as the lags wanted; one short transform of each serves its product with itself
    and with its successor, which costs far less than one padded transform of everything.

    Parameters
    ----------
    chains
        (chain, draw).
    n_lags
        Lags 0 .. n_lags - 1; all by default.

    Returns
    -------
    NDArray
        (n_lags,), every lag divided by its own number of pairs.
    """
    n_chains, n_draws = chains.shape
    n_lags = n_draws if n_lags is None else min(n_lags, n_draws)
    segment = 1 << (n_lags - 1).bit_length()
    n_segments = -(-n_draws // segment)
    first = chains[0, 0]  # a constant series becomes exactly zero
    mean = _sum(chains, lambda values: values - first) / chains.size
    together, at_once = max(1, IN_CACHE // (n_segments * segment)), max(1, IN_CACHE // segment)
    sign = 1.0 - 2.0 * (np.arange(segment + 1) % 2)  # a shift by half the length of the transform
    power = np.zeros(segment + 1, dtype=np.complex128)
    for row in range(0, n_chains, together):
        group = chains[row : row + together]
        padded = np.zeros((len(group), (n_segments + 1) * segment))
        padded[:, :n_draws] = (group - first) - mean
        pieces = padded.reshape(len(group), n_segments + 1, segment)
        for start in range(0, n_segments, at_once):
            spectra = fft.rfft(pieces[:, start : start + at_once + 1], 2 * segment).swapaxes(1, 2)
            here, following = spectra[..., :-1], spectra[..., 1:]  # (chain, frequency, segment)
            power += np.vecdot(here, here).sum(axis=0) + sign * np.vecdot(here, following).sum(axis=0)
    return fft.irfft(power, 2 * segment)[:n_lags] / (n_chains * np.arange(n_draws, n_draws - n_lags, -1))


def _chains(series: ArrayLike) -> Array:
    chains = np.atleast_2d(as_numbers("series", series, -LARGEST, most=LARGEST))
    if chains.ndim != 2:
        raise ValueError(f"series must have shape (draw,) or (chain, draw), got {chains.shape}")
    return chains


def _windowed(chains: Array, closes: Callable[[Array, int], NDArray[np.bool_]]) -> tuple[Array, int | None, float]:
    """rho, the window (None where none fits) and tau; more lags are computed until a window is found."""
    n_draws, n = chains.shape[1], chains.size
    n_lags = max(FEWEST_LAGS, int(LAGS_PER_TAU * min(_blocked_time(chains), n_draws)))
    while True:
        covariance = autocovariance(chains, n_lags)
        if covariance[0] <= 0.0:
            return np.ones(1), 0, 1.0
        rho = covariance / covariance[0]
        tau = 2.0 * np.cumsum(rho) - 1.0
        noise = np.sqrt((2.0 * np.cumsum(rho**2) - 1.0) / n)
        memory = 2.0 * np.cumsum(np.where(rho < -SIGNIFICANT * noise, -rho, rho)) - 1.0
        closed = np.flatnonzero(closes(memory, n)[1:])
        if len(closed):
            window = int(closed[0]) + 1
            return rho, window, float(max(tau[window], 1.0 / n_draws))
        if n_lags >= n_draws:
            return rho, None, float(n_draws)
        n_lags *= MORE_LAGS


def _sum(chains: Array, of: Callable[[Array], Array]) -> float:
    """Sum of a function of all values, (values,) -> (values,), without an array of them all."""
    values = chains.reshape(-1)
    return pairwise_sum(lambda start, stop: of(values[start:stop]), 0, values.size)


def _blocked_time(chains: Array) -> float:
    """First guess of tau: length of a block x variance of the means of blocks / variance of the draws."""
    n_draws = chains.shape[1]
    length = max(1, n_draws // 64)
    whole = n_draws // length * length
    blocks = [chains[rows, :whole].reshape(-1, whole // length, length).mean(axis=2) for rows in pieces(*chains.shape)]
    mean = _sum(chains, lambda values: values) / chains.size
    variance = _sum(chains, lambda values: (values - mean) ** 2) / chains.size
    return length * float(np.concatenate(blocks).var()) / variance if variance > 0.0 else 1.0


def _sokal_window(tau: Array, n: int) -> NDArray[np.bool_]:
    """Lags that may end the sum: (lag,)."""
    return np.arange(len(tau)) >= SOKAL * tau


def _wolff_window(tau: Array, n: int) -> NDArray[np.bool_]:
    """Lags that may end the sum: (lag,); those in the second half of n are left out."""
    lags = np.arange(len(tau))
    bounded = np.maximum(tau, 1.0 + 1e-12)
    scale = WOLFF / np.log((bounded + 1.0) / (bounded - 1.0))
    return (np.exp(-lags / scale) < scale / np.sqrt(np.maximum(lags, 1) * n)) & (lags < n // 2)


WINDOWS = {"sokal": _sokal_window, "wolff": _wolff_window}


def _bartlett_error(rho: Array, tau: float, n: int) -> float:
    """Standard error of tau for rho at lags 0 .. W: (W + 1,)."""
    window = len(rho) - 1
    length = fft.next_fast_len(8 * window + 4, real=True)  # f^2 q^2 has 8 W + 1 coefficients
    spectra = [2.0 * fft.rfft(values, length).real - values[0] for values in (rho, np.ones(window + 1))]
    density = (spectra[0] * (spectra[1] - tau)) ** 2
    circle = 2.0 * density.sum() - density[0] - (density[-1] if length % 2 == 0 else 0.0)
    return float(np.sqrt(2.0 * circle / length / n))


def _decay_time(rho: Array, n: int) -> float:
    """Slope of ln |rho| over the later half of the lags that rise above the noise, weighted by rho^2."""
    noise = np.sqrt((2.0 * np.sum(rho**2) - 1.0) / n)
    drowned = np.flatnonzero(np.abs(rho) < SIGNIFICANT * noise)
    last = int(drowned[0]) - 1 if len(drowned) else len(rho) - 1
    if last < 1:
        return 0.0
    lags = np.arange(last // 2, last + 1)
    size = np.abs(rho[lags])
    slope = np.polyfit(lags, np.log(size), 1, w=size)[0]
    return float(-1.0 / slope) if slope < 0.0 else np.inf
