"""How runs grow with workers, and what a store costs: `ceas bench scale`, a benchmark and not a timed test.

A worker that wants to run may have to wait for a core: the kernel counts both, so that workers are judged by the cores
they really had, on a machine with fewer cores than workers and on one that others use too.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import ising

from .bench import machine, spread, sweeps_for
from .peers import Job

WORKERS = (1, 2, 3, 4)
UNITS = 4  # of 64 chains, for every worker
THIN = 10
ROUNDS = 3
SECONDS, RUN_SECONDS = 5.0, 10.0  # of processor time: for every worker, and for a run with or without a store
MARKS = ("<!-- bench scale -->", "<!-- /bench scale -->")


@dataclass(frozen=True)
class Scaled:
    """One run on a cluster.

    Attributes
    ----------
    seconds
        Wall time.
    updates
        Site updates.
    ran, waited
        Seconds for which all workers together ran, and waited for a core.
    """

    seconds: float
    updates: float
    ran: float
    waited: float


@dataclass(frozen=True)
class Stored:
    """A run with and without a store.

    Attributes
    ----------
    work
        What is done.
    arguments
        Of `ising.sample`, without the schedule.
    thin
        Sweeps between draws.
    """

    work: str
    arguments: Mapping[str, Any]
    thin: int


@dataclass(frozen=True)
class Round:
    """One run without and one with a store.

    Attributes
    ----------
    plain, stored
        Wall time and processor time.
    size
        Bytes measured.
    """

    plain: tuple[float, float]
    stored: tuple[float, float]
    size: float


def run(seed: int = 0, progress: bool = True) -> str:
    """Measure and return Markdown: weak scaling over workers on this machine, and the overhead of the store.

    Raises
    ------
    ValueError
        Dask is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError("bench scale needs Dask, which is not installed: pip install 'ceas-physics[dask]'") from None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lines = [f"{machine()}; median of {ROUNDS} rounds in turn [lowest .. highest]", ""]
    lines += [f"Weak scaling: {UNITS} units of 64 chains (square 64, heat bath, every {THIN}th sweep stored) a worker, "
              f"on {cores} cores; efficiency against as many cores as the workers had.", ""]  # fmt: skip
    lines += weak_table(*weak(seed, progress), cores)
    text = f"The store: runs of about {RUN_SECONDS:.0f} s of processor time on one thread, with and without in turn."
    lines += ["", text, ""]
    return "\n".join(lines + store_table(store_cases(), stores(store_cases(), seed, progress)))


def weak(seed: int, progress: bool) -> tuple[float, dict[int, list[Scaled]]]:
    """Site updates of a second of one core without a cluster, and the runs of every number of workers."""
    model, beta = ising.ferromagnet(ising.square(64)), ising.exact.SQUARE_CRITICAL_BETA

    def alone(draws: int) -> float:
        _sample_square(model, beta, draws, 1, seed, threads=1)
        return 64.0 * UNITS * model.lattice.n_sites * draws * THIN

    draws = steps_for(alone, SECONDS)
    began = time.process_time()
    base = alone(draws) / (time.process_time() - began)
    found: dict[int, list[Scaled]] = {n: [] for n in WORKERS}
    with tqdm(total=ROUNDS * len(WORKERS), desc="workers", disable=not progress, leave=False) as bar:
        for _ in range(ROUNDS):
            for n in WORKERS:
                found[n].append(on_cluster(n, model, beta, draws, seed))
                bar.update()
    return base, found


def on_cluster(n: int, model: ising.IsingModel, beta: float, draws: int, seed: int) -> Scaled:
    """A run on so many workers of this machine, warm."""
    from distributed import Client, LocalCluster

    settings = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.ERROR}
    with LocalCluster(n_workers=n, **settings) as cluster, Client(cluster) as client:
        _sample_square(model, beta, 20, n, seed, client=client)
        before = client.run(thread_times)
        began = time.perf_counter()
        _sample_square(model, beta, draws, n, seed, client=client)
        seconds = time.perf_counter() - began
        after = client.run(thread_times)
    ran, waited = np.sum([busiest(before[worker], after[worker]) for worker in before], axis=0)
    return Scaled(seconds, model.lattice.n_sites * 64.0 * UNITS * n * draws * THIN, ran, waited)


def _sample_square(model: ising.IsingModel, beta: float, draws: int, n: int, seed: int, **where: Any) -> None:
    """The work of so many workers."""
    schedule, observables = ising.Schedule(0, draws, THIN), ("energy", "magnetization")
    ising.sample(model, beta, schedule, "heat_bath", 64 * UNITS * n, seed, observables=observables, progress=False,
                 **where)  # fmt: skip


def thread_times() -> dict[str, tuple[float, float]]:
    """Seconds for which each thread of this process ran, and waited for a core: Linux says."""
    times = {}
    for file in Path("/proc/self/task").glob("*/schedstat"):
        ran, waited, _ = map(int, file.read_text().split())
        times[file.parent.name] = (ran / 1e9, waited / 1e9)
    return times or {"all": (time.process_time(), 0.0)}


def busiest(before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """How long the thread that carries tasks, the one that ran most, ran and waited in between."""
    spent = [np.subtract(times, before.get(name, (0.0, 0.0))) for name, times in after.items()]
    ran, waited = max(spent, key=lambda one: one[0])
    return float(ran), float(waited)


def weak_table(base: float, found: Mapping[int, Sequence[Scaled]], cores: int) -> list[str]:
    """One line a number of workers."""
    lines = ["| workers | seconds | updates/ns | cores had | efficiency |", "|---" * 5 + "|"]
    for n, runs in found.items():
        had = [n * one.ran / (one.ran + one.waited) for one in runs]
        efficiency = [one.updates / one.seconds / (base * share) for one, share in zip(runs, had)]
        note = "" if n <= cores else f" (more than {cores} cores)"
        columns = [[one.seconds for one in runs], [one.updates / one.seconds / 1e9 for one in runs], had, efficiency]
        lines.append(f"| {n}{note} | " + " | ".join(spread(column) for column in columns) + " |")
    return lines


def store_cases() -> list[Stored]:
    """An ordinary run, and one that stores the most bytes a second."""
    square, critical = ising.ferromagnet(ising.square(64)), ising.exact.SQUARE_CRITICAL_BETA
    glass = ising.edwards_anderson(ising.cubic(8), seed=1)
    ladder = (1 / np.linspace(2.4, 0.8, 16)).tolist()
    return [
        Stored("square 64, Swendsen-Wang, 8 chains, every sweep",
               {"model": square, "beta": critical, "update": "swendsen_wang"}, 1),
        Stored("cubic +-J glass 8, 16 beta with exchange, 64 chains, every 10th sweep",
               {"model": glass, "beta": ladder, "chains": 64, "exchange": True}, 10),
        Stored("square 64, heat bath, 64 chains, every 10th sweep",
               {"model": square, "beta": critical, "update": "heat_bath", "chains": 64}, 10),
        Stored("square 64, heat bath, 64 chains, every sweep",
               {"model": square, "beta": critical, "update": "heat_bath", "chains": 64}, 1),
    ]  # fmt: skip


def stores(cases: Sequence[Stored], seed: int, progress: bool) -> list[list[Round]]:
    """The rounds of every case."""
    found = []
    with tqdm(total=ROUNDS * len(cases), desc="store", disable=not progress, leave=False) as bar:
        for case in cases:
            draws, rounds = steps_for(partial(_sample, case, seed, None), RUN_SECONDS), []
            for _ in range(ROUNDS):
                plain, size = _timed(partial(_sample, case, seed, None), draws)
                with tempfile.TemporaryDirectory() as folder:
                    stored, _ = _timed(partial(_sample, case, seed, Path(folder) / "run"), draws)
                rounds.append(Round(plain, stored, size))
                bar.update()
            found.append(rounds)
    return found


def steps_for(job: Job, seconds: float) -> int:
    """Number of steps that takes about so much processor time, also where others use the machine."""
    steps = sweeps_for(job, seconds / 10)
    spent, _ = _timed(job, steps)
    return max(1, round(steps * seconds / spent[1]))


def _timed(job: Job, steps: int) -> tuple[tuple[float, float], float]:
    """((wall time, processor time), what the job counts)."""
    began, own = time.perf_counter(), time.process_time()
    count = job(steps)
    return (time.perf_counter() - began, time.process_time() - own), count


def _sample(case: Stored, seed: int, store: Path | None, draws: int) -> float:
    """Bytes that a run on one thread measures."""
    schedule = ising.Schedule(0, draws, case.thin)
    with ising.sample(**case.arguments, schedule=schedule, seed=seed, threads=1, progress=False, store=store) as data:
        return float(data.nbytes)


def store_table(cases: Sequence[Stored], found: Sequence[Sequence[Round]]) -> list[str]:
    """One line a case."""
    head = ("run", "processor time in memory", "MB/s measured", "a store adds: processor time", "wall time", "target")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for case, rounds in zip(cases, found, strict=True):
        plain = statistics.median(one.plain[1] for one in rounds)
        more = [[100 * (one.stored[k] / one.plain[k] - 1) for one in rounds] for k in (1, 0)]
        added = " | ".join(f"{statistics.median(one):+.1f} % [{min(one):+.1f} .. {max(one):+.1f}]" for one in more)
        lines.append(f"| {case.work} | {plain:.1f} s | {rounds[0].size / plain / 1e6:.1f} | {added} | < 5 % |")
    return lines
