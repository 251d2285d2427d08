"""Raw moments and autocorrelation times of series (disorder, beta, chain or pair of chains, draw)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .autocorrelation import integrated_autocorrelation_time
from .resampling import Array, block_means, bootstrap_means, leave_one_out, mean_of_blocks
from .samples import Samples, pieces

Series = dict[str, Samples]

LINEAR = ("structure_factor", "link_overlap", "overlap_k")
MIXED = ("m2", "m4")
ORDER_PARAMETERS = {"magnetization": "m", "staggered_magnetization": "staggered_m", "overlap": "q"}


def autocorrelation_times(series: Series) -> dict[str, Array]:
    """Integrated autocorrelation times of e, |m|, m, |staggered m| and |overlap|: (disorder, beta) each."""
    times = {name: _times(series[name]) for name in ("energy", "magnetization") if name in series}
    signed = (name for name in ("magnetization", "staggered_magnetization", "overlap") if name in series)
    return times | {f"{name}_abs": _times(series[name], absolute=True) for name in signed}


def _times(values: Samples, absolute: bool = False) -> Array:
    shape = values.shape[:2]
    times = [integrated_autocorrelation_time(values.plane(i, b, absolute)) for i, b in np.ndindex(shape)]
    return np.reshape(times, shape)


def powers(observables: dict[str, Array]) -> dict[str, Array]:
    """The series whose means are the raw moments: e, e^2, |m|, m^2, m^4, the same of the others, e m^2, F, q_l, F_q."""
    series = {name: observables[name] for name in LINEAR if name in observables}
    if "energy" in observables:
        energy = observables["energy"]
        series |= {"energy": energy, "energy_squared": energy * energy}
    for name, short in ORDER_PARAMETERS.items():
        if name in observables:
            parameter = observables[name]
            squared = parameter * parameter
            series |= {f"{name}_abs": np.abs(parameter), f"{short}2": squared, f"{short}4": squared * squared}
    if {"energy", "m2"} <= series.keys():
        series |= {f"energy_{power}": series["energy"] * series[power] for power in MIXED}
    return series


def block_moments(series: Series, starts: NDArray[np.intp]) -> dict[str, Array]:
    """Means of the powers over blocks: (disorder, beta, block) each, some chains of a (chain, draw) plane at a time.

    Where there are overlaps, a block holds both chains of a pair: block b is the same draws in every moment.
    """
    shape = next(iter(series.values())).shape[:2]
    rows = [_plane_moments(series, i, b, starts) for i, b in np.ndindex(shape)]
    return {name: np.reshape([row[name] for row in rows], (*shape, -1)) for name in rows[0]}


def _plane_moments(series: Series, disorder: int, beta: int, starts: NDArray[np.intp]) -> dict[str, Array]:
    """The means of one realisation at one beta: (block,) each."""
    n_units, n_draws = min(values.shape[2] for values in series.values()), next(iter(series.values())).shape[3]
    references: dict[str, float] = {}
    means: dict[str, list[Array]] = {}
    for units in pieces(n_units, n_draws):
        chains = {name: values.shape[2] // n_units for name, values in series.items()}
        plane = {
            name: values.rows(disorder, beta, slice(units.start * chains[name], units.stop * chains[name]))
            for name, values in series.items()
        }
        for name, power in powers(plane).items():
            values = _by_unit(power, units.stop - units.start)
            reference = references.setdefault(name, values[0, 0])
            means.setdefault(name, []).append(block_means(values, starts, reference))
    return {name: np.concatenate(parts) for name, parts in means.items()}


def _by_unit(power: Array, n_units: int) -> Array:
    """(chain, draw) -> (unit, draw): as it is, or the mean of the chains (2k, 2k + 1)."""
    return power if len(power) == n_units else power.reshape(n_units, -1, power.shape[1]).mean(axis=1)


def leave_one_block_out(means: dict[str, Array], counts: NDArray[np.intp]) -> dict[str, Array]:
    """Moments of one realisation: (1, beta, block) -> (1 + block, beta), row 0 with all the data."""
    return _with_variances({name: leave_one_out(mean[0], counts) for name, mean in means.items()})


def leave_one_realisation_out(means: dict[str, Array], counts: NDArray[np.intp]) -> dict[str, Array]:
    """Thermal average of each realisation, then the mean over realisations: (r, beta, block) -> (1 + r, beta)."""
    thermal = _with_variances({name: mean_of_blocks(mean, counts) for name, mean in means.items()})  # (r, beta)
    n_realisations = len(next(iter(thermal.values())))
    one_each = np.ones(n_realisations, dtype=np.intp)
    return {name: leave_one_out(mean.T, one_each) for name, mean in thermal.items()}


def bootstrap_blocks(
    means: dict[str, Array], counts: NDArray[np.intp], n_replicas: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Blocks of every realisation drawn anew, the realisations kept: (r, beta, block) -> (1 + replica, beta)."""
    n_realisations, _, n_blocks = next(iter(means.values())).shape
    total: dict[str, Array] = {}
    for index in range(n_realisations):
        times = rng.multinomial(n_blocks - 1, np.full(n_blocks, 1 / n_blocks), n_replicas)
        thermal = {name: bootstrap_means(mean[index], counts, times) for name, mean in means.items()}
        for name, rows in _with_variances(thermal).items():
            total[name] = total.get(name, 0.0) + rows / n_realisations
    return total


def bootstrap_realisations(
    means: dict[str, Array], counts: NDArray[np.intp], n_replicas: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Realisations drawn anew, each with its thermal averages: (r, beta, block) -> (1 + replica, beta)."""
    thermal = _with_variances({name: mean_of_blocks(mean, counts) for name, mean in means.items()})  # (r, beta)
    n = len(next(iter(thermal.values())))
    times = rng.multinomial(n - 1, np.full(n, 1 / n), n_replicas)
    return {name: bootstrap_means(mean.T, np.ones(n, dtype=np.intp), times) for name, mean in thermal.items()}


def covariances_with_energy(moments: Mapping[str, Array]) -> dict[str, Array]:
    """<e m^2> - <e><m^2> and the same of m^4, whose beta derivatives they are but for a factor -N; if there are any."""
    return {
        f"{power}_covariance": moments[f"energy_{power}"] - moments["energy"] * moments[power]
        for power in MIXED
        if f"energy_{power}" in moments
    }


def _with_variances(moments: dict[str, Array]) -> dict[str, Array]:
    """Add the thermal variances <x^2> - <x>^2 of e and |m| and covariances with e, taken within a realisation."""
    variances = covariances_with_energy(moments)
    if "energy" in moments:
        variances["energy_variance"] = np.maximum(moments["energy_squared"] - moments["energy"] ** 2, 0.0)
    if "m2" in moments:
        variances["magnetization_abs_variance"] = np.maximum(moments["m2"] - moments["magnetization_abs"] ** 2, 0.0)
    return moments | variances
