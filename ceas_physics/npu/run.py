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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .corridor_control import CorridorControl
from .history import History
from .schedules import Array, Path
from .snapshot import Place, put_back, snapshot
from .unit import Unit

if TYPE_CHECKING:
    from ising.store.whole import WholeRun


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
    units: Sequence[Unit], controllers: Sequence[CorridorControl], plan: Plan, progress: bool, threads: int,
    store: WholeRun | None = None,
) -> Outcome:  # fmt: skip
    """Anneal until a target, the total, the time limit or Ctrl-C; controllers is empty if the plan has a path.

    With a store the run goes on from where it stands there, and is kept now and then. The chunk that reaches the total
    is the last to be kept before, not after: it may end within an interval, where a longer run would not read.
    """
    place = put_back(store.kept, units, controllers) if store and store.kept else Place(History())
    started = time.perf_counter() - place.seconds
    total = plan.total_steps if plan.time_limit is None else None
    with (
        _ctrl_c() as interrupted,
        _workers(len(units), threads) as each,
        tqdm(total=total, initial=place.steps, disable=not progress, unit="step", unit_scale=True, desc="annealing",
             leave=False) as bar,
    ):  # fmt: skip
        while True:
            if place.position == 0:
                for unit in units:
                    unit.restart(place.repeat)
                for controller in controllers:
                    controller.restart()
            whole = plan.n_steps[place.position : place.position + plan.chunk]
            last = plan.total_steps is not None and place.steps + whole.sum() >= plan.total_steps
            if store and (last or store.due):
                store.keep(snapshot(units, controllers, place))
            hit = _advance(units, controllers, plan, place, _cut(whole, plan.total_steps, place.steps), each)
            done = place.history.latest[0] if place.history.latest else 0
            bar.update(done - place.steps)
            place.steps, place.seconds = done, time.perf_counter() - started
            reason = _reason(plan, hit, place.steps, interrupted, place.seconds)
            anneals = place.repeat + 1
            place.position += plan.chunk
            if place.position >= len(plan.n_steps):
                place.repeat, place.position = place.repeat + 1, 0
            if reason == "interrupt" and store and not last:
                store.keep(snapshot(units, controllers, place))
            if reason:
                return Outcome(place.history, place.steps, anneals, reason, place.seconds)


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
    units: Sequence[Unit], controllers: Sequence[CorridorControl], plan: Plan, place: Place,
    n_steps: NDArray[np.int64], each: Callable[[Callable[[int], Any]], list[Any]],
) -> bool:  # fmt: skip
    """Run all units through some intervals and record their reads; whether any replica is at the target."""
    n = len(n_steps)
    edges = np.concatenate([[0], np.cumsum(plan.n_steps)]) / plan.n_steps.sum()
    fractions = edges[place.position : place.position + n + 1]
    if plan.path is None:
        controls = [np.full((1, 2), controller.beta) for controller in controllers]
    else:
        values = plan.path(fractions)
        controls = [np.stack([values[:-1], values[1:]], axis=1)] * len(units)
    done = each(lambda k: units[k].run(controls[k], n_steps))
    hits = [_hit(unit, row - 1) for unit, row in zip(units, done)]
    rows = min((d for d, hit in zip(done, hits) if hit), default=n)
    for row, total in enumerate(place.steps + np.cumsum(n_steps[:rows])):
        place.history.add(int(total), _row(units, controls, controllers, row, fractions[row + 1]))
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
