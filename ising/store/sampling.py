"""`sample` with a store: the units of a plan on the threads of this machine, what they measure on the disk."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..dataset import describe, layout
from ..driver import PATIENCE, n_threads, run_on_threads
from ..engine import Block
from ..observables import STATISTICS
from ..plan import Plan
from ..provenance import plan_of, settings_in, settings_of
from ..segments import UnitRun, has_final_spins
from .errors import StoreError
from .manifest import Manifest, Variable, read_manifest
from .merging import frame_of, merge
from .read import open_result
from .store import RESULT, Segment, Store

if TYPE_CHECKING:
    import xarray as xr

KIND = "sample"
BUFFER = 128 * 2**20  # bytes measured and not yet written, over all units
SHARE = 100  # the next commit is due after this many times what the last one took
LEAST, MOST = 1.0, 30.0  # seconds between commits
GRACE = 0.3  # seconds in which all units that run look up
Position = tuple[int, int, int]  # of a unit: `UnitRun.position`
DTYPES = {"configurations": "|i1", "spins": "|i1", "round_trips": "<i8"}  # others are <f8


def run_in_store(plan: Plan, folder: str | Path, progress: bool, threads: int | None) -> xr.Dataset:
    """Start, go on with, or lengthen the run of a store; the merged result, read when used.

    Raises
    ------
    ValueError
        The folder holds another run, or other files.
    StoreError
        The disk refuses, another process writes, or the store is damaged.
    KeyboardInterrupt
        After Ctrl-C, when everything measured is on the disk; it says how to go on.
    """
    workers = n_threads(threads)
    with open_store(plan, folder) as store:
        Sampling(plan, store, workers).run(progress, workers)
        path = merge(store)
    return open_result(path)  # its bytes were summed as they were written


def open_store(plan: Plan, folder: str | Path) -> Store:
    """The store of a plan, made if it is not there; raises as `run_in_store`."""
    return Store(folder, manifest_of(plan), frame_bytes(plan))


def stored_plan(folder: str | Path) -> Plan:
    """The plan of a store, from the store alone.

    Raises
    ------
    ValueError
        A run of another function.
    StoreError
        No store, another format, or damaged.
    """
    here = Path(folder).expanduser().absolute()
    manifest = read_manifest(here)
    if manifest.kind != KIND:
        raise ValueError(f"{folder} holds a run of {manifest.kind}, not of {KIND}")
    frame = frame_of(here, manifest, manifest.length)
    try:
        return plan_of(manifest.settings, settings_in(frame)[1], manifest.length)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{here} is damaged (settings: {error}); put back a copy, or run again") from None


class Sampling:
    """Units at work on one store: every few seconds all are asked for what they have done, and it is committed."""

    def __init__(self, plan: Plan, store: Store, threads: int) -> None:
        self.plan, self.store, self.quota = plan, store, BUFFER // (4 * threads)  # bytes of one unit
        self.adding, self.committing = threading.Lock(), threading.Lock()
        self.pending: list[Segment] = []
        self.closed = False
        self.round, self.asked, self.due = 0, False, time.monotonic() + LEAST

    def run(self, progress: bool, threads: int) -> None:
        """Carry all units to the end of the run."""
        schedule, store, units = self.plan.schedule, self.store, range(len(self.plan.blocks))
        works = [self._work(unit) for unit in units if store.length(unit) < schedule.draws]
        total, warmed = len(units) * schedule.sweeps, sum(store.length(unit) > 0 for unit in units)
        done = warmed * schedule.warmup + sum(map(store.length, units)) * schedule.thin
        try:
            run_on_threads(works, total, "sweep", progress, threads, done)
            self._commit()
        except BaseException as error:
            for work in works:  # hands in what the units under way have measured
                with suppress(ValueError):  # of one in the middle of a long step
                    work.close()
            with self.adding:
                self.closed = True
            self._commit()
            if isinstance(error, KeyboardInterrupt):
                here = store.folder
                raise KeyboardInterrupt(
                    f"stopped; all that is finished is in {here}: give the same call again, or `ceas resume {here}`"
                ) from None
            raise

    def _work(self, unit: int) -> Generator[int, None, None]:
        run, mine = UnitRun(self.plan, self.plan.blocks[unit], self.store.checkpoint(unit)), self.round
        kept, looked = run.position, time.monotonic()
        try:
            for n in run.steps():
                looked, before = time.monotonic(), looked
                if mine != self.round or run.size > self.quota or looked - before > PATIENCE:  # or Ctrl-C loses it
                    mine, kept = self.round, self._hand_in(unit, run, kept)
                if time.monotonic() > self.due:
                    self._tick()
                yield n
        finally:
            if kept != run.position:
                self._hand_in(unit, run, kept)

    def _hand_in(self, unit: int, run: UnitRun, kept: Position) -> Position:
        """Queue what a unit has done since it was kept; where it stands now."""
        segment = _segment(unit, run, kept[1])
        with self.adding:
            if self.closed:
                return kept
            self.pending.append(segment)
            waiting = sum(array.nbytes for one in self.pending for array in one.arrays.values())
        if waiting > BUFFER // 2:
            self._commit()
        return run.position

    def _tick(self) -> None:
        """It is time: first all units are asked to hand in, then, when they have had time to, it is committed."""
        with self.adding:
            if self.closed or time.monotonic() < self.due:
                return
            ask, self.asked = not self.asked, not self.asked
            self.due = time.monotonic() + (min(LEAST, GRACE) if ask else MOST)
            self.round += ask
        if not ask:
            self._commit()

    def _commit(self) -> None:
        """Write what is queued, one thread at a time; what cannot be written stays queued."""
        with self.committing:
            started = time.monotonic()
            with self.adding:
                queue, self.pending = self.pending, []
            try:
                while queue:
                    first = {one.unit: one for one in reversed(queue)}  # a unit twice: one after the other
                    self.store.commit(list(first.values()))
                    queue = [one for one in queue if one is not first[one.unit]]
            except BaseException:
                with self.adding:
                    self.pending = queue + self.pending
                raise
            ended = time.monotonic()
            self.due = ended + min(MOST, max(LEAST, SHARE * (ended - started)))


def carry(
    settings: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    draws: int,
    unit: int,
    checkpoint: Mapping[str, Any] | None,
    seconds: float,
) -> Segment:
    """Carry one unit for about so many seconds, in any process: what `Store.commit` takes.

    A worker needs nothing but the arguments: it makes the plan, and the tables of the model, once and keeps them.

    Parameters
    ----------
    settings, arrays, draws
        The run: `settings_of` a plan, and its draws.
    unit, checkpoint
        Number of the unit, and where it stands (`Store.checkpoint`).
    seconds
        When to stop, at the next 0.1 s; 0 for one step. A segment is at most some tens of megabytes anyway.
    """
    plan = _plan_here(json.dumps([settings, draws], sort_keys=True), settings, arrays, draws)
    run, ends = UnitRun(plan, plan.blocks[unit], checkpoint), time.monotonic() + seconds
    start = run.draws
    for _ in run.steps():
        if time.monotonic() > ends or run.size > BUFFER // 8:
            break
    return _segment(unit, run, start)


_plans: dict[str, Plan] = {}


def _plan_here(key: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], draws: int) -> Plan:
    plan = _plans.get(key)  # threads of a worker may come here together
    if plan is None:
        plan = plan_of(settings, arrays, draws)
        _plans.clear()
        _plans[key] = plan
    return plan


def _segment(unit: int, run: UnitRun, start: int) -> Segment:
    """What a unit has done since draw `start`."""
    checkpoint = run.checkpoint()
    if run.draws == run.plan.schedule.draws:
        checkpoint[RESULT] = run.result()
    return Segment(unit, start, run.draws, run.take(), checkpoint)


def manifest_of(plan: Plan) -> Manifest:
    """What the store of a plan says of itself."""
    settings, _ = settings_of(plan)
    count, chains = len(plan.models), plan.chains
    sizes = {"beta": len(plan.betas), "chain": chains, "pair": chains // 2, "site": plan.n_sites}
    sizes |= {"disorder": count, "beta_pair": len(plan.betas) - 1}
    variables = {}
    for name, (dims, attrs) in layout(plan).items():
        dtype = DTYPES.get(name, "<f8")
        if name in plan.observables:
            variables[name] = Variable(dims, dtype, attrs, 1, "draw")
        elif name == "configurations" and plan.configurations:
            variables[name] = Variable(dims, dtype, attrs, plan.configurations, "configuration")
        elif (name == "spins" and has_final_spins(plan)) or (name in STATISTICS and plan.exchange):
            variables[name] = Variable(dims, dtype, attrs)
    units = [{dim: [part.start, part.stop] for dim, part in _parts(block).items()} for block in plan.blocks]
    return Manifest(KIND, settings, plan.schedule.draws, "draws", sizes, variables, units, {})


def _parts(block: Block) -> dict[str, range]:
    parts = {"disorder": block.disorder, "beta": block.beta, "chain": block.chain, "pair": block.pair}
    return {dim: part for dim, part in parts.items() if len(part)}


def frame_bytes(plan: Plan) -> bytes:
    """The file of everything that is known beforehand, but for coordinates that grow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.nc"
        describe(plan).drop_vars("configuration", errors="ignore").to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()
