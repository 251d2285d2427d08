"""What methods made of independent runs share: checks, threads, jackknife errors, provenance."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .dataset import _provenance
from .model import IsingModel
from .schedule import Schedule

Average = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def check_arguments(model: IsingModel, **counts: tuple[int, int]) -> None:
    """One IsingModel, and integers not below their least value: name=(value, least)."""
    if not isinstance(model, IsingModel):
        raise ValueError(f"model must be one IsingModel, got {type(model).__name__}")
    for name, (value, least) in counts.items():
        check_count(name, value, least)


def check_count(name: str, value: Any, least: int) -> None:
    """An integer not below `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")


def provenance(model: IsingModel) -> dict[str, Any]:
    """The attributes of `sample` less those of its schedule."""
    facts = _provenance(model, Schedule())
    return {name: fact for name, fact in facts.items() if name not in ("warmup", "draws", "thin")}


def run_on_threads(works: Sequence[Iterator[int]], total: int, unit: str, progress: bool, threads: int | None) -> None:
    """Exhaust iterators on a thread pool; each yields the progress made since its last yield."""
    if threads is not None:
        check_count("threads", threads, 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    stop, lock = threading.Event(), threading.Lock()
    with tqdm(total=total, disable=not progress, unit=unit, unit_scale=True, leave=False) as bar:

        def work(steps: Iterator[int]) -> None:
            for n in steps:
                with lock:
                    bar.update(n)
                if stop.is_set():
                    return

        with ThreadPoolExecutor(threads or cores) as pool:
            jobs = [pool.submit(work, steps) for steps in works]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise


def jackknife(average: Average, runs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over all runs and its error from leaving out one run at a time; NaN for a single run.

    `average` maps 0/1 weights of runs (case, run) to results (case, ...).
    """
    mean = average(np.ones((1, runs)))[0]
    if runs == 1:
        return mean, np.full_like(mean, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = average(1.0 - np.eye(runs))
        spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return mean, np.sqrt((runs - 1) / runs * spread)
