"""Observables with their errors: `summarize`, and the formula of each quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .measurement import Data, Measurement, join_sizes, measure
from .resampling import Array, jackknife_error


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


TAU_ATTRS = {"units": "draws", "formula": "1 + 2 sum_t rho(t)  (white noise: 1)"}
ESS_ATTRS = {"units": "draws", "formula": "chains x draws / tau"}
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
        "second-moment correlation length",
        "bond lengths",
        XI_FORMULA,
        ("m2", "structure_factor", "momentum"),
        _correlation_length,
    ),
    "xi_over_L": Quantity(
        "second-moment correlation length over L",
        "1",
        f"{XI_FORMULA} / L",
        ("m2", "structure_factor", "momentum", "length"),
        lambda run: _correlation_length(run) / run.length,
    ),
}


def summarize(data: Data) -> xr.Dataset:
    """Thermodynamics with error bars: X and X_error per observable X, tau_X and ess_X per measured series.

    Every X is the plain function of the raw moments of all draws; X_error is the jackknife error of that function over
    blocks of chains and draws (no bias correction: the bias is of relative order tau / n). With several realisations of
    the disorder, thermal averages and variances are taken within each realisation, then averaged, and the jackknife
    runs over realisations; tau_X is the slowest realisation's. Formulas and units are in each variable's attributes.

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
    return join_sizes([_tabulate(run) for run in measure(data)], data)


def evaluate(run: Measurement, name: str) -> Array:
    """Rows of a quantity, (1 + block, n_beta): row 0 the estimate, the others the jackknife replicas.

    Raises
    ------
    ValueError
        If the quantity is unknown or the data lacks what it needs.
    """
    if name not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(QUANTITIES)}, got {name!r}")
    missing = [need for need in QUANTITIES[name].needs if not run.has(need)]
    if missing:
        raise ValueError(
            f"{name} needs {', '.join(missing)}, which the data does not have: sample it, or choose another"
        )
    return QUANTITIES[name].evaluate(run)


def _tabulate(run: Measurement) -> xr.Dataset:
    """The table of one size, dimension (beta,)."""
    coords = {"beta": ("beta", run.beta, {"long_name": "inverse temperature", "units": "1/J"}), "n_sites": run.n_sites}
    table = xr.Dataset(coords=coords if run.label is None else coords | {"L": run.label})
    for name, quantity in QUANTITIES.items():
        if all(run.has(need) for need in quantity.needs):
            rows = evaluate(run, name)
            attrs = {"units": quantity.units, "formula": quantity.formula}
            table[name] = ("beta", rows[0], {"long_name": quantity.long_name, **attrs})
            error = {"long_name": f"jackknife error of {quantity.long_name}", **attrs}
            table[f"{name}_error"] = ("beta", jackknife_error(rows), error)
    for name, tau in run.tau.items():
        table[f"tau_{name}"] = ("beta", tau, TAU_ATTRS | {"long_name": f"autocorrelation time of {name}"})
        ess = run.n_chains * run.n_draws / tau
        table[f"ess_{name}"] = ("beta", ess, ESS_ATTRS | {"long_name": f"effective sample size of {name}"})
    return table
