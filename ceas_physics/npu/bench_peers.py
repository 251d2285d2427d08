"""Other annealers on the same instances, for `ceas bench anneal --peers`: imported if they are there, never installed.

The binary quadratic model or matrix is built before the clock starts, in the peer's favour; one thread each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ising import IsingModel

from .bench_instances import Instance
from .bench_solvers import LENGTHS, Run, Solver, Trial, timed

READS = 4  # of a call
TABU_SECONDS = 0.5  # of a read
AGENTS = 64

PEER_NAMES = ("dwave-samplers SA", "dwave-samplers tabu", "openjij SA", "simulated-bifurcation")
MODULES = {"dwave-samplers": "dwave.samplers", "openjij": "openjij", "simulated-bifurcation": "simulated_bifurcation"}


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


def peer_solvers(found: dict[str, str]) -> list[Solver]:
    """The solvers of the packages found."""
    made: list[Solver] = []
    if "dwave-samplers" in found:
        made += [Solver(PEER_NAMES[0], _dwave_annealing), Solver(PEER_NAMES[1], _dwave_tabu)]
    if "openjij" in found:
        made.append(Solver(PEER_NAMES[2], _openjij))
    if "simulated-bifurcation" in found:
        made.append(Solver(PEER_NAMES[3], _simulated_bifurcation))
    return made


def _dwave_annealing(instance: Instance) -> Run:
    """Its default range of beta, as many sweeps as our p-bits."""
    sampler = import_module("dwave.samplers").SimulatedAnnealingSampler()
    sweeps = LENGTHS[instance.family].p_bit
    return _reads(instance, lambda bqm, seed: sampler.sample(bqm, num_reads=READS, num_sweeps=sweeps, seed=seed))


def _dwave_tabu(instance: Instance) -> Run:
    """It restarts by itself until its time is over."""
    sampler = import_module("dwave.samplers").TabuSampler()
    timeout = round(1000 * TABU_SECONDS)
    return _reads(instance, lambda bqm, seed: sampler.sample(bqm, num_reads=1, timeout=timeout, seed=seed))


def _openjij(instance: Instance) -> Run:
    """Its default range of beta, as many sweeps as our p-bits."""
    sampler, sweeps = import_module("openjij").SASampler(), LENGTHS[instance.family].p_bit
    return _reads(instance, lambda bqm, seed: sampler.sample(bqm, num_reads=READS, num_sweeps=sweeps, seed=seed))


def _reads(instance: Instance, sample: Callable[[Any, int], Any]) -> Run:
    """A run for every read of a sampler with dimod's interface."""
    from .bqm import to_bqm

    bqm = to_bqm(instance.model)

    def run(seed: int) -> Trial:
        seconds, answer = timed(lambda: sample(bqm, seed))
        return Trial(seconds, np.repeat(answer.record.energy, answer.record.num_occurrences)[:, None])

    return run


def _simulated_bifurcation(instance: Instance) -> Run:
    """Discrete, its other settings as they come; the agents of a call are a run."""
    import torch

    minimize = import_module("simulated_bifurcation").minimize
    steps, matrix = LENGTHS[instance.family].steps, torch.from_numpy(quadratic_matrix(instance.model))
    settings: dict[str, Any] = {
        "agents": AGENTS, "max_steps": steps, "best_only": False, "mode": "discrete", "early_stopping": False,
        "verbose": False, "domain": "spin", "dtype": torch.float32,
    }  # fmt: skip

    def run(seed: int) -> Trial:
        torch.manual_seed(seed)
        with one_thread():
            seconds, (spins, _) = timed(lambda: minimize(matrix, **settings))
        return Trial(seconds, instance.model.energy(np.rint(spins.double().numpy()))[None])

    return run


def quadratic_matrix(model: IsingModel) -> NDArray[np.float64]:
    """M with energy s^T M s."""
    n = model.lattice.n_sites
    matrix = np.zeros((n, n))
    first, second = model.lattice.bonds.T
    matrix[first, second] = matrix[second, first] = -0.5 * np.broadcast_to(model.couplings, model.lattice.n_bonds)
    return matrix


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
