"""From the datasets of a Monte Carlo run to jackknifed raw moments, one `Measurement` per size."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from .moments import Series, autocorrelation_times, block_moments, leave_one_block_out, leave_one_realisation_out
from .resampling import Array, block_counts, block_starts

Data = xr.Dataset | Sequence[xr.Dataset]

OBSERVABLES = ("energy", "magnetization", "structure_factor")
SERIES_DIMS = ("disorder", "beta", "chain", "draw")
TAU_PER_RUN = 50
TAU_PER_CHAIN = 5


class ShortRunWarning(UserWarning):
    """A run shorter than 50 autocorrelation times, or a chain shorter than 5: its error bars are not to be trusted."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Raw moments and autocorrelation times of one size.

    Attributes
    ----------
    label
        Value of the coordinate ``L``, a number or a string; None when the data has none.
    n_sites
        Number of sites.
    length, momentum
        L as a number and 2 sin(k_min / 2); NaN where undefined.
    beta
        (n_beta,) inverse temperatures.
    moments
        (1 + block, n_beta) each: row 0 uses all the data, the others leave one block (or realisation) out.
    tau
        (n_beta,) each, in draws: the slowest realisation's where there are several.
    n_chains, n_draws
        Of one realisation.
    """

    label: Any
    n_sites: int
    length: float
    momentum: float
    beta: Array
    moments: dict[str, Array]
    tau: dict[str, Array]
    n_chains: int
    n_draws: int

    def has(self, name: str) -> bool:
        """Whether the moment, or the finite number ``momentum`` or ``length``, is there."""
        return name in self.moments or bool(np.isfinite(getattr(self, name, np.nan)))


def measure(data: Data) -> list[Measurement]:
    """Measure every size of a dataset, or of a list of datasets, and warn once where a run is too short.

    Raises
    ------
    ValueError
        If a dimension, a variable or ``n_sites`` is missing, or a value is not finite.
    """
    measurements = [_measure_size(size) for size in split_sizes(data)]
    _warn_short_runs(measurements)
    return measurements


def split_sizes(data: Data) -> list[xr.Dataset]:
    """One dataset per size: a list as it is, a dataset with dimension ``L`` taken apart, any other as the only size."""
    if isinstance(data, xr.Dataset) and "L" not in data.dims:
        return [data]
    sizes = [data.isel(L=i) for i in range(data.sizes["L"])] if isinstance(data, xr.Dataset) else list(data)
    if len(sizes) == 0:
        raise ValueError("data must hold at least one size, got none")
    if any("L" not in size.coords or size["L"].ndim for size in sizes):
        raise ValueError("every size needs a scalar coordinate L (a number or a label): use data.assign_coords(L=...)")
    return sizes


def join_sizes(tables: list[xr.Dataset], data: Data) -> xr.Dataset:
    """One table for all sizes, along L where the data has sizes, with the attributes that all the data share."""
    shared = [xr.Dataset(attrs=size.attrs) for size in split_sizes(data)]
    attrs = xr.merge(shared, combine_attrs="drop_conflicts").attrs
    one_size = isinstance(data, xr.Dataset) and "L" not in data.dims
    table = tables[0] if one_size else xr.concat(tables, "L", join="outer", coords=["n_sites"], compat="equals")
    return table.assign_attrs(attrs)


def _measure_size(data: xr.Dataset) -> Measurement:
    series = _series(data)  # each (disorder, beta, chain, draw)
    n_realisations, _, n_chains, n_draws = next(iter(series.values())).shape
    tau = autocorrelation_times(series)
    slowest = max(tau[name].max() for name in tau if name != "magnetization")
    starts = block_starts(n_chains, n_draws, slowest)
    leave_one_out = leave_one_block_out if n_realisations == 1 else leave_one_realisation_out
    return Measurement(
        label=data["L"].item() if "L" in data.coords else None,
        n_sites=int(data["n_sites"]),
        length=_length(data),
        momentum=float(data["momentum"]) if "momentum" in data.coords else np.nan,
        beta=np.asarray(data["beta"], dtype=np.float64),
        moments=leave_one_out(block_moments(series, starts), block_counts(n_chains, n_draws, starts)),
        tau={name: times.max(axis=0) for name, times in tau.items()},
        n_chains=n_chains,
        n_draws=n_draws,
    )


def _series(data: xr.Dataset) -> Series:
    """The observables the data has, each as an array (disorder, beta, chain, draw)."""
    missing = [dim for dim in SERIES_DIMS[1:] if dim not in data.dims]
    if missing:
        raise ValueError(
            f"data must have the dimensions beta, chain and draw, got {dict(data.sizes)}: {missing} missing"
        )
    if "n_sites" not in data.coords:
        raise ValueError("data must have a coordinate n_sites: use data.assign_coords(n_sites=...)")
    names = [name for name in OBSERVABLES if name in data]
    if not {"energy", "magnetization"} & set(names):
        raise ValueError(f"data must hold energy or magnetization, got {sorted(map(str, data.data_vars))}")
    if "disorder" not in data.dims:
        data = data.expand_dims("disorder")
    series = {name: data[name].transpose(*SERIES_DIMS).values for name in names}
    for name, values in series.items():
        if values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite and not empty, got shape {values.shape} with NaN or infinity")
    return series


def _length(data: xr.Dataset) -> float:
    """L as a number: the coordinate, else the attribute L or lattice_L, else NaN (labels have no length)."""
    facts = {"L": data.attrs.get("lattice_L", np.nan)} | data.attrs
    value = data["L"].item() if "L" in data.coords else facts["L"]
    return np.nan if isinstance(value, str) else float(value)


def _warn_short_runs(measurements: list[Measurement]) -> None:
    """One ShortRunWarning that names the worst case; the sign of m enters no result, so its tau does not count."""
    cases = []
    for run in measurements:
        n = run.n_chains * run.n_draws
        allowed = min(n / TAU_PER_RUN, run.n_draws / TAU_PER_CHAIN)
        size = "" if run.label is None else f" at L = {run.label}"
        for name in run.tau.keys() - {"magnetization"}:
            for tau, beta in zip(run.tau[name], run.beta):
                if tau > max(allowed, 1.0):
                    case = f"{name}{size}, beta = {beta:g}: tau = {tau:.3g} draws, n = {n}"
                    cases.append((tau / allowed, f"{case} ({run.n_chains} chains of {run.n_draws} draws)"))
    if cases:
        advice = f"error bars need tau < n / {TAU_PER_RUN} and chains longer than {TAU_PER_CHAIN} tau: draw more"
        more = f", and {len(cases) - 1} more such cases" if len(cases) > 1 else ""
        warnings.warn(f"{max(cases)[1]}{more}; {advice}", ShortRunWarning, stacklevel=4)
