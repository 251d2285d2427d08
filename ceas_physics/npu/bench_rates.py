"""Raw speed of the devices, end to end through `anneal`: spin events of p-bits, steps of the continuous devices."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

import ising
from ising import IsingModel

from ..bench import Case, measure, table
from ..peers import Job
from .anneal import anneal
from .bench_instances import Instance
from .bench_peers import AGENTS, one_thread, quadratic_matrix
from .devices import Bifurcation, Device, Oscillator, PBit, SoftSpin
from .kernels_read import LANES

BETA = 0.5  # of p-bits, where spins of the lattices below still flip
PEER = "simulated-bifurcation"
CUT_SECONDS, CUT_RUNS, CUT_SWEEPS = 30.0, 10, 4000


def rates(found: Mapping[str, str], seed: int = 0, progress: bool = True) -> list[str]:
    """Lines of a table: updates/ns of one core, and ratios to simulated-bifurcation where it is installed."""
    peers = {name: number for name, number in found.items() if name == PEER}
    cases = p_bit_cases() + continuous_cases()
    return table(cases, measure(cases, peers, seed, progress), peers)


def p_bit_cases() -> list[Case]:
    """P-bits of degrees 4 to 7 in random order, by Poisson clocks and in a fixed order."""
    uniform = {
        "square 64": ising.ferromagnet(ising.square(64)),
        "closed {3,7} 1740": ising.ferromagnet(ising.closed_hyperbolic(3, 7, n_sites=1740)),
    }
    glasses = {
        f"cubic glass 10, {kind}": ising.edwards_anderson(ising.cubic(10), 1, kind) for kind in ("bimodal", "gaussian")
    }

    def case(name: str, model: IsingModel, clock: str) -> Case:
        target = ">= 0.1" if "gaussian" in name else ">= 1"
        return Case(f"p-bit, {clock}: {name}", target, lambda seed: _job(model, PBit(clock), BETA, seed))

    clocks = ("random", "poisson", "sweep")
    return [case(name, model, clock) for name, model in (uniform | glasses).items() for clock in clocks]


def continuous_cases() -> list[Case]:
    """Soft spins, oscillators and bifurcations on a random graph with the spins and bonds of G22."""
    model = random_graph(2000, 19_990)
    chips: dict[str, Device] = {
        "soft spin": SoftSpin(), "oscillator": Oscillator(), "bifurcation, ballistic": Bifurcation("ballistic"),
        "bifurcation, discrete": Bifurcation(),
    }  # fmt: skip

    def case(name: str, chip: Device) -> Case:
        mode = "ballistic" if "ballistic" in name else "discrete"
        return Case(
            f"{name}: random graph, 2000 spins, 19990 bonds", f">= 3 x {PEER}",
            lambda seed: _job(model, chip, "linear", seed), {PEER: lambda seed: _peer(model, mode, seed)},
            same_sweeps=True,
        )  # fmt: skip

    return [case(name, chip) for name, chip in chips.items()]


def random_graph(n_sites: int, n_bonds: int, seed: int = 1) -> IsingModel:
    """Max-Cut on a random graph: couplings -1 on bonds drawn without replacement."""
    first, second = np.triu_indices(n_sites, 1)
    chosen = np.sort(np.random.default_rng(seed).choice(len(first), n_bonds, replace=False))
    lattice = ising.from_bonds(n_sites, np.column_stack([first[chosen], second[chosen]]))
    return ising.ferromagnet(lattice, J=-1.0)


def _job(model: IsingModel, chip: Device, control: Any, seed: int) -> Job:
    schedule = np.full(2, control) if isinstance(control, float) else control

    def job(sweeps: int) -> float:
        anneal(model, chip, schedule, LANES, seed, progress=False, sweeps=sweeps, threads=1)
        return float(model.lattice.n_sites * LANES * sweeps)

    return job


def _peer(model: IsingModel, mode: str, seed: int) -> Job:
    torch = import_module("torch")
    minimize = import_module("simulated_bifurcation").minimize
    matrix = torch.from_numpy(quadratic_matrix(model))
    settings: dict[str, Any] = {
        "agents": AGENTS, "mode": mode, "early_stopping": False, "verbose": False, "domain": "spin",
        "dtype": torch.float32,
    }  # fmt: skip

    def job(sweeps: int) -> float:
        torch.manual_seed(seed)
        with one_thread():
            minimize(matrix, max_steps=sweeps, **settings)
        return float(model.lattice.n_sites * AGENTS * sweeps)

    return job


def timed_cuts(instance: Instance, seed: int = 0, progress: bool = True) -> str:
    """A line: the cuts that runs of equal wall time on one core end with, and the time at which they were found."""
    weight, cuts, seconds = float(instance.model.attrs["total_weight"]), [], []
    for run in range(CUT_RUNS):
        started = time.perf_counter()
        result = anneal(
            instance.model, Bifurcation(), "linear", LANES, seed + run, CUT_SECONDS, instance.target, progress,
            sweeps=CUT_SWEEPS, threads=1,
        )  # fmt: skip
        seconds.append(time.perf_counter() - started)
        cuts.append(0.5 * (weight - result.best_energy.values.min()))
    found = ", ".join(f"{cut:.0f} ({spent:.1f} s)" for cut, spent in zip(cuts, seconds))
    return (
        f"{instance.name}, {CUT_RUNS} runs of at most {CUT_SECONDS:g} s, bifurcation (64 replicas, anneals of "
        f"{CUT_SWEEPS} steps repeated): median cut {np.median(cuts):.0f}, lowest {min(cuts):.0f}; {found}."
    )
