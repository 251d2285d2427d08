"""Population annealing: many replicas cooled together, with free energies and weights that combine independent runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import exp, log
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from . import kernels_population as kernels
from .checks import check_beta
from .driver import run_on_threads
from .model import IsingModel
from .runs import Average, check_arguments, jackknife, provenance
from .streams import Purpose, generator, states
from .words import WIDTH

STREAM = 101  # second key word: separates these streams from those of `sample`
MAX_BYTES = 2 * 2**30
MAX_FINAL_SPINS = 10**7
ENOUGH_FAMILIES = 10
FORMULAS = {
    "energy": "<H> / N",
    "specific_heat": "beta^2 (<H^2> - <H>^2) / N",
    "magnetization_abs": "<|m|>",
    "susceptibility": "N <m^2>",
    "log_z": "ln Z / N, ln Z = N ln 2 + sum over steps of ln <exp(-dbeta H)>",
    "free_energy": "-ln Z / (beta N)",
    "family_entropy": "-sum_k n_k ln n_k, n_k the fraction of replicas that descend from initial replica k",
    "rho_t": "R sum_k n_k^2",
}
AVERAGED = ("energy", "magnetization_abs", "susceptibility")

Results = dict[str, NDArray[Any]]


class FewFamiliesWarning(UserWarning):
    """The population descends from too few initial replicas; its averages and error bars are not to be trusted."""


class Population:
    """R replicas of one model at one inverse temperature, each with the initial replica it descends from.

    At beta = 0 the replicas are random spins, which is exact equilibrium.
    """

    def __init__(self, model: IsingModel, graph: kernels.ReplicaGraph, size: int, seed: int, run: int) -> None:
        n_sites = model.lattice.n_sites
        self.graph, self.n_sites, self.size, self.beta = graph, n_sites, size, 0.0
        self.random = generator(seed, Purpose.INITIAL, n_sites, STREAM, run)
        keys = [(n_sites, STREAM, run, lane) for lane in range(WIDTH)]
        self.rng = np.ascontiguousarray(states(seed, Purpose.SAMPLING, keys).T)
        self.spins = self.random.integers(0, 2, (n_sites, size), dtype=np.int8)
        self.spins *= 2
        self.spins -= 1
        self.family = np.arange(size)
        self.energy, self.magnetization = np.empty(size), np.empty(size)
        self.scratch, self.row = kernels.make_scratch(), np.empty(size, np.int8)
        self.best_energy, self.best_spins = np.inf, self.spins[:, 0].copy()
        self.measure()

    def resample(self, beta: float) -> float:
        """Replica r gets on average exp(-(beta - beta_old) E_r) / Q copies; returns ln Q = ln <exp(-dbeta E)>.

        Systematic resampling: one uniform number places R equidistant marks on the cumulated weights, so every replica
        has its mean number of copies rounded up or down, and the population stays R.
        """
        exponent = -(beta - self.beta) * self.energy
        top = float(exponent.max())
        cumulated = np.cumsum(np.exp(exponent - top))
        marks = (np.arange(self.size) + self.random.random()) * (cumulated[-1] / self.size)
        parent = np.minimum(np.searchsorted(cumulated, marks, side="right"), self.size - 1)
        kernels.adopt(self.spins, parent, self.row)
        self.family = self.family[parent]
        self.beta = beta
        return top + log(cumulated[-1] / self.size)

    def sweep(self, n_sweeps: int) -> None:
        """Heat-bath sweeps of every replica at the present beta."""
        kernels.heat_bath(self.spins, self.rng, self.graph, self.beta, n_sweeps, self.scratch)

    def measure(self) -> None:
        """Energies and magnetizations of the present replicas; keeps the best configuration seen."""
        kernels.measure(self.spins, self.graph, self.scratch, self.energy, self.magnetization)
        best = int(self.energy.argmin())
        if self.energy[best] < self.best_energy:
            self.best_energy, self.best_spins = float(self.energy[best]), self.spins[:, best].copy()

    def averages(self) -> dict[str, float]:
        """Population means, per site, and the family statistics."""
        n, m = self.n_sites, self.magnetization / self.n_sites
        share = np.bincount(self.family) / self.size
        share = share[share > 0]
        return {
            "energy": float(self.energy.mean()) / n,
            "specific_heat": self.beta**2 * float(self.energy.var()) / n,
            "magnetization_abs": float(np.abs(m).mean()),
            "susceptibility": n * float((m**2).mean()),
            "family_entropy": -float((share * np.log(share)).sum()),
            "rho_t": self.size * float((share**2).sum()),
        }


def population_annealing(
    model: IsingModel,
    betas: ArrayLike,
    population: int = 1024,
    sweeps: int = 10,
    seed: int = 0,
    runs: int = 8,
    progress: bool = True,
    threads: int | None = None,
) -> xr.Dataset:
    """Population annealing from beta = 0, independent runs combined with their weights.

    Each step to the next beta gives a replica the weight exp(-dbeta E), resamples the population to its fixed size R
    (systematic resampling), and applies heat-bath sweeps. The mean weights Q give the partition function,
    ln Z(beta) = N ln 2 + sum ln Q; runs are averaged with weights proportional to their Z, which removes the bias of a
    finite population (Hukushima and Iba 2003; Machta 2010; Wang, Machta and Katzgraber 2015).

    Parameters
    ----------
    model
        Any model.
    betas
        Rising inverse temperatures in 1/J, the first 0: random spins are the exact start.
    population
        Replicas R of each run.
    sweeps
        Heat-bath sweeps after each resampling.
    seed
        Same seed, same numbers, whatever the number of threads; run k is the same however many runs are asked for.
    runs
        Independent runs; they give the errors.
    progress
        Show a progress bar.
    threads
        Worker threads, at most one per run is used; all cores by default.

    Returns
    -------
    xarray.Dataset
        `energy`, `specific_heat`, `magnetization_abs`, `susceptibility`, `log_z`, `free_energy` (run, beta), each also
        as `X_mean` and `X_error` (beta): the weighted average over runs and its jackknife error; `log_weight` (run,
        beta), normalised; `family_entropy` and `rho_t` (run, beta); `best_energy` (run), total, `best_spins` (run,
        site); `spins` (run, replica, site), the final population while it has at most 10^7 entries.

    Raises
    ------
    ValueError
        Impossible arguments, or a population above 2 GiB.

    Examples
    --------
    >>> import ising
    >>> from ising.population import population_annealing
    >>> glass = ising.edwards_anderson(ising.square(4), seed=1)
    >>> data = population_annealing(glass, np.linspace(0, 2, 21), population=500, seed=1, progress=False)
    >>> float(data.best_energy.min()), dict(data.energy.sizes)
    (-20.0, {'run': 8, 'beta': 21})
    """
    steps = _check_betas(betas)
    check_arguments(model, progress, population=(population, 2), sweeps=(sweeps, 1), runs=(runs, 1))
    _check_memory(model, population)
    results = _empty_results(model, len(steps), population, runs)
    graph = _replica_graph(model)
    works = [_anneal(model, graph, steps, population, sweeps, seed, run, results) for run in range(runs)]
    run_on_threads(works, runs * len(steps), "step", progress, threads)
    data = _make_dataset(model, steps, results)
    _warn_of_few_families(data, population)
    attrs = {"method": "population_annealing", "resampling": "systematic", "update": "heat_bath"}
    return data.assign_attrs(**provenance(model), **attrs, population=population, sweeps=sweeps, seed=seed)


def _anneal(
    model: IsingModel,
    graph: kernels.ReplicaGraph,
    betas: NDArray[np.float64],
    size: int,
    sweeps: int,
    seed: int,
    run: int,
    results: Results,
) -> Iterator[int]:
    """One run, a step at a time; fills its row of the results."""
    population = Population(model, graph, size, seed, run)
    log_z = population.n_sites * log(2.0)
    for step, beta in enumerate(betas):
        if step:
            log_z += population.resample(float(beta))
            for _ in range(sweeps):  # one at a time, so that Ctrl-C is answered
                population.sweep(1)
                yield 0
            population.measure()
        for name, value in population.averages().items():
            results[name][run, step] = value
        results["log_z"][run, step] = log_z / population.n_sites
        yield 1
    results["best_energy"][run], results["best_spins"][run] = population.best_energy, population.best_spins
    if "spins" in results:
        results["spins"][run] = population.spins.T


def _empty_results(model: IsingModel, n_beta: int, population: int, runs: int) -> Results:
    n_sites = model.lattice.n_sites
    results: Results = {name: np.empty((runs, n_beta)) for name in FORMULAS if name != "free_energy"}
    results["best_energy"], results["best_spins"] = np.empty(runs), np.empty((runs, n_sites), np.int8)
    if runs * population * n_sites <= MAX_FINAL_SPINS:
        results["spins"] = np.empty((runs, population, n_sites), np.int8)
    return results


def _replica_graph(model: IsingModel) -> kernels.ReplicaGraph:
    lattice = model.lattice
    couplings = np.append(np.broadcast_to(model.couplings, lattice.n_bonds), 0.0)  # the last for the padding -1
    fields = np.broadcast_to(np.asarray(model.fields, dtype=np.float64), lattice.n_sites).copy()
    return kernels.ReplicaGraph(lattice.neighbors, couplings[lattice.neighbor_bonds], fields)


def _make_dataset(model: IsingModel, betas: NDArray[np.float64], results: Results) -> xr.Dataset:
    n = model.lattice.n_sites
    results["free_energy"] = _free_energy(results["log_z"], betas)
    data = xr.Dataset(coords={"beta": ("beta", betas, {"long_name": "inverse temperature", "units": "1/J"})})
    for name, formula in FORMULAS.items():
        data[name] = (("run", "beta"), results[name], {"formula": formula})
    for name, (mean, error) in _combine(results, n * results["log_z"], betas, n).items():
        data[f"{name}_mean"] = ("beta", mean, {"formula": f"{FORMULAS[name]}, runs averaged with weights Z_run"})
        data[f"{name}_error"] = ("beta", error, {"formula": "jackknife over runs"})
    log_weight = n * results["log_z"] - np.logaddexp.reduce(n * results["log_z"], axis=0)
    data["log_weight"] = (("run", "beta"), log_weight, {"formula": "ln (Z_run / sum over runs of Z)"})
    data["best_energy"] = ("run", results["best_energy"], {"long_name": "lowest total energy seen", "units": "J"})
    data["best_spins"] = (("run", "site"), results["best_spins"], {"long_name": "spins of best_energy", "units": "1"})
    if "spins" in results:
        data["spins"] = (("run", "replica", "site"), results["spins"], {"long_name": "final population", "units": "1"})
    return data.assign_coords(n_sites=n)


def _free_energy(log_z: NDArray[np.float64], betas: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(-log_z, betas, out=np.full_like(log_z, np.nan), where=betas > 0)


def _combine(
    results: Results, log_z: NDArray[np.float64], betas: NDArray[np.float64], n_sites: int
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Averages over runs with weights Z_run, ln of the mean Z, and jackknife errors; log_z is total, (run, beta)."""
    top = log_z.max(axis=0)
    weight = np.exp(log_z - top)

    def log_mean_z(kept: NDArray[np.float64]) -> NDArray[np.float64]:
        return (top + np.log(kept @ weight / kept.sum(axis=1, keepdims=True))) / n_sites

    def weighted(values: NDArray[np.float64]) -> Average:
        return lambda kept: (kept @ (weight * values)) / (kept @ weight)  # (case, run) x (run, beta) -> (case, beta)

    def specific_heat(kept: NDArray[np.float64]) -> NDArray[np.float64]:
        between = weighted(results["energy"] ** 2)(kept) - weighted(results["energy"])(kept) ** 2
        return weighted(results["specific_heat"])(kept) + betas**2 * n_sites * between

    runs = len(log_z)
    combined = {name: jackknife(weighted(results[name]), runs) for name in AVERAGED}
    combined["specific_heat"] = jackknife(specific_heat, runs)
    combined["log_z"] = jackknife(log_mean_z, runs)
    combined["free_energy"] = jackknife(lambda kept: _free_energy(log_mean_z(kept), betas), runs)
    return combined


def _warn_of_few_families(data: xr.Dataset, population: int) -> None:
    families = exp(float(data.family_entropy.isel(beta=-1).min()))
    if families < ENOUGH_FAMILIES:
        warnings.warn(
            f"the {population} replicas of a run descend from about {families:.1f} initial ones at beta = "
            f"{float(data.beta[-1]):g}, fewer than {ENOUGH_FAMILIES}: use more population, sweeps or betas",
            FewFamiliesWarning,
            stacklevel=3,
        )


def _check_betas(betas: ArrayLike) -> NDArray[np.float64]:
    steps = check_beta(betas)
    if steps[0] != 0 or (np.diff(steps) <= 0).any():
        raise ValueError(
            f"betas must rise from 0, where random spins are the exact start, got {steps[:4].tolist()}"
            f"{' ...' if steps.size > 4 else ''}"
        )
    return steps


def _check_memory(model: IsingModel, population: int) -> None:
    size = population * model.lattice.n_sites
    if size > MAX_BYTES:
        raise ValueError(
            f"a population of {population} x {model.lattice.n_sites} spins takes {size / 2**30:.1f} GiB, above the "
            "2 GiB limit: use a smaller population and more runs"
        )
