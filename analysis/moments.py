"""Raw moments and autocorrelation times of plain arrays (disorder, beta, chain, draw)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .autocorrelation import integrated_autocorrelation_time
from .resampling import block_means, leave_one_out

Array = NDArray[np.float64]
Series = dict[str, NDArray[Any]]


def autocorrelation_times(series: Series) -> dict[str, Array]:
    """Integrated autocorrelation times of energy, |m| and m: (disorder, beta) each."""
    transforms = {
        "energy": ("energy", np.asarray),
        "magnetization_abs": ("magnetization", np.abs),
        "magnetization": ("magnetization", np.asarray),
    }
    times = {}
    for name, (source, transform) in transforms.items():
        if source in series:
            shape = series[source].shape[:2]
            flat = [integrated_autocorrelation_time(transform(series[source][i])) for i in np.ndindex(shape)]
            times[name] = np.reshape(flat, shape)
    return times


def powers(observables: dict[str, Array]) -> dict[str, Array]:
    """The series whose means are the raw moments: e, e^2, |m|, m^2, m^4, F."""
    series = {}
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
        plane = {name: values[index].astype(np.float64, copy=False) for name, values in series.items()}
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
