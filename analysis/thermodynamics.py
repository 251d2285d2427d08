"""Observables with their errors: `summarize`, and the formula of each quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from .arguments import as_choice, as_number, as_table
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


def _binder(run: Measurement, parameter: str = "m") -> Array:
    return 1.0 - _ratio(run.moments[f"{parameter}4"], 3.0 * run.moments[f"{parameter}2"] ** 2)


def _binder_slope(run: Measurement) -> Array:
    relative = [_ratio(run.moments[f"{power}_covariance"], run.moments[power]) for power in ("m2", "m4")]
    return run.n_sites * (1.0 - _binder(run)) * (relative[1] - 2.0 * relative[0])


def _correlation_length(run: Measurement, parameter: str = "m", structure: str = "structure_factor") -> Array:
    ratio = _ratio(run.n_sites * run.moments[f"{parameter}2"], run.moments[structure])
    return np.sqrt(np.maximum(ratio - 1.0, 0.0)) / run.momentum


def _ratio(numerator: Array, denominator: Array) -> Array:
    """NaN where the denominator is zero."""
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0.0)


TAU_ATTRS = {"units": "draws", "formula": "1 + 2 sum_t rho(t)  (white noise: 1)"}
ESS_ATTRS = {"units": "draws", "formula": "chains (or pairs of chains) x draws / tau"}
BLOCK_ATTRS = {
    "long_name": "jackknife blocks, or realisations of the disorder where there are several",
    "units": "1",
    "formula": "intervals have n_blocks - 1 degrees of freedom",
}
XI_FORMULA = "sqrt(max(N <m^2> / F(k_min) - 1, 0)) / (2 sin(k_min / 2))"
XI_Q_FORMULA = "sqrt(max(N [<q^2>] / [F_q(k_min)] - 1, 0)) / (2 sin(k_min / 2))"

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
    "binder_slope": Quantity(
        "slope of the Binder cumulant dU4/dbeta",
        "J",
        "N (1 - U4) (cov(e, m^4) / <m^4> - 2 cov(e, m^2) / <m^2>)",
        ("energy", "m2"),
        _binder_slope,
    ),
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
    "staggered_magnetization_abs": Quantity(
        "absolute staggered magnetization per site",
        "1",
        "<|m_s|>",
        ("staggered_m2",),
        lambda run: run.moments["staggered_magnetization_abs"],
    ),
    "susceptibility_staggered": Quantity(
        "staggered susceptibility",
        "1",
        "N <m_s^2>  (no factor beta)",
        ("staggered_m2",),
        lambda run: run.n_sites * run.moments["staggered_m2"],
    ),
    "binder_staggered": Quantity(
        "Binder cumulant U4 of the staggered magnetization",
        "1",
        "1 - <m_s^4> / (3 <m_s^2>^2)",
        ("staggered_m2",),
        lambda run: _binder(run, "staggered_m"),
    ),
    "chi_sg": Quantity(
        "spin-glass susceptibility", "1", "N [<q^2>]", ("q2",), lambda run: run.n_sites * run.moments["q2"]
    ),
    "binder_q": Quantity(
        "Binder parameter of the overlap",
        "1",
        "(3 - [<q^4>] / [<q^2>]^2) / 2",
        ("q2",),
        lambda run: 1.5 * _binder(run, "q"),
    ),
    "xi_q": Quantity(
        "second-moment correlation length of the overlap",
        "bond lengths",
        XI_Q_FORMULA,
        ("q2", "overlap_k", "momentum"),
        lambda run: _correlation_length(run, "q", "overlap_k"),
    ),
    "xi_q_over_L": Quantity(
        "second-moment correlation length of the overlap over L",
        "1",
        f"{XI_Q_FORMULA} / L",
        ("q2", "overlap_k", "momentum", "length"),
        lambda run: _correlation_length(run, "q", "overlap_k") / run.length,
    ),
    "link_overlap": Quantity(
        "link overlap per bond", "1", "[<q_l>]", ("link_overlap",), lambda run: run.moments["link_overlap"]
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
        ``structure_factor``, ``staggered_magnetization`` and, with a dimension ``pair`` for ``chain``, ``overlap``,
        ``link_overlap`` and ``overlap_k``; coordinates ``beta``, ``n_sites`` and, for xi, ``momentum``, which is
        2 sin(k_min / 2).

    Returns
    -------
    xarray.Dataset
        Dimensions (beta,) or (L, beta): energy, specific_heat, magnetization_abs, susceptibility,
        susceptibility_connected, binder, binder_slope, xi, xi_over_L; staggered_magnetization_abs,
        susceptibility_staggered, binder_staggered; chi_sg, binder_q, xi_q, xi_q_over_L, link_overlap: as far as the
        data has what they need.
        Sizes with grids of their own are laid on the union of all beta, NaN where a size has no data; ratios such as U4
        and xi are NaN where their denominator is 0. ``n_blocks``
        goes with the errors: see `confidence_interval`.

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


def confidence_interval(table: xr.Dataset, name: str, level: float = 0.95) -> xr.DataArray:
    """Interval of Student's t for a quantity of `summarize`: X +- t X_error with n_blocks - 1 degrees of freedom.

    Parameters
    ----------
    table
        Of `summarize`.
    name
        The quantity.
    level
        Share of such intervals that contain the truth, 0 < level < 1.

    Returns
    -------
    xarray.DataArray
        Leading dimension `bound`: "low", "high".

    Raises
    ------
    ValueError
        If the table has no error of the quantity, or the level is out of range.
    """
    as_table("table", table, "analysis.summarize", ["n_blocks"])
    name = as_choice("name", name, [str(other) for other in table.data_vars if f"{other}_error" in table])
    as_table("table", table, "analysis.summarize", [name, f"{name}_error"])
    if not 0 < as_number("level", level) < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    half = xr.apply_ufunc(lambda blocks: stdtrit(blocks - 1, 0.5 + level / 2), table["n_blocks"])
    reach = half * table[f"{name}_error"]
    both = xr.concat([table[name] - reach, table[name] + reach], "bound").assign_coords(bound=["low", "high"])
    return both.transpose("bound", *table[name].dims).rename(name)


def evaluate(run: Measurement, name: str) -> Array:
    """Rows of a quantity, (1 + block, n_beta): row 0 the estimate, the others the jackknife replicas.

    Raises
    ------
    ValueError
        If the quantity is unknown or the data lacks what it needs.
    """
    as_choice("quantity", name, QUANTITIES)
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
    table["n_blocks"] = ((), run.n_blocks, BLOCK_ATTRS)
    for name, tau in run.tau.items():
        table[f"tau_{name}"] = ("beta", tau, TAU_ATTRS | {"long_name": f"autocorrelation time of {name}"})
        ess = run.n_values(name) / tau
        table[f"ess_{name}"] = ("beta", ess, ESS_ATTRS | {"long_name": f"effective sample size of {name}"})
    return table
