"""Observables with their errors: `summarize`, and the formula of each quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .measurement import Data, Measurement, measure, split_sizes
from .moments import Array
from .resampling import jackknife_error


@dataclass(frozen=True)
class Quantity:
    """A function of the raw moments, with the words that travel with it."""

    long_name: str
    units: str
    formula: str
    needs: tuple[str, ...]
    evaluate: Callable[[Measurement], Array]


def _binder(run: Measurement) -> Array:
    return 1.0 - _ratio(run.moments["m4"], 3.0 * run.moments["m2"] ** 2)


def _correlation_length(run: Measurement) -> Array:
    ratio = _ratio(run.n_sites * run.moments["m2"], run.moments["structure_factor"])
    return np.sqrt(np.maximum(ratio - 1.0, 0.0)) / run.momentum


def _ratio(numerator: Array, denominator: Array) -> Array:
    """NaN where the denominator is zero."""
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0.0)


XI_FORMULA = "sqrt(max(N <m^2> / F(k_min) - 1, 0)) / (2 sin(k_min / 2))"

QUANTITIES = {
    "energy": Quantity("energy per site", "J", "<e>", ("energy",), lambda run: run.moments["energy"]),
    "specific_heat": Quantity(
        "specific heat per site",
        "k_B",
        "beta^2 N (<e^2> - <e>^2)",
        ("energy",),
        lambda run: run.beta**2 * run.n_sites * run.moments["energy_variance"],
    ),
    "magnetization_abs": Quantity(
        "absolute magnetization per site", "1", "<|m|>", ("m2",), lambda run: run.moments["magnetization_abs"]
    ),
    "susceptibility": Quantity(
        "susceptibility", "1", "N <m^2>  (no factor beta)", ("m2",), lambda run: run.n_sites * run.moments["m2"]
    ),
    "susceptibility_connected": Quantity(
        "connected susceptibility",
        "1",
        "N (<m^2> - <|m|>^2)  (no factor beta)",
        ("m2",),
        lambda run: run.n_sites * run.moments["magnetization_abs_variance"],
    ),
    "binder": Quantity("Binder cumulant U4", "1", "1 - <m^4> / (3 <m^2>^2)", ("m2",), _binder),
    "xi": Quantity(
        "second-moment correlation length", "bond lengths", XI_FORMULA, ("m2", "structure_factor"), _correlation_length
    ),
    "xi_over_L": Quantity(
        "second-moment correlation length over L",
        "1",
        f"{XI_FORMULA} / L",
        ("m2", "structure_factor"),
        lambda run: _correlation_length(run) / run.length,
    ),
}


def summarize(data: Data) -> xr.Dataset:
    """Thermodynamics with error bars: X and X_error per observable X, tau_X and ess_X per measured series.

    Every X is the plain function of the raw moments of all draws; X_error is the jackknife error of that function over
    blocks of chains and draws (no bias correction: the bias is of relative order tau / n). With several realisations of
    the disorder, thermal averages and variances are taken within each realisation, then averaged, and the jackknife runs
    over realisations; tau_X is the slowest realisation's. Formulas and units are in the attributes of each variable.

    Parameters
    ----------
    data
        Dataset with dimensions (beta, chain, draw), optionally led by L and disorder, or a list of datasets with a
        scalar coordinate ``L`` each. Variables ``energy`` and ``magnetization`` per site, optionally
        ``structure_factor``; coordinates ``beta``, ``n_sites`` and, for xi, ``momentum`` = 2 sin(k_min / 2).

    Returns
    -------
    xarray.Dataset
        Dimensions (beta,) or (L, beta): energy, specific_heat, magnetization_abs, susceptibility,
        susceptibility_connected, binder, xi, xi_over_L as far as the data has what they need. Sizes with grids of their
        own are laid on the union of all beta, NaN where a size has no data.

    Raises
    ------
    ValueError
        If a dimension, a variable or ``n_sites`` is missing, or a value is not finite.

    Warns
    -----
    ShortRunWarning
        If a run is shorter than 50 tau, or a chain shorter than 5.

    Examples
    --------
    >>> m = np.random.default_rng(0).choice([-0.5, 0.5], size=(1, 8, 1000))
    >>> run = xr.Dataset({"magnetization": (("beta", "chain", "draw"), m)}, {"beta": [0.3], "n_sites": 100})
    >>> table = summarize(run)
    >>> float(table["susceptibility"][0]), table["susceptibility"].attrs["formula"]
    (25.0, 'N <m^2>  (no factor beta)')
    """
    tables = [_tabulate(run) for run in measure(data)]
    several = "L" in tables[0].coords and not (isinstance(data, xr.Dataset) and "L" not in data.dims)
    table = xr.concat(tables, "L", join="outer", coords="minimal", compat="equals") if several else tables[0]
    attrs = xr.merge([size.attrs_only for size in []]).attrs if False else _common_attrs(data)
    return table.assign_attrs(attrs)


def evaluate(run: Measurement, name: str) -> Array:
    """Rows of a quantity, (1 + block, n_beta): row 0 the estimate, the others the jackknife replicas.

    Raises
    ------
    ValueError
        If the quantity is unknown or the data lacks what it needs.
    """
    if name not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(QUANTITIES)}, got {name!r}")
    missing = [moment for moment in QUANTITIES[name].needs if moment not in run.moments]
    if missing:
        raise ValueError(f"{name} needs a variable that the data lacks ({', '.join(missing)}): sample it")
    return QUANTITIES[name].evaluate(run)
