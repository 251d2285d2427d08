"""Solvers of the benchmark: devices with schedules, and replica exchange; each makes a function seed -> trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ising
from ising import IsingModel
from ising.bit_tables import fits_bits

from .anneal import anneal, control_ends
from .bench_instances import Instance
from .couplings import Couplings, couplings_of
from .devices import Bifurcation, Device, Oscillator, PBit, SoftSpin
from .kernels_read import LANES
from .pilot import Pilot, measure
from .reading import make_reader
from .schedules import Corridor
from .sweeps import Sweeps


@dataclass(frozen=True, eq=False)
class Trial:
    """One call of a solver.

    Attributes
    ----------
    seconds
        Wall time of the call on one core.
    lowest
        (runs, members): the lowest total energies. Runs are independent; members of a run (the replicas of a word, the
        chains of a ladder) need not be.
    joules
        Energy that one member used by the energy model; NaN for solvers that are not devices.
    """

    seconds: float
    lowest: NDArray[np.float64]
    joules: float = np.nan


Run = Callable[[int], Trial]


@dataclass(frozen=True)
class Solver:
    """A name, and what makes the function seed -> `Trial` of an instance (outside the clock)."""

    name: str
    prepare: Callable[[Instance], Run]
    suits: Callable[[Instance], bool] = field(default=lambda instance: True)


@dataclass(frozen=True)
class Lengths:
    """Tuned lengths of a run by family: sweeps of p-bits, steps of continuous devices, sweeps of the exchange."""

    p_bit: int
    steps: int
    exchange: int
    coldest: float  # lowest temperature of the ladder over the root mean square local field
    hottest: float
    betas: int
    chains: int


LENGTHS = {
    "glass 2D torus": Lengths(3000, 4000, 600, 0.125, 0.8, 12, 64),
    "glass 2D, one free direction": Lengths(3000, 4000, 600, 0.125, 0.8, 12, 64),
    "glass 3D": Lengths(30000, 4000, 3000, 0.16, 0.65, 12, 64),
    "SK Gaussian": Lengths(600, 400, 1000, 0.2, 1.2, 16, 8),
    "G-set": Lengths(3000, 8000, 600, 0.22, 0.8, 24, 2),
}  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(wall seconds, value) of a call."""
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


def device(name: str, chip: Device, schedule: str) -> Solver:
    """A device with a schedule; 64 replicas on one thread are a run."""

    def prepare(instance: Instance) -> Run:
        lengths = LENGTHS[instance.family]
        sweeps = lengths.p_bit if isinstance(chip, PBit) else lengths.steps
        path = resolve(instance.model, chip, schedule)

        def run(seed: int) -> Trial:
            options: dict[str, Any] = {"sweeps": sweeps, "progress": False, "threads": 1}
            seconds, data = timed(lambda: anneal(instance.model, chip, path, LANES, seed, **options))
            return Trial(seconds, data.best_energy.values[None], float(data.energy_used[-1].mean()))

        return run

    return Solver(f"{name}, {schedule}", prepare)


def resolve(model: IsingModel, chip: Device, schedule: str) -> Any:
    """The schedule with what a pilot run of p-bits measures, so that the pilot is made once and not in every run."""
    if schedule not in ("thermodynamic", "corridor"):
        return schedule
    pilot = pilot_of(model, chip)
    if schedule == "thermodynamic":
        return pilot.constant_speed()
    beta_c = pilot.specific_heat_peak
    entropy_c = float(np.interp(np.log(beta_c), np.log(pilot.beta), pilot.entropy))
    return Corridor(beta_c=beta_c, entropy_c=entropy_c)


def pilot_of(model: IsingModel, chip: Device, seed: int = 0) -> Pilot:
    """Energy fluctuations and entropy of 64 p-bits between the default ends of beta, as `Thermodynamic()` asks."""
    settings = Corridor()
    ends = control_ends(chip, couplings_of(model))
    unit = Sweeps(model, make_reader(model, 0.0, None), seed, 0, settings.pilot, ends[1])
    unit.restart(0)
    return measure(unit, ends, settings.points, settings.pilot, 1)


def ladder(lengths: Lengths, couplings: Couplings) -> NDArray[np.float64]:
    """Increasing betas, temperatures equally spaced."""
    temperatures = np.linspace(lengths.hottest, lengths.coldest, lengths.betas) * couplings.scale
    return np.asarray(1.0 / temperatures)


def replica_exchange(isoenergetic: int = 0) -> Solver:
    """Replica exchange, with Houdayer's isoenergetic cluster moves every so many sweeps if not 0.

    A run is a word of 64 chains where couplings are +-J (the chains do not interact but for the pairs of Houdayer's
    move), else a few chains. The energies of all sweeps and betas are looked at.
    """

    def prepare(instance: Instance) -> Run:
        lengths, model = LENGTHS[instance.family], instance.model
        betas, schedule = ladder(lengths, couplings_of(model)), ising.Schedule(0, lengths.exchange)
        options: dict[str, Any] = {
            "chains": lengths.chains, "exchange": True, "isoenergetic": isoenergetic, "observables": ["energy"],
            "progress": False, "threads": 1,
        }  # fmt: skip

        def run(seed: int) -> Trial:
            seconds, data = timed(lambda: ising.sample(model, betas, schedule, seed=seed, **options))
            return Trial(seconds, model.lattice.n_sites * data.energy.min(["beta", "draw"]).values[None])

        return run

    if isoenergetic:
        return Solver("replica exchange, isoenergetic", prepare, lambda instance: fits_bits(instance.model))
    return Solver("replica exchange", prepare)


def solvers() -> list[Solver]:
    """Ours."""
    sweeping = PBit(clock="sweep")
    return [
        device("p-bit", sweeping, "geometric"),
        device("p-bit", sweeping, "linear"),
        device("p-bit", sweeping, "thermodynamic"),
        device("p-bit", sweeping, "corridor"),
        device("p-bit, Poisson clocks", PBit(), "geometric"),
        device("soft spin", SoftSpin(), "linear"),
        device("oscillator", Oscillator(), "linear"),
        device("bifurcation", Bifurcation(), "linear"),
        replica_exchange(),
        replica_exchange(isoenergetic=10),
    ]
