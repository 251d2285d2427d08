"""The critical point that the crossings of a family of sizes point to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr

from .arguments import as_choice, refuse
from .crossing import CrossingWarning, PairCrossing, find_crossings
from .drift import extrapolate
from .measurement import Data, Measurement, measure_sizes, split_sizes
from .notices import warn
from .resampling import Array, jackknife_covariance
from .scaling import FEWEST_SIZES, LOWEST_P, joint_scaling
from .thermodynamics import QUANTITIES

# Exponents in the number of sites of the Ising class: t N^y is the scaling variable, N^-w the leading correction of U4.
# 2D: nu = 1, L^(-7/4); 3D: nu = 0.630, omega = 0.83; mean field (and 4D up to logarithms): N^(1/2), N^(-1/2).
EXPONENTS = {"2": (1 / 2, 7 / 8), "3": (1 / (3 * 0.630), 0.83 / 3), "4": (1 / 2, 1 / 2), "mean_field": (1 / 2, 1 / 2)}


@dataclass(frozen=True)
class CriticalBeta:
    """Critical inverse temperature (1/J), its error (one standard deviation) and how both were found."""

    value: float
    error: float
    method: str

    def to_dataset(self) -> xr.Dataset:
        """The numbers as ``beta_c`` and ``beta_c_error``, the method as an attribute."""
        values = asdict(self)
        words = {"long_name": "critical inverse temperature", "units": "1/J"}
        error_words = {"long_name": "error of the critical inverse temperature", "units": "1/J"}
        return xr.Dataset(
            {"beta_c": ((), values["value"], words), "beta_c_error": ((), values["error"], error_words)},
            attrs={"method": values["method"]},
        )


def critical_beta(data: Data, quantity: str = "binder", dimension: int | str | None = None) -> CriticalBeta:
    """Critical point from the drift of the crossings, beta_cross = beta_c + a x with x -> 0 for large sizes.

    U4 of mean field (complete, random-regular, closed hyperbolic, d >= 5) with 3 sizes or more goes to `fit_scaling`
    instead, where its known value at beta_c holds the fit: graphs differ by more than size, and a crossing of two of
    them can lie 1 % off. The error joins the fit's with the change when the smallest size is left out.

    Otherwise, with U4 = f(t N^y) + b N^-w to first order, the sizes N1 < N2 cross at a distance proportional to
    x = (N1^-w - N2^-w) / (N2^y - N1^y). The straight line in x is fitted with the covariance of the crossings, which
    share sizes; the smallest pairs are dropped while the fit is not credible (p < 0.05). The error is the fit's, joined
    in quadrature with the whole way from the last crossing to the extrapolation: an allowance for the drift not seen.
    Where the exponents are unknown, the value is the last crossing, the allowance its distance from the one before.

    Parameters
    ----------
    data
        As for `crossings`; three sizes or more show a drift.
    quantity
        ``"binder"`` or ``"xi_over_L"``.
    dimension
        2, 3, ... or ``"mean_field"``, for the exponents of the Ising class; by default the attribute ``dimension`` of
        the data.

    Raises
    ------
    ValueError
        As `crossings`.

    Warns
    -----
    CrossingWarning
        If only one pair of sizes crosses, so that the error holds no allowance for drift; if the joint fit of mean
        field is not possible, and why: crossings are used.
    """
    as_choice("quantity", quantity, QUANTITIES)
    if dimension is None:
        dimension = split_sizes(data)[0].attrs.get("dimension")
    elif (
        isinstance(dimension, bool)
        or not isinstance(dimension, Integral | str)
        or (isinstance(dimension, str) and dimension not in ("mean_field", "unknown"))
    ):
        refuse("dimension", "a whole number, 'mean_field' or 'unknown'", dimension)
    runs = measure_sizes(data)
    universality = _universality(dimension)
    if universality == "mean_field" and quantity == "binder" and len({run.n_sites for run in runs}) >= FEWEST_SIZES:
        joint = _joint_fit(data)
        if joint is not None:
            return joint
    pairs = find_crossings(runs, quantity)
    beta, covariance = _joint(pairs)
    kept = np.flatnonzero(np.isfinite(beta))
    beta, covariance = beta[kept], covariance[np.ix_(kept, kept)]
    exponents = EXPONENTS.get(universality)
    if len(beta) == 1:
        return _single(beta, covariance, quantity)
    if exponents is None:
        return _last(beta, covariance, quantity)
    return _extrapolated(_distances(runs, *exponents)[kept], beta, covariance, quantity)


def _universality(dimension: Any) -> str:
    """Key of EXPONENTS; above four dimensions the exponents are those of mean field."""
    if isinstance(dimension, Integral):
        return "mean_field" if int(dimension) > 4 else str(int(dimension))
    return str(dimension)


def _joint_fit(data: Data) -> CriticalBeta | None:
    """From `fit_scaling`; None with a warning where it is not possible."""
    try:
        fit = joint_scaling(data, "binder", "mean_field", 0)
    except ValueError as error:
        warn(f"no joint mean-field fit, crossings instead, which may lie 1 % off: {error}", CrossingWarning)
        return None
    shift = 0.0 if np.isnan(fit.beta_c_shift) else fit.beta_c_shift
    enlarged = f" (enlarged, chi2 / dof = {fit.chi2 / fit.dof:.1f})" if fit.p <= LOWEST_P else ""
    runs = f"binder, joint mean-field fit of {fit.n_runs} runs"
    method = f"{runs}, error{enlarged} includes the change without the smallest size"
    return CriticalBeta(fit.beta_c, float(np.hypot(fit.beta_c_error, shift)), method)


def _joint(pairs: list[PairCrossing | None]) -> tuple[Array, Array]:
    """Crossings (pair,), NaN where there is none, and their covariance (pair, pair): neighbours share a size."""
    beta = np.array([np.nan if pair is None else pair.beta for pair in pairs])
    covariance = np.zeros((len(pairs), len(pairs)))
    for i, pair in enumerate(pairs):
        if pair is not None:
            replicas = pair.small[:, 0], pair.large[:, 0]
            covariance[i, i] = sum(jackknife_covariance(betas, betas) for betas in replicas)
    for i, (left, right) in enumerate(pairwise(pairs)):
        if left is not None and right is not None:
            shared = jackknife_covariance(left.large[:, 0], right.small[:, 0])
            covariance[i, i + 1] = covariance[i + 1, i] = shared
    return beta, covariance


def _distances(runs: list[Measurement], y: float, w: float) -> Array:
    """X of each pair, to which its distance from the critical point is proportional."""
    n_sites = np.array([run.n_sites for run in runs])
    return -np.diff(n_sites**-w) / np.diff(n_sites**y)


def _single(beta: Array, covariance: Array, quantity: str) -> CriticalBeta:
    error = float(np.sqrt(covariance[0, 0]))
    warn(
        f"beta_c = {beta[0]:.6g} comes from one crossing: its error {error:.2g} is statistical only, "
        "without the drift with size; use 3 sizes or more",
        CrossingWarning,
    )
    return CriticalBeta(float(beta[0]), error, f"{quantity} crossing of one pair of sizes, error statistical only")


def _last(beta: Array, covariance: Array, quantity: str) -> CriticalBeta:
    error = np.sqrt(covariance[-1, -1] + (beta[-1] - beta[-2]) ** 2)
    method = f"{quantity} crossing of the largest pair of sizes, error includes the drift from the pair before"
    return CriticalBeta(float(beta[-1]), float(error), method)


def _extrapolated(x: Array, beta: Array, covariance: Array, quantity: str) -> CriticalBeta:
    limit = extrapolate(x, beta, covariance)
    largest = f"{quantity} crossings of the {len(beta) - limit.first} largest pairs of sizes"
    return CriticalBeta(limit.value, limit.error, f"{largest}, extrapolated, error includes the drift")
