"""Exponents from quotients: what an observable gains from one size to the next, where xi/L (or U4) of both is equal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.polynomial import polynomial

from .arguments import as_choice, refuse
from .crossing import DIMENSIONLESS, PairCrossing, find_crossings
from .curves import fit_nearby
from .drift import extrapolate
from .laws import law_of
from .measurement import Data, Measurement, measure_sizes
from .resampling import Array, jackknife_covariance
from .thermodynamics import QUANTITIES, evaluate

SLOPE = "slope"
LIMIT = {
    "exponent": "exponent of the infinite system",
    "exponent_error": "its error, with the whole way from the last pair",
    "exponent_shift": "change of the exponent without the smallest pair used",
    "chi2": "chi-square of the straight line",
    "dof": "degrees of freedom of the straight line",
    "smallest": "sites of the smallest size used",
}


def quotients(
    data: Data, observable: str = "susceptibility", crossing: str = "xi_over_L", dimension: int | str | None = None
) -> xr.Dataset:
    """Exponent x of O ~ L^x at the critical point: x = ln(O_2 / O_1) / ln(L_2 / L_1) where Q(L_1) = Q(L_2).

    No critical beta and no nu enter. The crossings are those of `analysis.crossings`; O is a local polynomial at the
    crossing, and the replicas of either size move both O and the place. Pairs that share a size are correlated. Against
    L_1^-omega a straight line leads to the exponent of the infinite system (`exponent`), whose error holds the whole
    way from the last pair. L stands for N^(1/d), in mean field for N^(1/4), so that nu = 1/2, gamma / nu = 2.

    Parameters
    ----------
    data
        As for `analysis.crossings`.
    observable
        ``"susceptibility"`` (x = gamma / nu = 2 - eta), ``"magnetization_abs"`` (-beta / nu), any other positive one,
        or ``"slope"``, dQ/dbeta of the crossing quantity itself (1 / nu).
    crossing
        Q: ``"xi_over_L"`` or ``"binder"``.
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute ``dimension`` of the data.

    Returns
    -------
    xarray.Dataset
        Dimension (pair,): x, x_error, beta_cross; coordinates L_small, L_large, n_sites_small, n_sites_large. Scalars
        exponent, exponent_error, chi2, dof, smallest (sites of the smallest size used) and exponent_shift, the change
        without that size; NaN with one pair only.

    Raises
    ------
    ValueError
        As `analysis.crossings`; if O is not positive at a crossing or the dimension is unknown.

    Warns
    -----
    CrossingWarning
        If some sizes do not cross.

    References
    ----------
    H. G. Ballesteros et al., Phys. Lett. B 378 (1996) 207.
    """
    as_choice("observable", observable, (SLOPE, *QUANTITIES))
    if not isinstance(crossing, str) or crossing not in DIMENSIONLESS:
        refuse("crossing", f"one of {', '.join(DIMENSIONLESS)}", crossing)
    law = law_of(data, dimension)
    runs = measure_sizes(data)
    pairs = find_crossings(runs, crossing)
    sizes = np.array([run.n_sites for run in runs]) ** (1 / law.root)
    name, order = (crossing, 1) if observable == SLOPE else (observable, 0)
    gains = [
        None if pair is None else _gain(pair, small, large, name, order)
        for pair, (small, large) in zip(pairs, pairwise(runs))
    ]
    ratio = np.log(sizes[1:] / sizes[:-1])
    x = np.array([np.nan if gain is None else gain.value for gain in gains]) / ratio
    covariance = _covariance(gains) / np.outer(ratio, ratio)
    table = xr.Dataset(
        {
            "x": ("pair", x, {"long_name": "exponent from a quotient", "units": "1"}),
            "x_error": ("pair", np.sqrt(np.diag(covariance)), {"long_name": "jackknife error of x", "units": "1"}),
            "beta_cross": ("pair", [np.nan if pair is None else pair.beta for pair in pairs], {"units": "1/J"}),
            "correction": ("pair", sizes[:-1] ** -law.omega, {"long_name": f"L^-{law.omega:g}", "units": "1"}),
        },
        {
            "L_small": ("pair", [run.label for run in runs[:-1]]),
            "L_large": ("pair", [run.label for run in runs[1:]]),
            "n_sites_small": ("pair", [run.n_sites for run in runs[:-1]]),
            "n_sites_large": ("pair", [run.n_sites for run in runs[1:]]),
        },
        {"observable": observable, "crossing": crossing, "omega": law.omega},
    )
    return table.assign(_limit(table, covariance))


@dataclass(frozen=True, eq=False)
class _Gain:
    """ln(O_2 / O_1) at a crossing; for the replicas (block,) of the small and of the large size."""

    value: float
    small: Array
    large: Array


def _gain(pair: PairCrossing, small: Measurement, large: Measurement, name: str, order: int) -> _Gain:
    below, above = (_Logarithm(run, name, order, pair.beta) for run in (small, large))
    return _Gain(
        value=float(above.fixed(pair.beta) - below.fixed(pair.beta)),
        small=above.fixed(pair.small[:, 0]) - below.replicas(pair.small[:, 0]),
        large=above.replicas(pair.large[:, 0]) - below.fixed(pair.large[:, 0]),
    )


class _Logarithm:
    """ln O, or ln dO/dbeta (order 1), near a crossing, of the estimate and of the replicas."""

    def __init__(self, run: Measurement, name: str, order: int, center: float) -> None:
        self.name, self.center, self.scale = name, center, float(np.mean(np.diff(np.sort(run.beta))))
        rows = evaluate(run, name)
        usable = np.isfinite(rows).all(axis=0)
        fit = fit_nearby(run.beta[usable], rows[:, usable], center, self.scale)
        self.coefficients = polynomial.polyder(fit.coefficients, order, 1 / self.scale)

    def fixed(self, beta: Any) -> Any:
        """Of the estimate, at any beta."""
        return self._log(polynomial.polyval((beta - self.center) / self.scale, self.coefficients[:, 0]))

    def replicas(self, beta: Array) -> Array:
        """Of replica b at the b-th beta."""
        x = (beta - self.center) / self.scale
        return np.asarray(self._log(polynomial.polyval(x, self.coefficients[:, 1:], tensor=False)))

    def _log(self, values: Any) -> Any:
        if not np.all(values > 0):
            raise ValueError(f"{self.name} must be positive at the crossing {self.center:g}: draw more or take another")
        return np.log(values)


def _covariance(gains: list[_Gain | None]) -> Array:
    """(pair, pair): neighbours share a size; NaN where sizes do not cross."""
    covariance = np.zeros((len(gains), len(gains)))
    for i, gain in enumerate(gains):
        covariance[i, i] = np.nan if gain is None else sum(jackknife_covariance(g, g) for g in (gain.small, gain.large))
    for i, (left, right) in enumerate(pairwise(gains)):
        if left is not None and right is not None:
            covariance[i, i + 1] = covariance[i + 1, i] = jackknife_covariance(left.large, right.small)
    return covariance


def _limit(table: xr.Dataset, covariance: Array) -> dict[str, Any]:
    """The exponent of the infinite system as scalar variables, NaN with one pair only."""
    kept = np.flatnonzero(np.isfinite(table["x"].values))
    if len(kept) < 2:
        values = [np.nan] * 4 + [0, table["n_sites_small"].values[kept[0]]]
    else:
        limit = extrapolate(table["correction"].values[kept], table["x"].values[kept], covariance[np.ix_(kept, kept)])
        first = table["n_sites_small"].values[kept[limit.first]]
        values = [limit.value, limit.error, limit.shift, limit.chi2, limit.dof, first]
    return {
        name: ((), value, {"long_name": words, "units": "1"}) for (name, words), value in zip(LIMIT.items(), values)
    }
