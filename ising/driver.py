"""Runs work units on a thread pool, with progress and a clean stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .arguments import as_flag
from .engine import Unit
from .integers import as_integer
from .observables import Arrays
from .schedule import Schedule

MAX_FINAL_SPINS = 10**7


class Kept:
    """The configurations a run keeps: every k-th draw, and the last if there is room."""

    def __init__(self, disorder: int, n_beta: int, chains: int, n_sites: int, draws: int, every: int) -> None:
        self.every, self.n_realisations = every, disorder
        block = (disorder, n_beta, chains)
        self.draws = np.arange(every - 1, draws, every) if every else np.empty(0, int)
        self.some = np.empty((*block, self.draws.size, n_sites), np.int8) if every else None
        room = disorder * n_beta * chains * n_sites <= MAX_FINAL_SPINS
        self.last = np.empty((*block, n_sites), np.int8) if room else None

    def store(self, index: int | slice, unit: Unit, done: int, final: bool) -> None:
        """Copy the present spins of a unit if draw number `done` is one to keep."""
        if self.some is not None and done % self.every == 0:
            for b, first, spins in unit.configurations():
                self.some[index, b, first : first + spins.shape[-2], done // self.every - 1] = self._real(index, spins)
        if final and self.last is not None:
            for b, first, spins in unit.configurations():
                self.last[index, b, first : first + spins.shape[-2]] = self._real(index, spins)

    def _real(self, index: int | slice, spins: NDArray[np.int8]) -> NDArray[np.int8]:
        """Lanes without a realisation are left out."""
        return spins[: self.n_realisations - index.start] if isinstance(index, slice) else spins


def drive(
    units: list[tuple[int | slice, Unit]],
    results: list[Arrays],
    schedule: Schedule,
    kept: Kept,
    progress: bool,
    threads: int | None,
) -> None:
    """Carry every unit through its warm-up and draws; Ctrl-C stops them within a fraction of a second."""

    def work(index: int | slice, unit: Unit) -> Iterator[int]:
        for n in chunks(0, schedule.warmup):
            unit.warm_up(n)
            yield n
        done = 0
        for n in chunks(0, schedule.draws, kept.every):
            unit.draw(results[index], done, done + n, schedule.thin)
            done += n
            kept.store(index, unit, done, done == schedule.draws)
            yield n * schedule.thin

    works = [work(index, unit) for index, unit in units]
    run_on_threads(works, len(units) * schedule.sweeps, "sweep", progress, threads)


def run_on_threads(
    works: Iterable[Iterator[int]], total: int, unit: str, progress: bool, threads: int | None, initial: int = 0
) -> None:
    """Exhaust iterators on a thread pool; each yields the progress made since its last yield.

    Ctrl-C or an error in one of them stops all at their next yield.
    """
    workers, progress = n_threads(threads), as_flag("progress", progress)
    stop, lock = threading.Event(), threading.Lock()
    look = {"disable": not progress, "unit": unit, "unit_scale": True, "desc": "sampling", "leave": False}
    with tqdm(total=total, initial=initial, **look) as bar:

        def work(steps: Iterator[int]) -> None:
            if stop.is_set():
                return
            for n in steps:
                with lock:
                    bar.update(n)
                if stop.is_set():
                    return

        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(work, steps) for steps in works]
            try:
                for job in wait(jobs, return_when=FIRST_EXCEPTION).done:
                    job.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise


def n_threads(threads: int | None) -> int:
    """Threads asked for, checked; by default one for every core we may use."""
    if threads is not None:
        return as_integer("threads", threads, 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(done: int, total: int, stops: int = 0) -> Iterator[int]:
    """Split a run into pieces of about 0.1 s, so that progress shows and Ctrl-C works, ending also at all `stops`."""
    size = 1
    while done < total:
        n = min(size, total - done, stops - done % stops if stops else size)
        started = time.perf_counter()
        yield n
        done += n
        if n == size and time.perf_counter() - started < 0.1:
            size *= 2
