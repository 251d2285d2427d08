"""Work units on the workers of a Dask cluster: the caller keeps what they finish, a lost worker costs one segment.

A task carries one unit for some seconds from its last checkpoint and returns a segment. Checkpoints come from the
caller, so any worker may go on with any unit, and the numbers are those of one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from .arguments import as_flag, refuse
from .checks import check_memory
from .dataset import describe
from .plan import Plan
from .provenance import settings_of
from .store.errors import StoreError
from .store.merging import merge
from .store.read import open_result
from .store.sampling import carry, manifest_of, open_store
from .store.store import RESULT, Segment

if TYPE_CHECKING:
    import xarray as xr

SECONDS = 5.0  # of work a task, at least: about what a lost worker loses
RATE = 100.0  # tasks a second that come back at most, longer ones on more threads: docs/scaling_out.md measures why
LOOK = 1.0  # seconds between looks at how many threads there are
LARGE = "distributed.admin.large-graph-warning-threshold"  # checkpoints are meant to travel with their tasks
AHEAD = 2  # tasks for every thread of the cluster that are out at once
COMMIT, MOST = 1.0, 30.0  # seconds between commits
SHARE = 100  # the next commit is due after this many times what the last one took
BUFFER = 64 * 2**20  # bytes that wait for a commit
PACKAGES = ("ceas-physics", "numba", "numpy")  # whose versions decide bits
Known = tuple[Mapping[str, Any], Mapping[str, Any], int, Mapping[str, str]]  # settings, arrays, draws, versions
Checkpoint = Mapping[str, Any] | None


class ClusterError(OSError):
    """A cluster that does not answer, is gone, or loses all workers that take a unit; one line says what to do."""


def run_on_cluster(plan: Plan, client: Any, progress: bool = True, store: str | Path | None = None) -> xr.Dataset:
    """Carry out a plan on the workers of a `distributed.Client`, in memory or in a store.

    Raises
    ------
    ValueError
        No client, workers with other versions, a result too large for memory, or a store of another run.
    ClusterError
        The scheduler is gone, or a unit ends every worker that takes it.
    StoreError
        The store cannot be written, is damaged, or is being written by another process.
    """
    check_client(client)
    if store is None:
        return _run_in_memory(plan, client, progress)
    with open_store(plan, store) as opened:
        units = [unit for unit in range(len(plan.blocks)) if opened.length(unit) < plan.schedule.draws]
        here = opened.folder
        go_on = f"all that is finished is in {here}: give the same call again, or `ceas resume {here}`"
        try:
            _carry_all(plan, client, progress, units, opened.checkpoint, opened.commit)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped; {go_on}") from None
        except ClusterError as error:
            raise ClusterError(f"{error}; {go_on}") from None
        path = merge(opened)
    return open_result(path)


def check_client(client: Any) -> None:
    """ValueError if this is no `distributed.Client`, or there can be none."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("client needs Dask, which is not installed: pip install 'ceas-physics[dask]'") from None
    if not isinstance(client, Client) or client.asynchronous:
        refuse("client", "a distributed.Client that is not asynchronous", client)


def _run_in_memory(plan: Plan, client: Any, progress: bool) -> xr.Dataset:
    check_memory(plan)
    manifest, draws = manifest_of(plan), plan.schedule.draws
    arrays = {name: np.empty(manifest.shape(name, draws), one.dtype) for name, one in manifest.variables.items()}

    def keep(segments: Sequence[Segment]) -> None:
        for one in segments:
            for name, values in (*one.arrays.items(), *one.checkpoint.get(RESULT, {}).items()):
                arrays[name][manifest.index(name, one.unit, one.start, one.stop)] = values

    _carry_all(plan, client, progress, range(len(plan.blocks)), lambda unit: None, keep)
    data = describe(plan)
    for name, array in arrays.items():
        data[name] = (manifest.variables[name].dims, array, dict(manifest.variables[name].attrs))
    return data


def _carry_all(
    plan: Plan,
    client: Any,
    progress: bool,
    units: Sequence[int],
    checkpoint: Callable[[int], Checkpoint],
    keep: Callable[[Sequence[Segment]], None],
) -> None:
    """Carry units to the end of the run; `keep` takes what they do, every unit at most once a call."""
    total = len(plan.blocks) * plan.schedule.sweeps
    done = {unit: _sweeps(plan, checkpoint(unit)) for unit in units}
    finished = total - len(units) * plan.schedule.sweeps
    look = {"disable": not as_flag("progress", progress), "unit": "sweep", "unit_scale": True, "leave": False}
    with tqdm(total=total, initial=finished + sum(done.values()), desc="sampling", **look) as bar:

        def report(segment: Segment) -> None:
            now = _sweeps(plan, segment.checkpoint)
            bar.update(now - done[segment.unit])
            done[segment.unit] = now

        with _troubles(client):
            tasks = _Tasks(client, plan, units, checkpoint, keep, report)
            try:
                tasks.run()
            finally:
                tasks.stop()


@contextmanager
def _troubles(client: Any) -> Iterator[None]:
    """What Dask raises when a cluster fails, in one line."""
    import dask
    from distributed import CancelledError, KilledWorker

    try:
        with dask.config.set({LARGE: "1TiB"}):
            yield
    except KilledWorker as error:
        unit = f"{error.last_worker.address} was the last of {error.allowed_failures + 1} workers that ended with it"
        raise ClusterError(f"a unit cannot be carried: {unit}; see their logs, give them more memory") from None
    except StoreError:
        raise
    except (CancelledError, OSError) as error:
        raise ClusterError("the scheduler of the cluster is gone, or took back the work") from error


class _Tasks:
    """The tasks that are out, and what came back and is not yet kept."""

    def __init__(
        self,
        client: Any,
        plan: Plan,
        units: Sequence[int],
        checkpoint: Callable[[int], Checkpoint],
        keep: Callable[[Sequence[Segment]], None],
        report: Callable[[Segment], None],
    ) -> None:
        from distributed import as_completed

        self.client, self.draws, self.checkpoint = client, plan.schedule.draws, checkpoint
        versions = {name: version(name) for name in PACKAGES}
        self.known = client.submit(_known, *settings_of(plan), self.draws, versions, pure=False)  # made anew if lost
        self.keep, self.report, self.waiting = keep, report, list(reversed(units))
        self.out = as_completed(with_results=True)
        self.pending, self.size = dict[int, Segment](), 0  # by unit; bytes
        self.futures: dict[str, Any] = {}
        self.writer = ThreadPoolExecutor(1)
        self.threads, self.looked = 1, -LOOK
        self.due = time.monotonic() + COMMIT

    def run(self) -> None:
        """Until all units are at the end of the run."""
        self._fill()
        for future, segment in self.out:
            if future.cancelled():
                raise segment
            del self.futures[future.key]
            self.report(segment)
            again = segment.stop < self.draws
            if segment.unit in self.pending:
                self._keep()
            self.pending[segment.unit] = segment
            self.size += sum(array.nbytes for array in segment.arrays.values())
            if again:
                self._send(segment.unit, segment.checkpoint)
            if time.monotonic() > self.due or self.size > BUFFER:
                self._keep()
            self._fill()

    def stop(self) -> None:
        """Keep what came back, and call off what is out."""
        try:
            self._keep()
        finally:
            self.writer.shutdown()
        if self.futures and self.client.status == "running":
            self.client.cancel(list(self.futures.values()))

    def _fill(self) -> None:
        if not self.waiting:
            return
        if time.monotonic() > self.looked + LOOK:
            self.threads, self.looked = max(1, sum(self.client.nthreads().values())), time.monotonic()
        room = AHEAD * self.threads - len(self.futures)
        for _ in range(min(room, len(self.waiting))):
            unit = self.waiting.pop()
            self._send(unit, self.checkpoint(unit))

    def _send(self, unit: int, checkpoint: Checkpoint) -> None:
        seconds = max(SECONDS, self.threads / RATE)
        future = self.client.submit(_carry, self.known, unit, checkpoint, seconds, pure=False)
        self.futures[future.key] = future
        self.out.add(future)

    def _keep(self) -> None:
        started, pending = time.monotonic(), list(self.pending.values())
        self.pending, self.size = {}, 0
        if pending:
            self.writer.submit(self.keep, pending).result()  # Ctrl-C does not break a commit off
        ended = time.monotonic()
        self.due = ended + min(MOST, max(COMMIT, SHARE * (ended - started)))


def _sweeps(plan: Plan, checkpoint: Checkpoint) -> int:
    return checkpoint["warmup"] + checkpoint["draws"] * plan.schedule.thin if checkpoint else 0


def _known(settings: Mapping[str, Any], arrays: Mapping[str, Any], draws: int, versions: Mapping[str, str]) -> Known:
    return settings, arrays, draws, versions


def _carry(known: Known, unit: int, checkpoint: Checkpoint, seconds: float) -> Segment:
    settings, arrays, draws, versions = known
    for name, wanted in versions.items():
        if _version_here(name) != wanted:
            raise ValueError(
                f"a worker has {name} {_version_here(name)}, the caller {wanted}; "
                "install the same versions on all, for bits that are equal"
            )
    return carry(settings, arrays, draws, unit, checkpoint, seconds)


@cache
def _version_here(name: str) -> str:
    return version(name)
