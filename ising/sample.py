"""`sample` and `sample_sizes`: from a model and a schedule to an xarray.Dataset."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numba
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from .engine import PAIR_OBSERVABLES, UPDATE_CODES, Arrays, Unit, fits_bits, make_units
from .model import IsingModel
from .schedule import Schedule

logger = logging.getLogger(__name__)

MAX_RESULT_BYTES = 2 * 2**30
MAX_FINAL_SPINS = 10**7
CLUSTER_WINS_FROM = 400  # sites: below, 64 heat-bath chains a word decorrelate faster per second than a cluster step

VARIABLES = {
    "energy": ("energy per site", "J", "H / n_sites"),
    "magnetization": ("magnetization per site, signed", "1", "sum_i s_i / n_sites"),
    "structure_factor": (
        "structure factor at the smallest momentum, mean over axes",
        "1",
        "|sum_j s_j exp(i k_min x_j)|^2 / n_sites",
    ),
    "overlap": ("overlap of chains (2k, 2k + 1)", "1", "sum_i s_i^a s_i^b / n_sites"),
    "link_overlap": ("link overlap of chains (2k, 2k + 1)", "1", "sum_<ij> s_i^a s_j^a s_i^b s_j^b / n_bonds"),
    "overlap_k": ("overlap structure factor at k_min", "1", "|sum_j s_j^a s_j^b exp(i k_min x_j)|^2 / n_sites"),
}


def sample(
    model: IsingModel | Sequence[IsingModel],
    beta: ArrayLike,
    schedule: Schedule | None = None,
    update: str = "auto",
    chains: int | None = None,
    seed: int = 0,
    observables: Iterable[str] | None = None,
    configurations: int = 0,
    initial: Any = "random",
    progress: bool = True,
    threads: int | None = None,
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
        ``"heat_bath"`` (64 chains per machine word where couplings are +-J and the field is uniform),
        ``"random_site"`` (Metropolis, the slow reference), ``"swendsen_wang"``, ``"wolff"`` (both with a ghost spin for
        fields), or ``"auto"``; the attribute `update` of the result names the one that ran, `update_reason` why.
    chains
        Independent chains per beta; 64 for the bit-parallel heat bath, 8 otherwise. Even for disordered models.
    seed
        Every random number follows from it: the same seed gives the same bits whatever the number of threads, and chain
        k is the same however many chains are asked for. 0 is a seed like any other.
    observables
        Names among `energy`, `magnetization`, `structure_factor` (periodic lattices) and, for disordered models,
        `overlap`, `link_overlap`, `overlap_k`; all that exist by default.
    configurations
        Keep the spins of every k-th draw as `configurations`; 0 keeps none.
    initial
        ``"random"``, ``"up"``, or +-1 spins that broadcast to (beta, chain, site).
    progress
        Show a progress bar.
    threads
        Worker threads; all cores by default.

    Returns
    -------
    xarray.Dataset
        Dimensions (beta, chain, draw), with leading `disorder` for several models and `pair` for overlaps; intensive
        quantities per site. `spins` holds the final state while it has at most 10^7 entries.

    Raises
    ------
    ValueError
        Impossible arguments, or a result above 2 GiB.

    Examples
    --------
    >>> import ising
    >>> data = ising.sample(ising.ferromagnet(ising.square(8)), 0.3, ising.Schedule(100, 200), progress=False)
    >>> dict(data.energy.sizes)
    {'beta': 1, 'chain': 64, 'draw': 200}
    """
    schedule = schedule or Schedule()
    models = [model] if isinstance(model, IsingModel) else list(model)
    _check_models(models)
    betas = _check_beta(beta)
    update, reason = _choose_update(models[0], update)
    bits = update == "heat_bath" and all(fits_bits(m) for m in models)
    chains = (64 if bits else 8) if chains is None else chains
    if chains < 1:
        raise ValueError(f"chains must be >= 1, got {chains}")
    names = _check_observables(models[0], chains, observables)
    _check_memory(names, len(models), len(betas), chains, schedule, models[0].lattice.n_sites, configurations)
    start = _check_initial(initial, len(betas), chains, models[0].lattice.n_sites)
    results, units = [], []
    for index, one in enumerate(models):
        arrays: Arrays = {
            name: np.empty((len(betas), chains // 2 if name in PAIR_OBSERVABLES else chains, schedule.draws))
            for name in names
        }
        results.append(arrays)
        units += [(index, unit) for unit in make_units(one, betas, chains, update, seed, index, start)]
    kept = _Kept(len(models), len(betas), chains, models[0].lattice.n_sites, schedule.draws, configurations)
    _drive(units, results, schedule, kept, progress, threads)
    attrs = {
        "update": update,
        "update_reason": reason,
        "kernel": "bits" if bits else "spins",
        "seed": seed,
        "initial": initial if isinstance(initial, str) else "array",
    }
    return _dataset(models, betas, results, kept, schedule, attrs, squeeze=isinstance(model, IsingModel))


def sample_sizes(
    models: Mapping[Any, IsingModel | Sequence[IsingModel]],
    beta: ArrayLike | Mapping[Any, ArrayLike],
    schedule: Schedule | Mapping[Any, Schedule] | None = None,
    progress: bool = True,
    **options: Any,
) -> xr.Dataset | list[xr.Dataset]:
    """`sample` for several sizes.

    Parameters
    ----------
    models
        Size (a number, or a label for closed surfaces) -> model(s).
    beta, schedule
        One for all, or a dict by size.
    progress, **options
        As in `sample`.

    Returns
    -------
    xarray.Dataset or list of xarray.Dataset
        A leading dimension `L` with coordinates `n_sites(L)` and `momentum(L)`; a list of Datasets with the scalar
        coordinate `L` if beta or schedule is a dict. Final spins are kept in the list only, their number differs by size.
    """
    if not models:
        raise ValueError("models must name at least one size")
    by_size = isinstance(beta, Mapping) or isinstance(schedule, Mapping)
    parts = []
    for L, model in models.items():
        b = beta[L] if isinstance(beta, Mapping) else beta
        s = schedule[L] if isinstance(schedule, Mapping) else schedule
        parts.append(sample(model, b, s, progress=progress, **options).assign_coords(L=L))
    if by_size:
        return parts
    together = xr.concat(
        [part.drop_vars(["spins", "configurations"], errors="ignore") for part in parts],
        dim="L", coords="different", compat="equals", join="exact", combine_attrs="drop_conflicts",
    )  # fmt: skip
    return together.assign_attrs(lattice=", ".join(part.attrs["lattice"] for part in parts))


def _check_models(models: Sequence[IsingModel]) -> None:
    if not models:
        raise ValueError("sample needs at least one model, got an empty sequence")
    for one in models:
        if not isinstance(one, IsingModel):
            raise ValueError(f"model must be an IsingModel (or several on one lattice), got {type(one).__name__}")
        if one.lattice is not models[0].lattice:
            raise ValueError("all models of one call must share one lattice object")


def _check_beta(beta: ArrayLike) -> NDArray[np.float64]:
    betas = np.atleast_1d(np.asarray(beta, dtype=np.float64))
    if betas.ndim != 1 or betas.size == 0:
        raise ValueError(f"beta must be a number or a non-empty list of numbers, got shape {betas.shape}")
    bad = betas[~(np.isfinite(betas) & (betas >= 0))]
    if bad.size:
        raise ValueError(f"beta must be finite and >= 0, got {bad[0]}; use J < 0 for an antiferromagnet")
    if np.unique(betas).size < betas.size:
        raise ValueError("beta holds a value twice; ask for more chains instead")
    return betas


def _choose_update(model: IsingModel, update: str) -> tuple[str, str]:
    if update != "auto":
        if update not in UPDATE_CODES:
            raise ValueError(f"update must be 'auto' or one of {', '.join(UPDATE_CODES)}, got {update!r}")
        return update, "asked for"
    plain = not model.disordered and float(model.couplings) > 0 and not model.has_field
    if plain and model.lattice.n_sites >= CLUSTER_WINS_FROM and model.lattice.dimension != 1:
        return "swendsen_wang", f"ferromagnet without field, {model.lattice.n_sites} >= {CLUSTER_WINS_FROM} sites"
    why = "few sites or one dimension" if plain else "a field or competing couplings, where clusters do not help"
    return "heat_bath", why


def _check_observables(model: IsingModel, chains: int, wanted: Iterable[str] | None) -> list[str]:
    available = ["energy", "magnetization"]
    momentum = model.lattice.momentum is not None
    if momentum:
        available.append("structure_factor")
    if model.disordered and chains > 1:
        available += ["overlap", "link_overlap"] + ["overlap_k"] * momentum
    names = available if wanted is None else list(wanted)
    unknown = [name for name in names if name not in available]
    if unknown or not names:
        raise ValueError(f"observables must be among {available} for this model, got {names}")
    if chains > 1 and chains % 2 and any(name in PAIR_OBSERVABLES for name in names):
        raise ValueError(f"overlaps pair chains (2k, 2k + 1): chains must be even, got {chains}")
    return names


def _check_memory(
    names: list[str], disorder: int, n_beta: int, chains: int, schedule: Schedule, n_sites: int, configurations: int
) -> None:
    if configurations < 0:
        raise ValueError(f"configurations must be >= 0, got {configurations}")
    series = 8 * len(names) * disorder * n_beta * chains * schedule.draws
    kept = disorder * n_beta * chains * n_sites * (schedule.draws // configurations) if configurations else 0
    if series + kept > MAX_RESULT_BYTES:
        raise ValueError(
            f"the result would take {(series + kept) / 2**30:.1f} GiB, above the 2 GiB limit: use fewer draws with a "
            "larger thin=, fewer observables=, or keep fewer configurations="
        )


def _check_initial(initial: Any, n_beta: int, chains: int, n_sites: int) -> Any:
    if isinstance(initial, str):
        if initial not in ("random", "up"):
            raise ValueError(f"initial must be 'random', 'up' or an array of +-1 spins, got {initial!r}")
        return initial
    spins = np.asarray(initial)
    if not (np.abs(spins) == 1).all():
        raise ValueError("initial spins must be +1 or -1")
    try:
        return np.broadcast_to(spins.astype(np.int8), (n_beta, chains, n_sites))
    except ValueError:
        raise ValueError(
            f"initial spins must broadcast to (beta, chain, site) = {(n_beta, chains, n_sites)}, got {spins.shape}"
        ) from None


class _Kept:
    """The configurations a run keeps: every k-th draw, and the last if there is room."""

    def __init__(self, disorder: int, n_beta: int, chains: int, n_sites: int, draws: int, every: int) -> None:
        self.every = every
        block = (disorder, n_beta, chains)
        self.draws = np.arange(every - 1, draws, every) if every else np.empty(0, int)
        self.some = np.empty((*block, self.draws.size, n_sites), np.int8) if every else None
        room = n_beta * chains * n_sites <= MAX_FINAL_SPINS and disorder * n_beta * chains * n_sites <= 8 * MAX_FINAL_SPINS
        self.last = np.empty((*block, n_sites), np.int8) if room else None

    def store(self, index: int, unit: Unit, done: int, final: bool) -> None:
        if self.some is not None and done % self.every == 0:
            for b, first, spins in unit.configurations():
                self.some[index, b, first : first + len(spins), done // self.every - 1] = spins
        if final and self.last is not None:
            for b, first, spins in unit.configurations():
                self.last[index, b, first : first + len(spins)] = spins


def _drive(
    units: list[tuple[int, Unit]],
    results: list[Arrays],
    schedule: Schedule,
    kept: _Kept,
    progress: bool,
    threads: int | None,
) -> None:
    """Run all units on a thread pool; Ctrl-C stops them within a fraction of a second."""
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be >= 1, got {threads}")
    workers = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or os.cpu_count()
    stop = threading.Event()
    lock = threading.Lock()
    total = len(units) * schedule.sweeps
    with tqdm(total=total, disable=not progress, unit="sweep", unit_scale=True, desc="sampling", leave=False) as bar:

        def advance(n: int) -> None:
            with lock:
                bar.update(n)

        def work(index: int, unit: Unit) -> None:
            for n in _chunks(schedule.warmup, schedule.warmup if unit.whole_warm_up else 0, stop):
                unit.warm_up(n)
                advance(n)
            done = 0
            for n in _chunks(schedule.draws, kept.every, stop):
                unit.draw(results[index], done, done + n, schedule.thin)
                done += n
                kept.store(index, unit, done, done == schedule.draws)
                advance(n * schedule.thin)

        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(work, index, unit) for index, unit in units]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise


def _chunks(total: int, fixed: int, stop: threading.Event) -> Iterable[int]:
    """Split a run into pieces of about 0.1 s (or of a fixed length), so that progress shows and Ctrl-C works."""
    done, size = 0, fixed or 8
    while done < total and not stop.is_set():
        n = min(size, total - done)
        started = time.perf_counter()
        yield n
        done += n
        if not fixed and time.perf_counter() - started < 0.1:
            size *= 2


def _dataset(
    models: Sequence[IsingModel],
    betas: NDArray[np.float64],
    results: list[Arrays],
    kept: _Kept,
    schedule: Schedule,
    attrs: dict[str, Any],
    squeeze: bool,
) -> xr.Dataset:
    lead = () if squeeze else ("disorder",)

    def stack(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return arrays[0] if squeeze else np.stack(arrays)

    data = xr.Dataset(coords={"beta": ("beta", betas, {"long_name": "inverse temperature", "units": "1/J"})})
    for name in results[0]:
        dims = (*lead, "beta", "pair" if name in PAIR_OBSERVABLES else "chain", "draw")
        long_name, units, formula = VARIABLES[name]
        info = {"long_name": long_name, "units": units, "formula": formula}
        data[name] = (dims, stack([arrays[name] for arrays in results]), info)
    if kept.some is not None:
        dims = (*lead, "beta", "chain", "configuration", "site")
        data["configurations"] = (dims, stack(list(kept.some)), {"long_name": "spins of every k-th draw", "units": "1"})
        data = data.assign_coords(configuration=kept.draws)
    if kept.last is not None:
        dims = (*lead, "beta", "chain", "site")
        data["spins"] = (dims, stack(list(kept.last)), {"long_name": "final spins", "units": "1"})
    lattice, first = models[0].lattice, models[0]
    momentum = lattice.momentum.magnitude if lattice.momentum else float("nan")
    data = data.assign_coords(n_sites=lattice.n_sites, momentum=momentum)
    data.momentum.attrs = {"long_name": "2 sin(k_min / 2)", "units": "1/bond"}
    return data.assign_attrs(_provenance(first, schedule), **attrs)


def _provenance(model: IsingModel, schedule: Schedule) -> dict[str, Any]:
    lattice = model.lattice
    facts = {f"lattice_{key}": value for key, value in lattice.attrs.items()}
    return {
        "model": model.name,
        "lattice": lattice.name,
        "dimension": "unknown" if lattice.dimension is None else lattice.dimension,
        **facts,
        **{f"model_{key}": value for key, value in model.attrs.items()},
        "warmup": schedule.warmup,
        "draws": schedule.draws,
        "thin": schedule.thin,
        "ceas_physics_version": version("ceas-physics"),
        "numpy_version": np.__version__,
        "numba_version": numba.__version__,
        "python_version": platform.python_version(),
    }
