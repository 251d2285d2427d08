"""Thermodynamics between the simulated inverse temperatures: `reweight`, all of them at once, with a valid range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from .arguments import as_number, as_numbers
from .mbar import Pool, Solution, relative_denominators, solve
from .measurement import PAIR_OBSERVABLES, Data, Measurement, join_sizes, measure, series_of, split_sizes
from .moments import Series, covariances_with_energy, powers
from .notices import warn
from .pooling import Draws, pool_samples
from .resampling import Array, block_counts, block_starts, jackknife_error, leave_one_out
from .thermodynamics import QUANTITIES, evaluate

Variables = dict[str, tuple[Any, ...]]

FEWEST_SAMPLES = 100.0
LEAST_OVERLAP = 0.01


class ReweightingWarning(UserWarning):
    """A reweighted point rests on too few samples, or the simulated betas share too few energies."""


def reweight(data: Data, betas: ArrayLike, log_states: float = np.log(2.0)) -> xr.Dataset:
    """Variables of `summarize` on any grid of beta, from the samples of all simulated beta at once.

    <X>(beta) = sum_n X_n w_n / sum_n w_n,  w_n = exp(-beta E_n) / sum_k N_k exp(f_k - beta_k E_n), with the f_k that
    solve the multi-histogram equations (`analysis.mbar.solve`), exactly in the energies, without bins. A draw counts as
    1 / tau independent ones, tau being that of the energy at its beta. With one simulated beta this is single-histogram
    reweighting. Errors are jackknife errors over blocks of chains and draws, left out at all beta alike, every replica
    with its own f_k; intervals have n_blocks - 1 degrees of freedom. With several realisations of the disorder each is
    reweighted by itself and the jackknife runs over realisations.

    Parameters
    ----------
    data
        As for `summarize`; ``energy`` is needed. Overlaps, which belong to pairs of chains, are not reweighted.
    betas
        (target,) inverse temperatures in 1/J, or one; the table has them sorted, each once.
    log_states
        ln(number of states) / N; ln 2 for Ising spins. Used only where beta = 0 lies in the valid range.

    Returns
    -------
    xarray.Dataset
        Dimensions (beta,) or (L, beta): the variables of `summarize` and their errors; ``log_z`` = ln Z / N,
        ``free_energy`` = -log_z / beta (NaN at beta = 0) and ``entropy`` = log_z + beta e. They are absolute where
        beta = 0 lies in the valid range, else log_z and entropy are 0 at the simulated beta nearest to 0: their
        ``reference`` says which, ``beta_reference`` where. ``n_effective`` = (sum w)^2 / sum w^2 in independent
        samples and ``valid`` = n_effective >= 100; ``residual``, ``iterations`` and ``overlap`` of the equations.
        Ratios such as U4 and xi are NaN where their denominator is 0.

    Raises
    ------
    ValueError
        If the data has no energy or is malformed as for `summarize`, or betas are empty or not finite.
    RuntimeError
        If the multi-histogram equations are not solved: never silently.

    Warns
    -----
    ReweightingWarning
        If a point has fewer than 100 effective samples, or the overlap is below 0.01.
    ShortRunWarning
        As `summarize`.

    References
    ----------
    A. M. Ferrenberg and R. H. Swendsen, Phys. Rev. Lett. 63, 1195 (1989); M. R. Shirts and J. D. Chodera, J. Chem.
    Phys. 129, 124105 (2008).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> e = rng.choice([-1.0, 1.0], size=(1, 8, 2000))  # one spin in a unit field at beta = 0
    >>> run = xr.Dataset({"energy": (("beta", "chain", "draw"), e)}, {"beta": [0.0], "n_sites": 1})
    >>> fine = reweight(run, [0.5])
    >>> bool(abs(fine["energy"][0] + np.tanh(0.5)) < 3 * fine["energy_error"][0])
    True
    """
    targets, log_states = (
        np.unique(as_numbers("betas", betas, -1e6, most=1e6)),
        as_number("log_states", log_states, least=0, most=1e6),
    )
    runs = measure_chains(data)
    with threadpool_limits(limits=1, user_api="blas"):
        tables = [_reweight_size(run, series, targets, log_states) for run, series in runs]
    _warn_outside(tables)
    return join_sizes(tables, data)


def measure_chains(data: Data) -> Iterator[tuple[Measurement, Series]]:
    """Measurement and series of every size, without the overlaps of pairs of chains, which have no one energy."""
    sizes = [size.drop_vars(PAIR_OBSERVABLES, errors="ignore") for size in split_sizes(data)]
    if any("energy" not in size for size in sizes):
        raise ValueError("reweighting needs the variable energy: sample it")
    return zip(measure(sizes if len(sizes) > 1 else sizes[0]), map(series_of, sizes))


def pool_run(run: Measurement, series: Series, realisation: int, by_size: bool = False) -> Pool:
    """Samples of one realisation; leave-one-block-out rows if it is the only one.

    Parameters
    ----------
    run
        Measurement of the same data: n_sites, tau.
    series
        Of the same data.
    realisation
        Index into the disorder.
    by_size
        Keep points of equal energy and different total |M| apart; nothing but energies is summed.
    """
    n_realisations, n_states, n_chains, n_draws = series["energy"].shape
    summed = ["energy"] if by_size else list(series)

    def energy(state: int, chains: slice) -> Array:
        return run.n_sites * series["energy"].rows(realisation, state, chains)

    def observables(state: int, chains: slice) -> dict[str, Array]:
        return powers({name: series[name].rows(realisation, state, chains) for name in summed})

    def size(state: int, chains: slice) -> Array:
        return np.abs(run.n_sites * series["magnetization"].rows(realisation, state, chains))

    slowest = max(times.max() for name, times in run.tau.items() if name != "magnetization")
    counts = np.array([n_chains * n_draws])
    if n_realisations == 1:
        counts = block_counts(n_chains, n_draws, block_starts(n_chains, n_draws, slowest))
    draws = Draws((n_states, n_chains, n_draws), energy, observables, size if by_size else None)
    return pool_samples(run.beta, draws, run.tau["energy"], counts)


def _reweight_size(run: Measurement, series: Series, targets: Array, log_states: float) -> xr.Dataset:
    """The table of one size, dimension (beta,)."""
    anchors = np.array([0.0, run.beta[np.argmin(np.abs(run.beta))]])
    everything = np.concatenate([targets, anchors])
    thermal, samples, solutions = [], [], []
    for realisation in range(series["energy"].shape[0]):
        pool = pool_run(run, series, realisation)
        solution = solve(pool)
        moments, n_effective = averages(pool, solution, everything)
        thermal.append(moments)
        samples.append(n_effective)
        solutions.append(solution)
    if len(thermal) > 1:
        ones = np.ones(len(thermal), dtype=np.intp)
        rows = {name: leave_one_out(np.stack([each[name][0] for each in thermal]).T, ones) for name in thermal[0]}
    else:
        rows = thermal[0]
    fewest = np.min(samples, axis=0)  # (target,)
    log_z = rows.pop("log_z") / run.n_sites
    at_targets = {name: values[:, : len(targets)] for name, values in rows.items()}
    absolute = fewest[-2] >= FEWEST_SAMPLES
    variables = _observables(replace(run, beta=targets, moments=at_targets, tau={}))
    variables |= _entropies(log_z, rows["energy"], everything, log_states if absolute else None)
    variables |= {
        "n_effective": ("beta", fewest[: len(targets)], SAMPLES_ATTRS),
        "valid": ("beta", fewest[: len(targets)] >= FEWEST_SAMPLES, VALID_ATTRS),
        "n_blocks": ((), run.n_blocks, {"long_name": "jackknife blocks, or realisations", "units": "1"}),
        "residual": ((), max(solution.gradient for solution in solutions), RESIDUAL_ATTRS),
        "iterations": ((), max(solution.iterations for solution in solutions), ITERATIONS_ATTRS),
        "overlap": ((), min(solution.overlap for solution in solutions), OVERLAP_ATTRS),
    }
    coords = {"beta": ("beta", targets, {"long_name": "inverse temperature", "units": "1/J"}), "n_sites": run.n_sites}
    return xr.Dataset(variables, coords if run.label is None else coords | {"L": run.label})


def averages(pool: Pool, solution: Solution, targets: Array) -> tuple[dict[str, Array], Array]:
    """Moments and ln Z (up to a constant per row), (row, target) each, and the effective samples, (target,)."""
    log_scale = np.full(len(targets), -np.inf)
    for chunk in pool.chunks():
        exponents = -np.outer(targets, pool.energy[chunk]) - solution.log_denominator[chunk]
        log_scale = np.maximum(log_scale, exponents.max(axis=1))
    sums = {name: np.zeros((len(pool.sizes), len(targets))) for name in pool.sums}
    squares = np.zeros(len(targets))
    for chunk in pool.chunks():
        exponents = -np.outer(targets, pool.energy[chunk]) - solution.log_denominator[chunk]
        factor = np.exp(exponents - log_scale[:, np.newaxis]).T  # (point, target)
        denominators = relative_denominators(pool, solution, chunk)
        for name, total in sums.items():
            total += (pool.rows(name, chunk) / denominators) @ factor
        squares += pool.rows("weight", chunk)[0] @ factor**2
    weight = sums.pop("weight")
    moments = {name: total / weight for name, total in sums.items()}
    variances = {
        f"{name}_variance": np.maximum(moments[second] - moments[name] ** 2, 0.0)
        for name, second in SECOND_MOMENTS.items()
        if name in moments
    }
    variances |= covariances_with_energy(moments)
    log_z = log_scale + np.log(weight) - targets * pool.offset
    return moments | variances | {"log_z": log_z}, weight[0] ** 2 / squares


def _observables(run: Measurement) -> Variables:
    """The variables of `summarize` and their errors."""
    variables: Variables = {}
    for name, quantity in QUANTITIES.items():
        if all(run.has(need) for need in quantity.needs):
            attrs = {"units": quantity.units, "formula": quantity.formula}
            variables |= _with_error(name, evaluate(run, name), quantity.long_name, attrs)
    return variables


def _entropies(log_z: Array, energy: Array, betas: Array, log_states: float | None) -> Variables:
    """Variables log_z, free_energy and entropy from rows at the targets, at 0 and at the simulated beta nearest 0."""
    if log_states is None:
        anchor, reference = -1, f"relative: log_z and entropy are 0 at beta = {betas[-1]:g}"
        constant, shift = 0.0, betas[-1] * energy[:, -1:]
    else:
        anchor, reference = -2, f"absolute: log_z = entropy = {log_states:.6g} at beta = 0"
        constant, shift = log_states, np.zeros((1, 1))
    log_z = constant + (log_z - log_z[:, [anchor]])[:, :-2]
    targets = betas[:-2]
    entropy = log_z + targets * energy[:, :-2] - shift
    free_energy = -np.divide(log_z, targets, out=np.full_like(log_z, np.nan), where=targets != 0.0)
    attrs = {"units": "1", "formula": "ln Z / N", "reference": reference}
    variables = _with_error("log_z", log_z, "logarithm of the partition function per site", attrs)
    attrs |= {"units": "J", "formula": "-ln Z / (N beta)"}
    variables |= _with_error("free_energy", free_energy, "free energy per site", attrs)
    attrs |= {"units": "k_B", "formula": "ln Z / N + beta <e>"}
    variables |= _with_error("entropy", entropy, "entropy per site", attrs)
    where = {"long_name": "beta at which log_z is given", "units": "1/J"}
    return variables | {"beta_reference": ((), betas[anchor], where)}


def _with_error(name: str, rows: Array, long_name: str, attrs: dict[str, str]) -> Variables:
    """One variable and its jackknife error."""
    error = {"long_name": f"jackknife error of {long_name}", **attrs}
    return {
        name: ("beta", rows[0], {"long_name": long_name, **attrs}),
        f"{name}_error": ("beta", jackknife_error(rows), error),
    }


def _warn_outside(tables: list[xr.Dataset]) -> None:
    """One ReweightingWarning that names the points outside the valid range, and the sizes whose betas lie too far."""
    for table in tables:
        size = f"at L = {table['L'].item()}: " if "L" in table.coords else ""
        outside = table["beta"].values[~table["valid"].values]
        if len(outside):
            fewest = float(table["n_effective"].min())
            warn(
                f"{size}{len(outside)} of {table.sizes['beta']} points between beta = {outside.min():g} and"
                f" {outside.max():g} rest on fewer than {FEWEST_SAMPLES:g} effective samples (at worst {fewest:.3g}),"
                " see `valid`: simulate nearer to them, or draw more",
                ReweightingWarning,
            )
        if table["overlap"] < LEAST_OVERLAP:
            warn(
                f"{size}simulated betas share too few energies (overlap {float(table['overlap']):.2g}, needed"
                f" {LEAST_OVERLAP:g}): free energies and entropies across the gap are not to be trusted; simulate more"
                " betas",
                ReweightingWarning,
            )


SECOND_MOMENTS = {
    "energy": "energy_squared",
    "magnetization_abs": "m2",
    "staggered_magnetization_abs": "staggered_m2",
}
SAMPLES_ATTRS = {
    "long_name": "effective number of independent samples",
    "units": "1",
    "formula": "(sum w)^2 / sum w^2, each draw counted 1 / tau",
}
VALID_ATTRS = {
    "long_name": "whether the samples carry the point",
    "units": "1",
    "formula": f"n_effective >= {FEWEST_SAMPLES:g}",
}
RESIDUAL_ATTRS = {"long_name": "largest residual of the equations", "units": "1", "formula": "|sum_n W_kn - 1|"}
ITERATIONS_ATTRS = {"long_name": "Newton steps", "units": "1"}
OVERLAP_ATTRS = {
    "long_name": "overlap of the simulated betas",
    "units": "1",
    "formula": "1 - second largest eigenvalue of sum_n W_kn W_ln sqrt(N_k N_l)",
}
