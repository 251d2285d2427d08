"""Power laws in the size: tau ~ L^z of the dynamics, heights and places of peaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import chdtrc

from .arguments import as_choice, as_integer, as_number, as_numbers, as_table, refuse
from .autocorrelation import autocorrelation_time
from .laws import Law, law_of
from .measurement import Data, check_runs, series_of, split_sizes
from .resampling import Array

LOWEST_P = 0.05
OBSERVABLES = ("energy", "magnetization_abs", "magnetization_squared")
LEAST_NU = 0.01


@dataclass(frozen=True)
class Line:
    """Weighted straight line y = a + b x through independent points, and its change without the first point used."""

    a: float
    b: float
    a_error: float
    b_error: float
    chi2: float
    dof: int
    first: int
    a_shift: float
    b_shift: float

    @property
    def p(self) -> float:
        """Probability of a larger chi-square; 1 without degrees of freedom."""
        return float(chdtrc(self.dof, self.chi2)) if self.dof else 1.0


def fit_line(x: Array, y: Array, error: Array, first: int = 0) -> Line:
    """Line through the points from ``first`` on; further ones are dropped while the fit is not credible (p < 0.05).

    At least three points stay where there are three; a fit that is not credible has errors times sqrt(chi2 / dof).

    Raises
    ------
    ValueError
        If there are fewer than two points.
    """
    if len(x) - first < 2:
        raise ValueError(f"a power law needs at least 2 sizes, got {len(x) - first}: add sizes")
    lines = [_line(x[i:], y[i:], error[i:]) for i in range(first, max(len(x) - 2, first + 1))]
    credible = [i for i, line in enumerate(lines) if line[3] == 0 or chdtrc(line[3], line[2]) > LOWEST_P]
    chosen = credible[0] if credible else len(lines) - 1
    values, errors, chi2, dof = lines[chosen]
    start = first + chosen
    enlarged = errors * (1.0 if credible else np.sqrt(chi2 / dof))
    shift = np.full(2, np.nan)
    if len(x) - start > 2:
        shift = _line(x[start + 1 :], y[start + 1 :], error[start + 1 :])[0] - values
    (a, b), (a_error, b_error), (a_shift, b_shift) = values.tolist(), enlarged.tolist(), shift.tolist()
    return Line(a, b, a_error, b_error, chi2, dof, start, a_shift, b_shift)


def _line(x: Array, y: Array, error: Array) -> tuple[Array, Array, float, int]:
    design = np.stack([np.ones_like(x), x], axis=1) / error[:, np.newaxis]
    covariance = np.linalg.inv(design.T @ design)
    values = covariance @ design.T @ (y / error)
    chi2 = float(np.sum((y / error - design @ values) ** 2))
    return values, np.sqrt(np.diag(covariance)), chi2, len(x) - 2


def peak_scaling(peaks: xr.Dataset, nu: float, dimension: int | str | None = None) -> xr.Dataset:
    """Where the peaks point: beta_peak = beta_c + a L^(-1/nu) and height ~ L^x, weighted fits to both.

    L stands for N^(1/d), in mean field for N^(1/4), where nu = 1/2. Small sizes are dropped while a fit is not
    credible. A logarithm, as of the specific heat in 2D, shows as an exponent that falls with size.

    Parameters
    ----------
    peaks
        From `analysis.peaks`, 2 sizes or more (3 for a chi2).
    nu
        Held; such as ``fit_scaling(data).nu``.
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute of the table.

    Returns
    -------
    xarray.Dataset
        The table of peaks with ``length``, and as scalars beta_c, amplitude, height_exponent with their errors, chi2,
        dof, smallest (sites) and shift (change without the smallest size) of either.

    Raises
    ------
    ValueError
        If there is one size only, nu is not positive or the dimension is unknown.
    """
    nu = as_number("nu", nu, above=0, most=100)
    columns = ["n_sites", "beta_peak", "beta_peak_error", "height", "height_error"]
    as_table("peaks", peaks, "analysis.peaks", columns)
    if "L" not in peaks.dims:
        raise ValueError("peaks must have a dimension L of 2 sizes or more, got one size: use data of several sizes")
    if nu < LEAST_NU:
        raise ValueError(f"nu must be at least {LEAST_NU}, got {nu}")
    law, table = law_of(peaks, dimension), peaks.sortby("n_sites")
    for name in columns:
        as_numbers(f"peaks[{name!r}]", table[name].values, above=0)
    length = _lengths(table["n_sites"].values, law)
    place = fit_line(length ** (-1 / nu), table["beta_peak"].values, table["beta_peak_error"].values)
    heights = table["height"].values
    height = fit_line(np.log(length), np.log(heights), table["height_error"].values / heights)
    sites = table["n_sites"].values
    scalars = {
        "beta_c": (place.a, "1/J"),
        "beta_c_error": (place.a_error, "1/J"),
        "beta_c_shift": (place.a_shift, "1/J"),
        "amplitude": (place.b, "1/J"),
        "amplitude_error": (place.b_error, "1/J"),
        "chi2": (place.chi2, "1"),
        "dof": (place.dof, "1"),
        "smallest": (sites[place.first], "1"),
        "height_exponent": (height.b, "1"),
        "height_exponent_error": (height.b_error, "1"),
        "height_exponent_shift": (height.b_shift, "1"),
        "height_chi2": (height.chi2, "1"),
        "height_dof": (height.dof, "1"),
        "height_smallest": (sites[height.first], "1"),
    }
    table = table.assign({name: ((), value, {"units": unit}) for name, (value, unit) in scalars.items()})
    return table.assign_coords(length=("L", length)).assign_attrs(nu=nu, root=law.root)


def dynamic_exponent(
    data: Data | dict[str, Data],
    beta: float,
    observable: str = "energy",
    dimension: int | str | None = None,
    smallest: int = 0,
) -> xr.Dataset:
    """Dynamic exponent z of tau ~ L^z at one beta, for each update: weighted line through ln tau against ln L.

    tau is the integrated autocorrelation time of `autocorrelation_time` in sweeps (cluster updates: steps), draws times
    ``thin``, with its error; 1 is white noise, so that a tau near 1 says nothing about z. L stands for N^(1/d), in mean
    field for N^(1/4). Small sizes are dropped while the line is not credible (p < 0.05).

    Parameters
    ----------
    data
        Datasets of several sizes, or a dict from names of updates to them.
    beta
        Of every size the grid point nearest to it is taken; it must lie within 2 % of it.
    observable
        ``"energy"``, ``"magnetization_abs"`` or ``"magnetization_squared"``.
    dimension
        2, 3, 5 or above, or ``"mean_field"``; by default the attribute ``dimension`` of the data.
    smallest
        Leave out sizes of fewer sites.

    Returns
    -------
    xarray.Dataset
        Dimensions (update, n_sites): tau, tau_error; (update,): z, z_error, z_shift (without the smallest size),
        amplitude, chi2, dof, smallest; coordinate length(n_sites). NaN where an update lacks a size.

    Raises
    ------
    ValueError
        If there are fewer than 2 sizes, no beta near, or the observable or dimension is unknown.

    Warns
    -----
    ShortSeriesWarning
        If a run is too short for its tau.
    """
    as_choice("observable", observable, OBSERVABLES)
    beta, smallest = as_number("beta", beta, above=0), as_integer("smallest", smallest, 0)
    if not isinstance(data, xr.Dataset | Sequence | Mapping):
        refuse("data", "a Dataset, a list of Datasets or a dict of those by update", data)
    families = dict(data) if isinstance(data, Mapping) and not isinstance(data, xr.Dataset) else {"": data}
    if not families:
        raise ValueError("data must name at least one update, got an empty dict")
    law = law_of(next(iter(families.values())), dimension)
    tables = [_dynamics(family, beta, observable, law, smallest) for family in families.values()]
    names = [_update_of(family, name) for name, family in families.items()]
    table = xr.concat(tables, xr.Variable("update", names), join="outer")
    length = _lengths(table["n_sites"].values, law)
    table = table.assign_coords(length=("n_sites", length, {"long_name": f"N^(1/{law.root})", "units": "1"}))
    return table.assign_attrs(beta=beta, observable=observable)


def _dynamics(data: Data, beta: float, observable: str, law: Law, smallest: int) -> xr.Dataset:
    runs = sorted((run for run in check_runs(data) if int(run["n_sites"]) >= smallest), key=_sites)
    if len({_sites(run) for run in runs}) < 2:
        raise ValueError(
            f"a dynamic exponent needs at least 2 different sizes, got {len(runs)} from {smallest=} on: add sizes"
        )
    tau, error = np.array([_tau(run, beta, observable) for run in runs]).T
    sizes = np.array([_sites(run) for run in runs])
    line = fit_line(np.log(_lengths(sizes, law)), np.log(tau), error / tau)
    scalars = {
        "z": line.b,
        "z_error": line.b_error,
        "z_shift": line.b_shift,
        "amplitude": np.exp(line.a),
        "chi2": line.chi2,
        "dof": line.dof,
        "smallest": sizes[line.first],
    }
    series = {"tau": ("n_sites", tau, {"units": "sweeps"}), "tau_error": ("n_sites", error, {"units": "sweeps"})}
    return xr.Dataset(
        series | {name: ((), value, {"units": "1"}) for name, value in scalars.items()}, {"n_sites": sizes}
    )


def _sites(run: xr.Dataset) -> int:
    return int(run["n_sites"])


def _tau(run: xr.Dataset, beta: float, observable: str) -> tuple[float, float]:
    """Autocorrelation time and its error in sweeps, at the grid point nearest to beta."""
    nearest = int(np.argmin(np.abs(run["beta"].values - beta)))
    found = float(run["beta"][nearest])
    if abs(found / beta - 1) > 0.02:
        raise ValueError(
            f"size {_sites(run)} has no beta within 2 % of {beta:g}, the nearest is {found:g}: sample there"
        )
    name = "energy" if observable == "energy" else "magnetization"
    series = series_of(run[[name]].isel(beta=[nearest]))[name]
    values = series.plane(0, 0, absolute=observable != "energy")  # (chain, draw)
    if observable == "magnetization_squared":
        values *= values
    time = autocorrelation_time(values)
    thin = float(run.attrs.get("thin", 1))
    return time.tau * thin, time.tau_error * thin


def _update_of(data: Data, name: str) -> str:
    return name or str(split_sizes(data)[0].attrs.get("update", "unknown"))


def _lengths(n_sites: Array, law: Law) -> Array:
    return np.asarray(np.asarray(n_sites, dtype=float) ** (1 / law.root))
