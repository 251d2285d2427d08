"""Other packages doing the same work, for `ceas bench --peers`: imported if they are there, never installed.

Each function returns a job: called with a number of sweeps it runs them and returns the number of site updates. What
can be built before (the lattice, the binary quadratic model) is built before, in the peer's favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

import ising

Job = Callable[[int], float]

MODULES = {"mcising": "mcising", "peapods": "peapods", "dwave-samplers": "dwave.samplers", "openjij": "openjij"}


def available() -> dict[str, str]:
    """Distribution name -> version of every peer that can be imported."""
    found = {}
    for name, module in MODULES.items():
        try:
            import_module(module)
            found[name] = version(name)
        except (ImportError, PackageNotFoundError):
            continue
    return found


def mcising_square(L: int, beta: float, seed: int, algorithm: str = "metropolis") -> Job:
    """One chain on a square torus; energy, magnetization (and what else it always measures) after every sweep."""
    simulation = import_module("mcising").IsingSimulation(L, 1.0, 0.0, 0.0, 0.0, seed, algorithm, "square")

    def job(sweeps: int) -> float:
        simulation.production_sweeps(sweeps, 1, temperature=1 / beta, store_configs=False)
        return float(L * L * sweeps)

    return job


def peapods_glass(L: int, betas: Sequence[float], seed: int, isoenergetic: int = 0) -> Job:
    """Two replicas of a cubic +-J glass, exchange after every sweep, overlaps; Houdayer moves every so many sweeps."""
    couplings = np.random.default_rng(seed).choice([-1.0, 1.0], (L, L, L, 3))
    model = import_module("peapods").Ising(
        (L, L, L), couplings=couplings, temperatures=1 / np.array(betas)[::-1], n_replicas=2
    )
    moves = {"overlap_cluster_update_interval": isoenergetic} if isoenergetic else {}

    def job(sweeps: int) -> float:
        with np.errstate(all="ignore"):  # its averages divide by zero in a run of one sweep
            model.sample(sweeps, sweep_mode="metropolis", pt_interval=1, sequential=True, warmup_ratio=0.0, **moves)
        return float(2 * len(betas) * L**3 * sweeps)

    return job


def dwave_glass(model: ising.IsingModel, reads: int, last_beta: float | None, seed: int) -> Job:
    """Annealing from beta = 0.1 to the last beta in geometric steps, or beta = 1 throughout if it is None."""
    sampler, quadratic = import_module("dwave.samplers").SimulatedAnnealingSampler(), _quadratic(model)

    def job(sweeps: int) -> float:
        schedule: dict[str, Any] = (
            {"beta_schedule_type": "custom", "beta_schedule": np.ones(sweeps)}
            if last_beta is None
            else {"beta_schedule_type": "geometric", "beta_range": (0.1, last_beta), "num_sweeps": sweeps}
        )
        sampler.sample(quadratic, num_reads=reads, seed=seed, **schedule)
        return float(model.lattice.n_sites * reads * sweeps)

    return job


def openjij_glass(model: ising.IsingModel, reads: int, last_beta: float | None, seed: int) -> Job:
    """As `dwave_glass`, by openjij's dense single-spin-flip annealer."""
    sampler, quadratic = import_module("openjij").SASampler(), _quadratic(model)

    def job(sweeps: int) -> float:
        schedule: dict[str, Any] = (
            {"schedule": [(1.0, sweeps)]}
            if last_beta is None
            else {"beta_min": 0.1, "beta_max": last_beta, "num_sweeps": sweeps}
        )
        sampler.sample(quadratic, num_reads=reads, seed=seed, sparse=False, **schedule)
        return float(model.lattice.n_sites * reads * sweeps)

    return job


def _quadratic(model: ising.IsingModel) -> Any:
    """The model in dimod's sign, E = + sum_ij J_ij s_i s_j."""
    first, second = model.lattice.bonds.T
    couplings = -np.broadcast_to(model.couplings, model.lattice.n_bonds)
    dimod = import_module("dimod")
    linear = np.zeros(model.lattice.n_sites)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(linear, (first, second, couplings), 0.0, "SPIN")
