"""Raw moments and autocorrelation times of plain arrays (disorder, beta, chain, draw)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .autocorrelation import integrated_autocorrelation_time
from .resampling import Array, block_means, leave_one_out

Series = dict[str, NDArray[Any]]


def autocorrelation_times(series: Series) -> dict[str, Array]:
    """Integrated autocorrelation times of energy, |m| and m: (disorder, beta) each."""
    times = {}
    if "energy" in series:
        times["energy"] = _times(series["energy"])
    if "magnetization" in series:
        times["magnetization_abs"] = _times(series["magnetization"], absolute=True)
        times["magnetization"] = _times(series["magnetization"])
    return times


def _times(values: NDArray[Any], absolute: bool = False) -> Array:
    planes = (values[index] for index in np.ndindex(values.shape[:2]))
    times = [integrated_autocorrelation_time(np.abs(plane) if absolute else plane) for plane in planes]
    return np.reshape(times, values.shape[:2])


def powers(observables: dict[str, Array]) -> dict[str, Array]:
    """The series whose means are the raw moments: e, e^2, |m|, m^2, m^4, F."""
    series: dict[str, Array] = {}
    if "energy" in observables:
        energy = observables["energy"]
        series |= {"energy": energy, "energy_squared": energy * energy}
    if "magnetization" in observables:
        magnetization = observables["magnetization"]
        squared = magnetization * magnetization
        series |= {"magnetization_abs": np.abs(magnetization), "m2": squared, "m4": squared * squared}
    if "structure_factor" in observables:
        series["structure_factor"] = observables["structure_factor"]
    return series


def block_moments(series: Series, starts: NDArray[np.intp]) -> dict[str, Array]:
    """Means of the powers over blocks: (disorder, beta, block) each, one (chain, draw) plane at a time."""
    shape = next(iter(series.values())).shape[:2]
    rows: list[dict[str, Array]] = []
    for index in np.ndindex(shape):
        plane: dict[str, Array] = {
            name: values[index].astype(np.float64, copy=False) for name, values in series.items()
        }
        rows.append({name: block_means(power, starts) for name, power in powers(plane).items()})
    return {name: np.reshape([row[name] for row in rows], (*shape, -1)) for name in rows[0]}


def leave_one_block_out(means: dict[str, Array], counts: NDArray[np.intp]) -> dict[str, Array]:
    """Moments of one realisation: (1, beta, block) -> (1 + block, beta), row 0 with all the data."""
    return _with_variances({name: leave_one_out(mean[0], counts) for name, mean in means.items()})


def leave_one_realisation_out(means: dict[str, Array], counts: NDArray[np.intp]) -> dict[str, Array]:
    """Thermal average of each realisation, then the mean over realisations: (r, beta, block) -> (1 + r, beta)."""
    thermal = _with_variances({name: leave_one_out(mean, counts)[0] for name, mean in means.items()})  # (r, beta)
    n_realisations = len(next(iter(thermal.values())))
    one_each = np.ones(n_realisations, dtype=np.intp)
    return {name: leave_one_out(mean.T, one_each) for name, mean in thermal.items()}


def _with_variances(moments: dict[str, Array]) -> dict[str, Array]:
    """Add the thermal variances <x^2> - <x>^2 of e and |m|, taken within a realisation."""
    variances = {}
    if "energy" in moments:
        variances["energy_variance"] = np.maximum(moments["energy_squared"] - moments["energy"] ** 2, 0.0)
    if "m2" in moments:
        variances["magnetization_abs_variance"] = np.maximum(moments["m2"] - moments["magnetization_abs"] ** 2, 0.0)
    return moments | variances
