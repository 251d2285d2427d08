"""From the datasets of a Monte Carlo run to jackknifed raw moments, one `Measurement` per size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .arguments import as_integer, refuse
from .moments import Series, autocorrelation_times, block_moments, leave_one_block_out, leave_one_realisation_out
from .notices import warn
from .resampling import Array, block_counts, block_starts
from .samples import Samples

Data = xr.Dataset | Sequence[xr.Dataset]

CHAIN_OBSERVABLES = ("energy", "magnetization", "structure_factor", "staggered_magnetization")
PAIR_OBSERVABLES = ("overlap", "link_overlap", "overlap_k")
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
    shared
        Whether block b (or realisation b) is the same at every beta, so that the replicas of all beta vary together:
        with several realisations or with replica exchange.
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
    shared: bool = False

    @property
    def n_blocks(self) -> int:
        """Number of jackknife blocks (or realisations)."""
        return len(next(iter(self.moments.values()))) - 1

    def n_values(self, name: str) -> int:
        """Number of draws of a series that has a tau: chains x draws, or pairs of chains x draws for overlaps."""
        return self.n_draws * (self.n_chains // 2 if name.startswith("overlap") else self.n_chains)

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
    measurements = [jackknifed(size, divide(size)) for size in split_sizes(data)]
    _warn_short_runs(measurements)
    return measurements


def measure_sizes(data: Data, smallest: int = 0) -> list[Measurement]:
    """As `measure`, of sizes that scale: ordered by number of sites, those of fewer than ``smallest`` sites left out.

    Raises
    ------
    ValueError
        As `measure`, and of open hyperbolic patches: a finite share of their sites is rim, however large they are.
    """
    smallest = as_integer("smallest", smallest, 0)
    for size in split_sizes(data):
        if "lattice_layers" in size.attrs:
            raise ValueError(
                f"{size.attrs.get('lattice', 'the lattice')} is an open hyperbolic patch: a finite share of its sites "
                "is rim, however large it is, so that its sizes have no common scaling function and no crossing tells "
                "beta_c; take closed_hyperbolic maps for the bulk transition, `ceas hyperbolic` for that of a free rim"
            )
    return sorted((run for run in measure(data) if run.n_sites >= smallest), key=lambda run: run.n_sites)


def split_sizes(data: Data) -> list[xr.Dataset]:
    """One dataset per size: a list as it is, a dataset with dimension ``L`` taken apart, any other as the only size."""
    if isinstance(data, xr.Dataset) and "L" not in data.dims:
        return [data]
    if not isinstance(data, xr.Dataset | Sequence | Mapping) or isinstance(data, str | bytes):
        refuse("data", "a Dataset or a list of Datasets", data)
    sizes = [data.isel(L=i) for i in range(data.sizes["L"])] if isinstance(data, xr.Dataset) else list(data)
    if not all(isinstance(size, xr.Dataset) for size in sizes):
        given = type(data).__name__
        raise ValueError(f"data must be a Dataset or a list of Datasets, got {given}: of a dict, give list(d.values())")
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
    for each in tables:
        if not one_size and "beta" in each.dims and not each.indexes["beta"].is_unique:
            raise ValueError(
                "a size has a beta more than once, and no common grid of beta then exists: join its chains"
            )
    table = tables[0] if one_size else xr.concat(tables, "L", join="outer", coords=["n_sites"], compat="equals")
    return table.assign_attrs(attrs)


@dataclass(frozen=True, eq=False)
class Blocks:
    """Block means of one size and what they come from.

    Attributes
    ----------
    means
        (disorder, beta, block) each.
    counts
        (block,), draws in each block.
    tau
        (disorder, beta) each, in draws.
    """

    means: dict[str, Array]
    counts: NDArray[np.intp]
    tau: dict[str, Array]
    n_chains: int
    n_draws: int


def divide(data: xr.Dataset, whole_chains: bool = False) -> Blocks:
    """Block means of one size; blocks are at least ten times the longest tau, or whole chains (or pairs of chains)."""
    series = series_of(data)
    n_units = min(values.shape[2] for values in series.values())
    n_chains, n_draws = max(values.shape[2] for values in series.values()), next(iter(series.values())).shape[3]
    tau = autocorrelation_times(series)
    slowest = max(times.max() for name, times in tau.items() if name != "magnetization")
    starts = np.zeros(1, dtype=np.intp) if whole_chains else block_starts(n_units, n_draws, slowest)
    return Blocks(block_moments(series, starts), block_counts(n_units, n_draws, starts), tau, n_chains, n_draws)


def jackknifed(data: xr.Dataset, blocks: Blocks) -> Measurement:
    """The measurement of one size: jackknife over realisations if there are several, else over blocks."""
    n_realisations = len(next(iter(blocks.means.values())))
    leave_one_out = leave_one_block_out if n_realisations == 1 else leave_one_realisation_out
    return Measurement(
        label=data["L"].item() if "L" in data.coords else None,
        n_sites=int(data["n_sites"]),
        length=_length(data),
        momentum=float(data["momentum"]) if "momentum" in data.coords else np.nan,
        beta=np.asarray(data["beta"], dtype=np.float64),
        moments=leave_one_out(blocks.means, blocks.counts),
        tau={name: times.max(axis=0) for name, times in blocks.tau.items()},
        n_chains=blocks.n_chains,
        n_draws=blocks.n_draws,
        shared=n_realisations > 1 or bool(data.attrs.get("exchange", 0)),
    )


def series_of(data: xr.Dataset) -> Series:
    """The observables the data has, each (disorder, beta, chain or pair, draw), read when used.

    Raises
    ------
    ValueError
        If a dimension, a variable or ``n_sites`` is missing, or a value is not finite.
    """
    _check_dimensions(data)
    _check_coordinates(data)
    names = [name for name in CHAIN_OBSERVABLES + PAIR_OBSERVABLES if name in data]
    if not {"energy", "magnetization"} & set(names):
        raise ValueError(f"data must hold energy or magnetization, got {sorted(map(str, data.data_vars))}")
    return {name: Samples(name, _variable(data, name)) for name in names}


def _variable(data: xr.Dataset, name: str) -> xr.Variable:
    """A variable with every dimension of a series; ValueError where one is missing."""
    unit = "pair" if name in PAIR_OBSERVABLES else "chain"
    variable = data[name].variable
    wanted = {dim for dim in ("disorder", "beta", unit, "draw") if dim in data.dims}
    if set(variable.dims) != wanted:
        raise ValueError(f"{name} must have the dimensions {sorted(wanted)}, got {list(variable.dims)}")
    return variable


def check_runs(data: Data) -> list[xr.Dataset]:
    """The sizes of the data, each with the dimensions and coordinates of a run."""
    sizes = split_sizes(data)
    for size in sizes:
        _check_dimensions(size)
        _check_coordinates(size)
    return sizes


def _check_dimensions(data: xr.Dataset) -> None:
    if not isinstance(data, xr.Dataset):
        refuse("data", "one Dataset", data)
    missing = [dim for dim in ("beta", "chain", "draw") if dim not in data.dims]
    if missing:
        raise ValueError(
            f"data must have the dimensions beta, chain and draw, got {dict(data.sizes)}: {missing} missing"
        )


def _check_coordinates(data: xr.Dataset) -> None:
    """Beta and the number of sites are there and are numbers; momentum may be NaN."""
    if "n_sites" not in data.coords:
        raise ValueError("data must have a coordinate n_sites: use data.assign_coords(n_sites=...)")
    for name in ("n_sites", "beta", "momentum"):
        if name in data.coords and data[name].dtype.kind not in "iuf":
            raise ValueError(f"data must have a coordinate {name} of numbers, got dtype {data[name].dtype}")
    if data["n_sites"].ndim or not 1 <= data["n_sites"] < np.inf:
        raise ValueError(f"data must have one n_sites >= 1, got {data['n_sites'].values}")
    if "beta" not in data.coords or not np.isfinite(data["beta"]).all():
        raise ValueError("data must have a finite coordinate beta: use data.assign_coords(beta=...)")


def _length(data: xr.Dataset) -> float:
    """L as a number: the coordinate, else the attribute L or lattice_L, else NaN (labels have no length)."""
    facts = {"L": data.attrs.get("lattice_L", np.nan)} | data.attrs
    value = data["L"].item() if "L" in data.coords else facts["L"]
    return np.nan if isinstance(value, str) else float(value)


def _warn_short_runs(measurements: list[Measurement]) -> None:
    """One ShortRunWarning that names the worst case; the sign of m enters no result, so its tau does not count."""
    cases = []
    for run in measurements:
        size = "" if run.label is None else f" at L = {run.label}"
        for name in run.tau.keys() - {"magnetization"}:
            n = run.n_values(name)
            allowed = min(n / TAU_PER_RUN, max(run.n_draws / TAU_PER_CHAIN, 1.0))
            for tau, beta in zip(run.tau[name], run.beta):
                if tau > allowed:
                    case = f"{name}{size}, beta = {beta:g}: tau = {tau:.3g} draws, n = {n}"
                    cases.append((tau / allowed, f"{case} ({n // run.n_draws} chains of {run.n_draws} draws)"))
    if cases:
        advice = f"error bars need tau < n / {TAU_PER_RUN} and chains longer than {TAU_PER_CHAIN} tau: draw more"
        more = f", and {len(cases) - 1} more such cases" if len(cases) > 1 else ""
        warn(f"{max(cases)[1]}{more}; {advice}", ShortRunWarning)
