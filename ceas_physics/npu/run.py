"""The loop of an anneal: units advance together from read to read until the run ends, hits, or is stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .corridor_control import CorridorControl
from .history import History
from .kernels_read import Reader, Record
from .schedules import Array, Path


class Unit(Protocol):
    """64 replicas that are run and read together."""

    record: Record
    reader: Reader
    events: NDArray[np.float64]
    betas: NDArray[np.float64]

    def restart(self, repeat: int) -> None:
        """Begin another anneal with fresh streams."""

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals (n, 2), (n,), each ending with a read; how many were run before the target was hit.

        `events` then holds the spin events of a replica so far, after each of the reads; `betas` the inverse
        temperature of each interval, NaN where there is none.
        """


@dataclass(frozen=True, eq=False)
class Plan:
    """What is run: the intervals of one anneal, the control in them, and when to stop."""

    n_steps: NDArray[np.int64]  # (n_intervals,)
    path: Path | None  # None: the thermostats decide
    chunk: int  # intervals between two looks at the clock
    total_steps: int | None  # over all anneals; None: until the time limit
    time_limit: float | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a run ended."""

    history: History
    steps: int
    anneals: int
    stopped_by: str
    seconds: float


def drive(
    units: Sequence[Unit], controllers: Sequence[CorridorControl], plan: Plan, progress: bool, threads: int
) -> Outcome:
    """Anneal until a target, the total, the time limit or Ctrl-C; controllers is empty if the plan has a path."""
    history, started, steps, repeat = History(), time.perf_counter(), 0, 0
    total = plan.total_steps if plan.time_limit is None else None
    with (
        _ctrl_c() as interrupted,
        _workers(len(units), threads) as each,
        tqdm(total=total, disable=not progress, unit="step", unit_scale=True, desc="annealing", leave=False) as bar,
    ):
        while True:
            for k, unit in enumerate(units):
                unit.restart(repeat)
                if controllers:
                    controllers[k].restart()
            for position in range(0, len(plan.n_steps), plan.chunk):
                n_steps = _cut(plan.n_steps[position : position + plan.chunk], plan.total_steps, steps)
                hit = _advance(units, controllers, plan, position, n_steps, steps, history, each)
                done = history.latest[0] if history.latest else 0
                bar.update(done - steps)
                steps = done
                reason = _reason(plan, hit, steps, interrupted, time.perf_counter() - started)
                if reason:
                    return Outcome(history, steps, repeat + 1, reason, time.perf_counter() - started)
            repeat += 1


def _reason(plan: Plan, hit: bool, steps: int, interrupted: threading.Event, seconds: float) -> str:
    """Why to stop, or nothing."""
    if hit:
        return "target"
    if interrupted.is_set():
        return "interrupt"
    if plan.total_steps is not None and steps >= plan.total_steps:
        return "finished"
    return "time limit" if plan.time_limit is not None and seconds >= plan.time_limit else ""


def _cut(n_steps: NDArray[np.int64], total: int | None, steps: int) -> NDArray[np.int64]:
    """The intervals that still fit into the total, the last one shortened."""
    if total is None:
        return n_steps
    ends = np.minimum(np.cumsum(n_steps), total - steps)
    lengths = np.diff(ends, prepend=0)
    return lengths[lengths > 0]


def _advance(
    units: Sequence[Unit], controllers: Sequence[CorridorControl], plan: Plan, position: int,
    n_steps: NDArray[np.int64], steps: int, history: History, each: Callable[[Callable[[int], Any]], list[Any]],
) -> bool:  # fmt: skip
    """Run all units through some intervals and record their reads; whether any replica is at the target."""
    n = len(n_steps)
    edges = np.concatenate([[0], np.cumsum(plan.n_steps)]) / plan.n_steps.sum()
    fractions = edges[position : position + n + 1]
    if plan.path is None:
        controls = [np.full((1, 2), controller.beta) for controller in controllers]
    else:
        values = plan.path(fractions)
        controls = [np.stack([values[:-1], values[1:]], axis=1)] * len(units)
    done = each(lambda k: units[k].run(controls[k], n_steps))
    hits = [_hit(unit, row - 1) for unit, row in zip(units, done)]
    rows = min((d for d, hit in zip(done, hits) if hit), default=n)
    for row, total in enumerate(steps + np.cumsum(n_steps[:rows])):
        history.add(int(total), _row(units, controls, controllers, row, fractions[row + 1]))
    for unit, controller in zip(units, controllers):
        entropy, slope = unit.record.entropy[0].mean(), unit.record.slope[0].mean()
        controller.update(float(fractions[1]), float(entropy), float(slope))
    return any(hits)


def _hit(unit: Unit, row: int) -> bool:
    """Whether a replica that counts is at the target in that read."""
    return bool((unit.record.energy[row, : unit.reader.members] <= unit.reader.target).any())


def _row(
    units: Sequence[Unit], controls: list[Array], controllers: Sequence[CorridorControl], row: int, fraction: float
) -> dict[str, Array]:
    """One read of all units."""
    records = [unit.record for unit in units]
    return {
        "energy": np.concatenate([record.energy[row] for record in records]),
        "magnetization": np.concatenate([record.magnetization[row] for record in records]),
        "best_so_far": np.concatenate([record.lowest[row] for record in records]),
        "order_parameter": np.concatenate([record.overlap[row] for record in records]),
        "entropy": np.concatenate([record.entropy[row] for record in records]),
        "control": np.array([control[row].mean() for control in controls]),
        "beta": np.array([unit.betas[row] for unit in units]),
        "events": np.array([unit.events[row] for unit in units]),
        "entropy_target": np.array([controller.target(fraction) for controller in controllers]),
    }


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets instead of raising; a second Ctrl-C raises. In other threads it stays unset."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def handler(number: int, frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _workers(n_units: int, threads: int) -> Iterator[Callable[[Callable[[int], Any]], list[Any]]]:
    """A function that does something with every unit, in threads where there are several."""
    if min(n_units, threads) == 1:
        yield lambda work: [work(k) for k in range(n_units)]
        return
    with ThreadPoolExecutor(min(n_units, threads)) as pool:
        yield lambda work: list(pool.map(work, range(n_units)))


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
