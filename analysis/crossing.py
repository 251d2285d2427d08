"""Where the curves of consecutive sizes cross."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.polynomial import polynomial

from .arguments import shown
from .curves import fit_nearby, floored_errors, follow_root, rising_root
from .measurement import Data, Measurement, measure_sizes
from .notices import warn
from .resampling import Array, jackknife_covariance
from .thermodynamics import QUANTITIES, evaluate

Curve = tuple[Array, Array]  # beta (n_beta,), rows (1 + block, n_beta)

DIMENSIONLESS = ("binder", "xi_over_L", "binder_staggered", "binder_q", "xi_q_over_L")
CREDIBLE = 2.5  # standard errors by which the curves must be apart on either side of a crossing
LARGEST_Z = 5.0  # a single point counts no more than this in the search


class CrossingWarning(UserWarning):
    """Some sizes do not cross, or too few cross to see how the crossings drift with size."""


@dataclass(frozen=True, eq=False)
class PairCrossing:
    """Crossing of the curves of two sizes.

    Attributes
    ----------
    beta, value
        Of the estimate.
    small, large
        (block, 2): beta and value for the replicas of the smaller and of the larger size, the other held fixed.
    """

    beta: float
    value: float
    small: Array
    large: Array
    chi2: float
    dof: int


def find_crossings(runs: list[Measurement], quantity: str) -> list[PairCrossing | None]:
    """Crossings of consecutive sizes, None where two curves do not cross.

    Raises
    ------
    ValueError
        If there are fewer than two sizes or two are equal, the quantity is missing, or no pair crosses.

    Warns
    -----
    CrossingWarning
        If some pairs cross and others do not.
    """
    if not isinstance(quantity, str) or quantity not in DIMENSIONLESS:
        raise ValueError(
            f"quantity must be one of {', '.join(DIMENSIONLESS)}, got {shown(quantity)}: others do not cross"
        )
    if len(runs) < 2:
        raise ValueError(f"a crossing needs at least 2 sizes, got {len(runs)}: use data with dimension L, or a list")
    for small, large in pairwise(runs):
        if small.n_sites == large.n_sites:
            raise ValueError(
                f"{small.label} and {large.label} both have {small.n_sites} sites, so that no crossing of theirs tells "
                "beta_c: give one per size, or all to fit_scaling"
            )
    pairs = [cross_curves(*ends) for ends in pairwise(_finite(run.beta, evaluate(run, quantity)) for run in runs)]
    missing = [f"{a.label} and {b.label}" for (a, b), pair in zip(pairwise(runs), pairs) if pair is None]
    if missing:
        message = (
            f"{quantity} of sizes {', '.join(missing)} does not cross within the beta range: widen it or draw more"
        )
        if len(missing) == len(pairs):
            raise ValueError(message)
        warn(message, CrossingWarning)
    return pairs


def crossings(data: Data, quantity: str = "binder") -> xr.Dataset:
    """Crossings of a dimensionless quantity Q: Q(beta; small) = Q(beta; large), for each pair of consecutive sizes.

    The crossing is the sign change of D = Q_large - Q_small from below to above that the significances of D on either
    side support best; around it each curve is fitted by a polynomial of degree at most 3 through at most 7 points, and
    the fits are intersected. The whole is repeated on every jackknife replica of either size.

    Parameters
    ----------
    data
        As for `summarize`, at least two sizes (ordered here by ``n_sites``), which may have beta grids of their own.
    quantity
        ``"binder"`` or ``"xi_over_L"``; ``"binder_staggered"``; of glasses ``"binder_q"`` or ``"xi_q_over_L"``.

    Returns
    -------
    xarray.Dataset
        Dimension (pair,): beta_cross, beta_cross_error, value, value_error, chi2_per_dof of the local fits (NaN without
        degrees of freedom); coordinates L_small, L_large, n_sites_small, n_sites_large. NaN where sizes do not cross.

    Raises
    ------
    ValueError
        If there are fewer than two sizes or two are equal, the quantity is missing, or no pair crosses.

    Warns
    -----
    CrossingWarning
        If some pairs cross and others do not.
    """
    runs = measure_sizes(data)
    pairs = find_crossings(runs, quantity)
    columns = np.array([_columns(pair) for pair in pairs]).T  # (5, pair)
    name = QUANTITIES[quantity].long_name
    words = {
        "beta_cross": ("inverse temperature of the crossing", "1/J"),
        "beta_cross_error": ("jackknife error of the crossing", "1/J"),
        "value": (f"{name} at the crossing", "1"),
        "value_error": (f"jackknife error of {name} at the crossing", "1"),
        "chi2_per_dof": ("chi-square per degree of freedom of the local fits", "1"),
    }
    return xr.Dataset(
        {
            key: ("pair", column, {"long_name": long_name, "units": units})
            for (key, (long_name, units)), column in zip(words.items(), columns)
        },
        {
            "L_small": ("pair", [run.label for run in runs[:-1]]),
            "L_large": ("pair", [run.label for run in runs[1:]]),
            "n_sites_small": ("pair", [run.n_sites for run in runs[:-1]]),
            "n_sites_large": ("pair", [run.n_sites for run in runs[1:]]),
        },
        {"quantity": quantity, "formula": QUANTITIES[quantity].formula},
    )


def cross_extremes(runs: list[Measurement], quantity: str) -> tuple[PairCrossing, tuple[float, float]]:
    """Crossing of the smallest with the largest size, and dQ/dbeta of either there.

    Raises
    ------
    ValueError
        If they do not cross, or Q does not rise there.
    """
    ends = runs[0], runs[-1]
    crossing = find_crossings(list(ends), quantity)[0]
    assert crossing is not None  # find_crossings raises where its only pair does not cross
    slopes = _slope(ends[0], quantity, crossing.beta), _slope(ends[1], quantity, crossing.beta)
    if min(slopes) <= 0:
        raise ValueError(f"{quantity} does not rise with beta at the crossing {crossing.beta:g}: draw more")
    return crossing, slopes


def _slope(run: Measurement, quantity: str, beta: float) -> float:
    scale = float(np.mean(np.diff(np.sort(run.beta))))
    return float(fit_nearby(run.beta, evaluate(run, quantity), beta, scale).coefficients[1, 0]) / scale


def _columns(pair: PairCrossing | None) -> list[float]:
    if pair is None:
        return [np.nan] * 5
    variance = jackknife_covariance(pair.small, pair.small) + jackknife_covariance(pair.large, pair.large)
    beta_error, value_error = np.sqrt(variance)
    return [pair.beta, beta_error, pair.value, value_error, pair.chi2 / pair.dof if pair.dof else np.nan]


def cross_curves(small: Curve, large: Curve) -> PairCrossing | None:
    """Crossing of two curves, None where they do not cross."""
    bracket = _bracket(small, large)
    if bracket is None:
        return None
    center, scale = 0.5 * sum(bracket), max(float(np.mean(np.diff(beta))) for beta, _ in (small, large))
    fits = [fit_nearby(beta, rows, center, scale) for beta, rows in (small, large)]
    a, b = (fit.coefficients for fit in fits)
    root = rising_root(polynomial.polysub(b[:, 0], a[:, 0]), max(f.low for f in fits), min(f.high for f in fits))
    if np.isnan(root):
        return None
    with_small = follow_root(_subtract(b[:, :1], a[:, 1:]), root)
    with_large = follow_root(_subtract(b[:, 1:], a[:, :1]), root)
    values = polynomial.polyval(with_small, b[:, 0]), polynomial.polyval(with_large, a[:, 0])
    return PairCrossing(
        beta=center + scale * root,
        value=float(polynomial.polyval(root, a[:, 0])),
        small=np.stack([center + scale * with_small, values[0]], axis=1),
        large=np.stack([center + scale * with_large, values[1]], axis=1),
        chi2=sum(fit.chi2 for fit in fits),
        dof=sum(fit.dof for fit in fits),
    )


def _finite(beta: Array, rows: Array) -> Curve:
    """The points whose estimate and replicas are all finite, by increasing beta."""
    order = np.argsort(beta, kind="stable")
    order = order[np.isfinite(rows[:, order]).all(axis=0)]
    return beta[order], rows[:, order]


def _subtract(a: Array, b: Array) -> Array:
    """Difference of polynomials (degree + 1, k), degrees and k made equal."""
    n_terms, k = max(len(a), len(b)), max(a.shape[1], b.shape[1])
    padded = [np.pad(c, ((0, n_terms - len(c)), (0, 0))) * np.ones(k) for c in (a, b)]
    return padded[0] - padded[1]


def _bracket(small: Curve, large: Curve) -> tuple[float, float] | None:
    """Neighbouring beta between which the larger size's curve rises from below to above the smaller one's."""
    if min(len(small[0]), len(large[0])) < 2:
        return None
    beta = np.union1d(small[0], large[0])
    beta = beta[(beta >= max(small[0][0], large[0][0])) & (beta <= min(small[0][-1], large[0][-1]))]
    if len(beta) < 2:
        return None
    difference = np.interp(beta, large[0], large[1][0]) - np.interp(beta, small[0], small[1][0])
    errors = [np.interp(beta, grid, floored_errors(rows)) for grid, rows in (small, large)]
    z = np.clip(difference / np.hypot(*errors), -LARGEST_Z, LARGEST_Z)
    below, above = np.cumsum(-z)[:-1], np.cumsum(z[::-1])[::-1][1:]
    k = int(np.argmax(below + above))  # the sign changes between beta[k] and beta[k + 1]
    credible = min(_evidence(-z[k::-1]), _evidence(z[k + 1 :])) > CREDIBLE
    return (float(beta[k]), float(beta[k + 1])) if credible else None


def _evidence(z: Array) -> float:
    """Largest significance of any number of points next to the crossing, nearest first."""
    return float(np.max(np.cumsum(z) / np.sqrt(np.arange(1, len(z) + 1))))
