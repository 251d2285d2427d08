"""Density of states by Wang-Landau refinement and multicanonical production, and what follows from it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from math import lcm, log
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from . import kernels_wang_landau as kernels
from .driver import run_on_threads
from .model import IsingModel
from .runs import check_arguments, provenance
from .streams import Purpose, generator, states

STREAM = 102  # second key word: separates these streams from those of `sample`
MAX_DENOMINATOR = 10_000
MAX_LEVELS = 10**7
ATTEMPTS_PER_STEP = 10**6  # about 0.02 s, so that progress shows and Ctrl-C is answered
MAX_MAGNITUDES = 64
FEW_TRIPS = 4
FORMULAS = {
    "log_g": "ln of the mean over runs of g(E); g normalised to sum_E g = 2^N in every run",
    "log_g_error": "standard error of g over runs / g",
    "log_g_run": "ln g(E) of a run; -inf where it never came",
    "visits": "attempts that ended at E in the production part",
    "round_trips": "passages from one end of the spectrum to the other and back in the production part",
}
Results = dict[str, NDArray[Any]]


class FewRoundTripsWarning(UserWarning):
    """A walker crossed the spectrum too rarely; the density of states and its errors are not to be trusted."""


class Walker:
    """One random walk over the energy levels: first refines log_g, then counts visits at fixed weights 1/g."""

    def __init__(self, model: IsingModel, graph: kernels.LevelGraph, n_levels: int, seed: int, run: int) -> None:
        n_sites = model.lattice.n_sites
        key = (n_sites, STREAM, run)
        self.graph, self.n_sites = graph, n_sites
        self.rng = states(seed, Purpose.SAMPLING, [key])[0]
        self.spins = generator(seed, Purpose.INITIAL, *key).integers(0, 2, n_sites, dtype=np.int8) * 2 - 1
        self.level = _level(self.spins, graph, n_levels)
        self.log_g = np.full(n_levels, -np.inf)
        self.log_g[self.level] = 0.0
        self.visits = np.zeros(n_levels, np.int64)
        self.tally = np.array([1, 1, -1, n_levels, -1, 0])
        self.clock = kernels.Clock(np.ones(1), np.zeros(1, np.int64), np.zeros(1, np.bool_))

    def refine(self, n_sweeps: int) -> None:
        """Wang-Landau sweeps."""
        self.level = kernels.refine(
            self.spins, self.level, self.rng, self.graph, self.log_g, self.visits, self.tally, self.clock, n_sweeps
        )

    def fix(self) -> None:
        """End the refinement: log_g is interpolated to levels not seen (constant beyond the ends) and stays."""
        known = np.flatnonzero(np.isfinite(self.log_g))
        self.tally[kernels.LOWEST :] = known[0], known[-1], -1, -1  # the first end touched is no passage
        self.log_g = np.interp(np.arange(self.log_g.size), known, self.log_g[known])
        self.visits[:] = 0

    def produce(self, n_sweeps: int) -> None:
        """Multicanonical sweeps."""
        self.level = kernels.produce(
            self.spins, self.level, self.rng, self.graph, self.log_g, self.visits, self.tally, n_sweeps
        )

    def normalised_log_g(self) -> NDArray[np.float64]:
        """Ln g = ln visits + ln g_fixed + constant, with sum g = 2^N."""
        with np.errstate(divide="ignore"):
            log_g = np.log(self.visits) + self.log_g
        return log_g - logsumexp(log_g) + self.n_sites * log(2.0)


def density_of_states(
    model: IsingModel,
    seed: int = 0,
    sweeps: int = 200_000,
    runs: int = 8,
    progress: bool = True,
    threads: int | None = None,
) -> xr.Dataset:
    """Number of configurations g(E) at every energy, from independent walkers that give its errors.

    Each run spends half of its sweeps on Wang-Landau refinement, ln g(E) += ln f after every attempt, with ln f halved
    from 1 while all known levels are visited and then ln f = (levels / attempts), the 1/t law of Belardinelli and
    Pereyra (2007), and the other half on a multicanonical walk with the weights 1/g fixed, whose visits H correct them:
    g(E) = H(E) g_fixed(E). So the result does not depend on how far the refinement came, only its error does.

    Parameters
    ----------
    model
        Couplings and fields that are integer multiples of one unit (+-J; h a simple fraction of J, or zero).
    seed
        Same seed, same numbers, whatever the number of threads; run k is the same however many runs are asked for.
    sweeps
        Length of each run; a sweep is n_sites attempts to flip a random spin.
    runs
        Independent walkers.
    progress
        Show a progress bar.
    threads
        Worker threads, at most one per run is used; all cores by default.

    Returns
    -------
    xarray.Dataset
        `log_g`, `log_g_error` (energy), normalised to sum g = 2^N; `log_g_run`, `visits` (run, energy);
        `round_trips` (run). `energy` is the total energy of a level; levels never visited are left out. The attributes
        `lowest_energy`, `highest_energy`, `energy_bound` (no energy lies outside +-bound) and `reached` say what part
        of the range was seen.

    Raises
    ------
    ValueError
        Energies without a common unit, more than 10^7 levels, or impossible arguments.

    Examples
    --------
    >>> import ising
    >>> from ising.wang_landau import density_of_states
    >>> dos = density_of_states(ising.ferromagnet(ising.square(3)), sweeps=20_000, seed=1, progress=False)
    >>> dos.energy.values.tolist(), np.exp(dos.log_g[:3]).round().values.tolist()
    ([-18.0, -10.0, -6.0, -2.0, 2.0, 6.0], [2.0, 18.0, 48.0])
    """
    check_arguments(model, progress, sweeps=(sweeps, 2), runs=(runs, 1))
    unit, graph, n_levels = _integer_graph(model)
    results: Results = {
        "log_g_run": np.empty((runs, n_levels)),
        "visits": np.empty((runs, n_levels), np.int64),
        "round_trips": np.empty(runs, np.int64),
    }
    works = [_walk(Walker(model, graph, n_levels, seed, run), run, sweeps, results) for run in range(runs)]
    run_on_threads(works, runs * sweeps, "sweep", progress, threads)
    data = _make_dataset(model, unit, results)
    _warn_of_few_trips(data)
    attrs = {"method": "Wang-Landau with 1/t refinement, multicanonical production", "update": "random_site"}
    return data.assign_attrs(**provenance(model), **attrs, sweeps=sweeps, seed=seed)


def _walk(walker: Walker, run: int, sweeps: int, results: Results) -> Iterator[int]:
    """One run, a piece at a time; fills its row of the results."""
    for n in _pieces(sweeps // 2, walker.n_sites):
        walker.refine(n)
        yield n
    walker.fix()
    for n in _pieces(sweeps - sweeps // 2, walker.n_sites):
        walker.produce(n)
        yield n
    results["log_g_run"][run], results["visits"][run] = walker.normalised_log_g(), walker.visits
    results["round_trips"][run] = max(0, walker.tally[kernels.PASSAGES]) // 2


def _pieces(sweeps: int, n_sites: int) -> Iterator[int]:
    size = max(1, ATTEMPTS_PER_STEP // n_sites)
    for done in range(0, sweeps, size):
        yield min(size, sweeps - done)


def _integer_graph(model: IsingModel) -> tuple[float, kernels.LevelGraph, int]:
    """The unit of energy, the model in integers, and the number of levels -bound, -bound + 2, ..., bound."""
    lattice = model.lattice
    couplings = np.append(np.broadcast_to(model.couplings, lattice.n_bonds), 0.0)  # the last for the padding -1
    fields = np.broadcast_to(np.asarray(model.fields, dtype=np.float64), lattice.n_sites)
    unit = _unit(np.concatenate([couplings, fields]))
    integer_couplings = np.rint(couplings / unit).astype(np.int64)
    integer_fields = np.rint(fields / unit).astype(np.int64)
    n_levels = int(np.abs(integer_couplings).sum() + np.abs(integer_fields).sum()) + 1
    if n_levels > MAX_LEVELS:
        raise ValueError(f"the energies have {n_levels} levels of unit {unit:g}, above the limit of {MAX_LEVELS}")
    graph = kernels.LevelGraph(lattice.neighbors, integer_couplings[lattice.neighbor_bonds], integer_fields)
    return unit, graph, n_levels


def _unit(values: NDArray[np.float64]) -> float:
    """The largest unit of which all values are integer multiples."""
    magnitudes = np.unique(np.abs(values[values != 0]))
    if not magnitudes.size:
        raise ValueError("the model has neither couplings nor fields: its only level is 0, with 2^N configurations")
    ratios = (magnitudes / magnitudes[0])[: MAX_MAGNITUDES + 1]
    fractions = [Fraction(ratio).limit_denominator(MAX_DENOMINATOR) for ratio in ratios.tolist()]
    near = np.allclose(ratios, [float(fraction) for fraction in fractions], rtol=1e-12, atol=0)
    if magnitudes.size > MAX_MAGNITUDES or not near:
        raise ValueError(
            "density_of_states needs couplings and fields that are integer multiples of one unit (+-J; h a simple "
            f"fraction of J), so that energies form levels; got {magnitudes.size} magnitudes such as "
            f"{magnitudes[:3].tolist()}: use population_annealing or sample"
        )
    return float(magnitudes[0] / lcm(*(fraction.denominator for fraction in fractions)))


def _level(spins: NDArray[np.int8], graph: kernels.LevelGraph, n_levels: int) -> int:
    """(E + bound) / 2 in integer units, bound = n_levels - 1."""
    s = spins.astype(np.int64)
    bonds_twice = (s[:, None] * graph.couplings * s[graph.neighbors]).sum()  # (n_sites, max_degree)
    return int(n_levels - 1 - bonds_twice // 2 - (graph.fields * s).sum()) // 2


def _make_dataset(model: IsingModel, unit: float, results: Results) -> xr.Dataset:
    visits, bound = results["visits"], results["visits"].shape[1] - 1
    reached = np.flatnonzero(visits.any(axis=0))
    log_g_run = results["log_g_run"][:, reached]
    log_g = logsumexp(log_g_run, axis=0) - log(len(visits))
    ratio = np.exp(log_g_run - log_g)  # (run, energy)
    values = {
        "log_g": ("energy", log_g),
        "log_g_error": ("energy", _standard_error(ratio)),
        "log_g_run": (("run", "energy"), log_g_run),
        "visits": (("run", "energy"), visits[:, reached]),
        "round_trips": ("run", results["round_trips"]),
    }
    data = xr.Dataset({name: (*value, {"formula": FORMULAS[name]}) for name, value in values.items()})
    energy = unit * (2.0 * reached - bound)
    data = data.assign_coords(energy=energy, n_sites=model.lattice.n_sites)
    data.energy.attrs = {"long_name": "total energy", "units": "J", "formula": "H"}
    everywhere = int((visits > 0).all(axis=0).sum())
    return data.assign_attrs(
        lowest_energy=float(energy[0]),
        highest_energy=float(energy[-1]),
        energy_bound=unit * bound,
        reached=f"{reached.size} levels, {everywhere} of them by every run",
    )


def _standard_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    runs = len(values)
    return values.std(axis=0, ddof=1) / np.sqrt(runs) if runs > 1 else np.full(values.shape[1], np.nan)


def _warn_of_few_trips(data: xr.Dataset) -> None:
    fewest = int(data.round_trips.min())
    if fewest < FEW_TRIPS and data.sizes["energy"] > 1:
        warnings.warn(
            f"a walker made {fewest} round trips between the ends of its spectrum, fewer than {FEW_TRIPS}: "
            "use more sweeps",
            FewRoundTripsWarning,
            stacklevel=3,
        )
