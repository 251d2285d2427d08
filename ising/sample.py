"""`sample`: from a model and a schedule to an xarray.Dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .arguments import as_flag
from .checks import check_memory
from .dataset import collect_statistics, make_dataset
from .driver import Kept, drive
from .engine import Block
from .model import IsingModel
from .observables import PAIR_OBSERVABLES, Arrays
from .plan import Plan, make_plan
from .schedule import Schedule

if TYPE_CHECKING:
    import xarray as xr  # half of the time to import ising, so loaded with the first result


def sample(
    model: IsingModel | Sequence[IsingModel],
    beta: ArrayLike,
    schedule: Schedule | None = None,
    update: str = "auto",
    chains: int | None = None,
    seed: int = 0,
    exchange: bool = False,
    observables: Iterable[str] | None = None,
    configurations: int = 0,
    initial: Any = "random",
    progress: bool = True,
    threads: int | None = None,
    store: str | Path | None = None,
    *,
    isoenergetic: int = 0,
    lanes: str = "chains",
    client: Any = None,
) -> xr.Dataset:
    """Monte Carlo averages of an Ising model at one or more inverse temperatures.

    Parameters
    ----------
    model
        One model, or several on one lattice (a leading dimension `disorder` appears).
    beta
        Inverse temperature(s) in 1/J, finite and >= 0.
    schedule
        Warm-up, draws, thinning; ``Schedule()`` if not given.
    update
        ``"heat_bath"`` and ``"metropolis"`` (64 chains per machine word where couplings are +-J, the field is uniform
        and the degree at most 15; 64 neighbouring spins per word on square and cubic tori with L a multiple of 128 for
        fewer than 64 chains or L >= 1024; Metropolis flips with 15/16 min(1, exp(-beta dE)), which keeps
        its fixed order ergodic),
        ``"random_site"`` (Metropolis, the slow reference), ``"swendsen_wang"``, ``"wolff"`` (both with a ghost spin for
        fields), or ``"auto"``; the attribute `update` of the result names the one that ran, `update_reason` why.
    chains
        Independent chains per beta, even for disordered models. By default 64 for kernels that run 64 at once, 2 with
        ``lanes="disorder"``, else 8; `sample_sizes` takes the smallest default for all sizes.
    seed
        Every random number follows from it: the same seed gives the same bits whatever the number of threads, and chain
        k is the same however many chains are asked for (but for L a multiple of 128 below 1024, where fewer than 64
        chains take the kernel "space"). 0 is a seed like any other.
    exchange
        Replica exchange: after every sweep configurations are exchanged between neighbouring betas (increasing order)
        within a chain, so (beta, chain) is the temperature slot. Adds `swap_acceptance(beta_pair, chain)` and
        `round_trips(chain)`, lowest to highest beta and back, both without the warm-up.
    observables
        Names among `energy`, `magnetization`, `structure_factor` (periodic lattices) and, for disordered models,
        `overlap`, `link_overlap`, `overlap_k`; all these by default. Bipartite lattices also have, by default for a
        uniform J < 0 and otherwise when asked for, `staggered_magnetization`; Swendsen-Wang, when asked for,
        `improved_m2` and `improved_structure_factor`: expectations over the coin tosses of the step, of less variance.
    configurations
        Keep the spins of every k-th draw as `configurations`; 0 keeps none.
    initial
        ``"random"``, ``"up"``, or +-1 spins that broadcast to (beta, chain, site).
    progress
        Show a progress bar.
    threads
        Worker threads; all cores by default.
    store
        A folder in which the run is kept as it grows, whatever its size: killed at any moment, the same call goes on
        where it was and ends with the same numbers; the same call with more draws extends it. See `ising.open_run`.
    isoenergetic
        Houdayer's cluster move on chains (2k, 2k + 1) every so many sweeps; 0 for none. For +-J couplings.
    lanes
        ``"disorder"`` puts 64 realisations of `edwards_anderson(..., disorder=k)` into a word instead of 64 chains of
        one: the fast way to average over disorder with a few chains each.
    client
        A `distributed.Client` (extra `dask`): its workers carry the work units to the same bits, `threads` does not
        count. Workers may come and go; one that dies loses some seconds of work, which are done again.

    Returns
    -------
    xarray.Dataset
        Dimensions (beta, chain, draw), with leading `disorder` for several models and `pair` for overlaps; intensive
        quantities per site. `spins` holds the final state while it has at most 10^7 entries. With `store` the arrays
        are read from the disk when they are used.

    Raises
    ------
    ValueError
        Impossible arguments, a result above 2 GiB without a store, or a store of another run.
    StoreError
        The store cannot be written, is damaged, or is being written by another process.

    Examples
    --------
    >>> import ising
    >>> data = ising.sample(ising.ferromagnet(ising.square(8)), 0.3, ising.Schedule(100, 200), progress=False)
    >>> dict(data.energy.sizes)
    {'beta': 1, 'chain': 64, 'draw': 200}
    """
    progress = as_flag("progress", progress)
    plan = make_plan(
        model, beta, schedule, update, chains, seed, exchange, observables, configurations, initial, isoenergetic, lanes
    )
    if client is not None:
        from .cluster import run_on_cluster

        return run_on_cluster(plan, client, progress, store)
    if store is not None:
        from .store.sampling import run_in_store

        return run_in_store(plan, store, progress, threads)
    return run_in_memory(plan, progress, threads)


def run_in_memory(plan: Plan, progress: bool = True, threads: int | None = None) -> xr.Dataset:
    """Carry out a plan; ValueError where the result does not fit."""
    check_memory(plan)
    shape = (len(plan.models), len(plan.betas), plan.chains)
    results = [_empty(plan) for _ in plan.models]
    units = [(_index(plan, block), plan.workshop.unit(block)) for block in plan.workshop.blocks()]
    kept = Kept(*shape, plan.n_sites, plan.schedule.draws, plan.configurations)
    drive(units, results, plan.schedule, kept, progress, threads)
    return make_dataset(plan, results, kept, collect_statistics(units, *shape) if plan.exchange else {})


def _index(plan: Plan, block: Block) -> int | slice:
    """The realisation(s) a unit fills; the lanes of a word may be more than there are."""
    first = block.disorder.start
    return slice(first, first + 64) if plan.workshop.in_lanes else first


def _empty(plan: Plan) -> Arrays:
    pairs = {name: plan.chains // 2 if name in PAIR_OBSERVABLES else plan.chains for name in plan.observables}
    return {name: np.empty((len(plan.betas), n, plan.schedule.draws)) for name, n in pairs.items()}
