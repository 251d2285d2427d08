"""Runs work units on a thread pool, with progress and a clean stop."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .arguments import as_flag
from .engine import Unit
from .integers import as_integer
from .observables import Arrays
from .schedule import Schedule

MAX_FINAL_SPINS = 10**7
SLICE = 0.1  # seconds of work between two looks at the stop sign
PATIENCE = 0.5  # seconds that Ctrl-C waits for the slice under way


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
        for stride in strides(schedule, every=kept.every):
            unit.draw(results[index], stride.first, stride.first + stride.draws, stride.sweeps)
            if stride.whole:
                done = stride.first + stride.draws
                kept.store(index, unit, done, done == schedule.draws)
            yield stride.draws * stride.sweeps

    works = [work(index, unit) for index, unit in units]
    run_on_threads(works, len(units) * schedule.sweeps, "sweep", progress, threads)


def run_on_threads(
    works: Iterable[Iterator[int]], total: int, unit: str, progress: bool, threads: int | None, initial: int = 0
) -> None:
    """Exhaust iterators on threads; each yields the progress made since its last yield.

    Ctrl-C or an error in one of them stops all at their next yield. Ctrl-C waits for that `PATIENCE` seconds at most:
    a thread in the middle of a longer step is left behind and ends after it.
    """
    workers, progress = n_threads(threads), as_flag("progress", progress)
    waiting, stop, lock = deque(works), threading.Event(), threading.Lock()
    errors: list[BaseException] = []
    look = {"disable": not progress, "unit": unit, "unit_scale": True, "desc": "sampling", "leave": False}
    with tqdm(total=total, initial=initial, **look) as bar:

        def exhaust(steps: Iterator[int]) -> None:
            for n in steps:
                if stop.is_set():
                    return
                with lock:
                    bar.update(n)

        def labour(ended: threading.Event) -> None:
            try:
                while waiting and not stop.is_set():
                    exhaust(waiting.popleft())
            except IndexError:  # another took the last one
                return
            except BaseException as error:
                errors.append(error)
                stop.set()
            finally:
                ended.set()

        crew = [threading.Event() for _ in range(min(workers, len(waiting)))]  # an interrupted join takes all as ended
        try:
            for ended in crew:
                threading.Thread(target=labour, args=(ended,), daemon=True).start()
            for ended in crew:
                ended.wait()
        except BaseException:
            stop.set()
            until = time.monotonic() + PATIENCE
            for ended in crew:
                ended.wait(max(0.0, until - time.monotonic()))
            raise
    if errors:
        raise errors[0]


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
        if n == size and time.perf_counter() - started < SLICE:
            size *= 2


@dataclass(frozen=True)
class Stride:
    """Some whole draws, or sweeps on the way to one.

    Attributes
    ----------
    first
        Number of the first draw.
    draws, sweeps
        So many draws of so many sweeps each; of a draw that is cut, 1 draw of fewer sweeps than `thin`.
    whole
        Whether draw first + draws - 1 is finished with it.
    """

    first: int
    draws: int
    sweeps: int
    whole: bool


def strides(schedule: Schedule, done: int = 0, swept: int = 0, every: int = 0) -> Iterator[Stride]:
    """The draws of a run from draw `done` and `swept` sweeps on, in pieces of about 0.1 s, as `chunks`.

    A draw whose sweeps take longer is cut: to draw it again and again, a part of the sweeps each time, leaves what the
    last part says. Pieces end also at all multiples of `every` draws.
    """
    size, thin = 1, schedule.thin
    while done < schedule.draws:
        if swept or size < thin:
            stride = Stride(done, 1, min(size, thin - swept), swept + min(size, thin - swept) == thin)
            full = stride.sweeps == size
        else:
            most = min(schedule.draws - done, every - done % every if every else schedule.draws)
            stride = Stride(done, min(size // thin, most), thin, True)
            full = stride.draws == size // thin
        started = time.perf_counter()
        yield stride
        swept = 0 if stride.whole else swept + stride.sweeps
        done += stride.draws if stride.whole else 0
        if full and time.perf_counter() - started < SLICE:
            size *= 2
