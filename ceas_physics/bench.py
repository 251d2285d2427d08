"""Speed, memory and start-up against their targets: `ceas bench`, a benchmark and not a timed test.

Every side runs end to end and warm, about a second at a time, in turn; figures are medians [lowest .. highest].
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import ising

from . import footprint, peers
from .peers import Job

ROUNDS = 5
SECONDS = 1.1  # of work a side and round
OURS = "updates/ns"
MARKS = ("<!-- bench -->", "<!-- /bench -->")


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    work, target
        What is done and what should be reached.
    ours
        Seed -> job; a job runs a number of sweeps and returns the number of site updates.
    others
        The same for every peer that can do this work.
    same_sweeps
        Whether peers run our number of sweeps (an annealing schedule is as long as it is) or their own second.
    remark
        Something to print after the name of the work, called after the timing.
    """

    work: str
    target: str
    ours: Callable[[int], Job]
    others: Mapping[str, Callable[[int], Job]] = field(default_factory=dict)
    same_sweeps: bool = False
    remark: Callable[[], str] | None = None


def sampling(model: ising.IsingModel, beta: Any, chains: int | None, update: str = "heat_bath", **options: Any) -> Job:
    """`ising.sample` on one thread (unless told otherwise) with energy and magnetization at every sweep."""
    arguments: dict[str, Any] = {"observables": ("energy", "magnetization"), "threads": 1, "progress": False} | options

    def job(sweeps: int) -> float:
        data = ising.sample(model, beta, ising.Schedule(0, sweeps), update, chains, **arguments)
        return float(model.lattice.n_sites * data.sizes["beta"] * data.sizes["chain"] * sweeps)

    return job


def square_cases() -> list[Case]:
    """Square lattices at the critical point: spins or chains in the bits of a word, and Swendsen-Wang."""
    beta = ising.exact.SQUARE_CRITICAL_BETA

    def case(L: int, chains: int | None, update: str, algorithm: str, text: str, target: str) -> Case:
        model = ising.ferromagnet(ising.square(L))
        return Case(
            f"square {L}, {text}", target, lambda seed: sampling(model, beta, chains, update, seed=seed),
            {"mcising": lambda seed: peers.mcising_square(L, beta, seed, algorithm)},
        )  # fmt: skip

    one = [case(L, 1, "heat_bath", "metropolis", "1 chain", ">= 6; >= 40 x mcising") for L in (1024, 2048, 4096)]
    many = [case(L, 64, "heat_bath", "metropolis", "64 chains", ">= 4") for L in (64, 256)]
    clusters = [
        case(L, None, "swendsen_wang", "swendsen_wang", "Swendsen-Wang at T_c", ">= 0.10; >= 2.5 x mcising")
        for L in (128, 512)
    ]
    return one + many + clusters


def graph_cases() -> list[Case]:
    """Graphs without a row to run along, each at the Bethe lattice's artanh(1 / (degree - 1))."""
    lattices = [ising.closed_hyperbolic(p, q, n_sites=n) for p, q, n in ((7, 3, 4060), (3, 7, 1740), (5, 4, 1710))]
    lattices += [ising.random_regular(4096, degree, seed=1) for degree in (3, 8)]
    names = ("closed {7,3} 4060", "closed {3,7} 1740", "closed {5,4} 1710", "random 3-regular 4096",
             "random 8-regular 4096")  # fmt: skip

    def case(name: str, lattice: ising.Lattice, chains: int, target: str) -> Case:
        model, beta = ising.ferromagnet(lattice), float(np.arctanh(1 / (lattice.degree.max() - 1)))
        return Case(f"{name}, {chains} chains", target, lambda seed: sampling(model, beta, chains, seed=seed))

    amounts = ((512, ">= 3"), (64, ">= 1.5"))
    return [case(name, lattice, *amount) for name, lattice in zip(names, lattices) for amount in amounts]


GLASS_BETAS = (1 / np.linspace(2.4, 0.8, 16)).tolist()  # T_g is about 1.1
GLASS_OPTIONS: dict[str, Any] = {"exchange": True, "observables": ("energy", "magnetization", "overlap")}


def glass_cases() -> list[Case]:
    """Cubic +-J glass, 16 temperatures with exchange after every sweep and overlaps, with and without cluster moves."""

    def case(L: int, every: int, peer_every: int, target: str) -> Case:
        model = ising.edwards_anderson(ising.cubic(L), seed=1)
        options = GLASS_OPTIONS | {"isoenergetic": every}
        moves = f", isoenergetic every {every}" if every > 1 else ", isoenergetic every sweep" if every else ""
        return Case(
            f"cubic +-J glass {L}, 16 beta with exchange, 64 chains{moves}", target,
            lambda seed: sampling(model, GLASS_BETAS, 64, seed=seed, **options),
            {"peapods": lambda seed: peers.peapods_glass(L, GLASS_BETAS, seed, peer_every)},
        )  # fmt: skip

    plain = [case(L, 0, 0, ">= 2.5; >= 40 x peapods") for L in (8, 10)]
    return plain + [case(L, every, every, "-") for L in (8, 10) for every in (1, 10)]


READS, LAST_BETA = 64, 3.0


def annealing_cases() -> list[Case]:
    """Gaussian Sherrington-Kirkpatrick glass of 512 sites: 64 reads of an annealing schedule, and of T = 1."""
    model = ising.sherrington_kirkpatrick(512, seed=1)

    def case(text: str, last_beta: float | None) -> Case:
        return Case(
            f"SK Gaussian 512, 64 reads, {text}", ">= 3 x dwave-samplers",
            lambda seed: lambda sweeps: _anneal(model, last_beta, seed, sweeps)[0],
            {
                "dwave-samplers": lambda seed: peers.dwave_glass(model, READS, last_beta, seed),
                "openjij": lambda seed: peers.openjij_glass(model, READS, last_beta, seed),
            },
            same_sweeps=True,
            remark=lambda: f"acceptance {np.divide(*_anneal(model, last_beta, 0, 400)[::-1]):.1%}",
        )  # fmt: skip

    return [case("beta = 0.1 .. 3 geometric", LAST_BETA), case("T = 1", None)]


def _anneal(model: ising.IsingModel, last_beta: float | None, seed: int, sweeps: int) -> tuple[float, float]:
    """(attempts, flips) of a Metropolis anneal, tables and initial states included."""
    from ising.fields import field_units

    betas = np.ones(sweeps) if last_beta is None else np.geomspace(0.1, last_beta, sweeps)
    units = field_units(model, betas[-1:], READS, "metropolis", seed, 0, "random")
    flips = sum(unit.anneal(betas) for unit in units)
    return float(model.lattice.n_sites * READS * sweeps), float(flips)


def thread_cases() -> list[Case]:
    """Two threads against one; the "peer" is our own single thread."""
    square, glass = ising.ferromagnet(ising.square(256)), ising.edwards_anderson(ising.cubic(8), seed=1)
    critical = ising.exact.SQUARE_CRITICAL_BETA

    def case(text: str, model: ising.IsingModel, beta: Any, chains: int, **options: Any) -> Case:
        return Case(
            text, ">= 1.9 x", lambda seed: sampling(model, beta, chains, seed=seed, threads=2, **options),
            {"one core": lambda seed: sampling(model, beta, chains, seed=seed, **options)}, same_sweeps=True,
        )  # fmt: skip

    return [
        case("two cores against one: square 256, 512 chains", square, critical, 512),
        case("two cores against one: glass 8 with exchange, 128 chains", glass, GLASS_BETAS, 128, **GLASS_OPTIONS),
    ]


def run(seed: int = 0, progress: bool = True, with_peers: bool = False) -> str:
    """Measure everything and return Markdown: speeds on one core, two cores, memory, start-up.

    Parameters
    ----------
    seed
        Of the sampling; the models are always the same.
    progress
        Show progress bars.
    with_peers
        Also run mcising, peapods, dwave-samplers and openjij where they are importable; the others are named.
    """
    found = peers.available() if with_peers else {}
    cases = square_cases() + graph_cases() + glass_cases() + annealing_cases()
    lines = [f"{machine()}; median of {ROUNDS} rounds [lowest .. highest]", ""]
    lines += [f"One core (`threads=1`), end to end, at least {SECONDS:.0f} second of work a round.", ""]
    lines += table(cases, measure(cases, found, seed, progress), found)
    if with_peers:
        lines += ["", peer_line(found)]
    lines += ["", "| work | measured | target |", "|---|---|---|"]
    lines += two_cores(seed, progress) + footprint.rows(progress)
    return "\n".join(lines)


def measure(
    cases: Sequence[Case], found: Mapping[str, str], seed: int, progress: bool, rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> list[dict[str, list[float]]]:  # fmt: skip
    """Speeds in updates/ns of every side of every case, name of the side -> one number a round; ours comes first."""
    with tqdm(total=len(cases) * (rounds + 1), desc="bench", disable=not progress, leave=False) as bar:
        prepared = []
        for case in cases:
            sides = {OURS: case.ours(seed)}
            sides |= {name: make(seed) for name, make in case.others.items() if name in found}
            sweeps = dict.fromkeys(sides, sweeps_for(sides[OURS], seconds))
            if not case.same_sweeps:
                sweeps |= {name: sweeps_for(job, seconds) for name, job in sides.items() if name != OURS}
            prepared.append((sides, sweeps, {name: list[float]() for name in sides}))
            bar.update()
        for _ in range(rounds):
            for sides, sweeps, speeds in prepared:
                for name, job in sides.items():
                    spent, updates = timed(job, sweeps[name])
                    speeds[name].append(updates / spent / 1e9)
                bar.update()
    return [speeds for _, _, speeds in prepared]


def timed(job: Job, sweeps: int, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """(seconds, site updates) of a run."""
    started = clock()
    updates = job(sweeps)
    return clock() - started, updates


def sweeps_for(job: Job, seconds: float, clock: Callable[[], float] = time.perf_counter) -> int:
    """Number of sweeps that takes about so long, found on a warm job."""
    job(1)
    sweeps = 1
    while (spent := timed(job, sweeps, clock)[0]) < seconds / 4:
        sweeps *= max(2, min(64, int(seconds / 2 / spent)))
    return max(1, math.ceil(sweeps * seconds / spent))


def table(cases: Sequence[Case], speeds: Sequence[dict[str, list[float]]], found: Mapping[str, str]) -> list[str]:
    """Lines of a Markdown table; a column of ratios, round by round, for every peer."""
    columns = [f"ours / {name}" for name in found]
    lines = ["| " + " | ".join(["work", OURS, "target", *columns]) + " |", "|---" * (3 + len(columns)) + "|"]
    for case, sides in zip(cases, speeds):
        work = f"{case.work} ({case.remark()})" if case.remark else case.work
        ratios = [f"{spread(ratio(sides, name))}; {np.median(sides[name]):.2g}/ns" if name in sides else ""
                  for name in found]  # fmt: skip
        lines.append("| " + " | ".join([work, spread(sides[OURS]), case.target, *ratios]) + " |")
    return lines


def ratio(sides: Mapping[str, Sequence[float]], name: str) -> list[float]:
    """Ours over a peer's, one number a round."""
    return [ours / other for ours, other in zip(sides[OURS], sides[name])]


def spread(values: Sequence[float]) -> str:
    """Median and extremes."""
    return f"{np.median(values):.3g} [{min(values):.3g} .. {max(values):.3g}]"


def peer_line(found: Mapping[str, str]) -> str:
    """Which peers ran and which are missing."""
    ran = ", ".join(f"{name} {number}" for name, number in found.items()) or "none"
    missing = [name for name in peers.MODULES if name not in found]
    return f"Peers: {ran}." + (f" Not installed: {', '.join(missing)}." if missing else "")


def two_cores(seed: int, progress: bool) -> list[str]:
    """Lines of the table: how much faster two threads are."""
    cases = thread_cases()
    if (os.cpu_count() or 1) < 2:
        return [f"| {case.work} | not measured: one core | {case.target} |" for case in cases]
    speeds = measure(cases, {"one core": ""}, seed, progress)
    return [
        f"| {case.work} (threads had {_cores_busy(case.ours(seed)):.2f} cores) "
        f"| {spread(ratio(sides, 'one core'))} x | {case.target} |"
        for case, sides in zip(cases, speeds)
    ]


def _cores_busy(job: Job) -> float:
    """Processor time over wall time: what the machine gave us, 2 if it was idle."""
    sweeps, started = sweeps_for(job, SECONDS), time.process_time()
    spent, _ = timed(job, sweeps)
    return (time.process_time() - started) / spent


def machine() -> str:
    """Processor and number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"
