"""What one scheduler, one writer and one manifest can take: ``python tests/torture/load.py``, for docs/scaling_out.md.

The scheduler, the caller and the workers are processes of their own; what counts is the processor time that the first
two spend on a task and on a megabyte, so that a machine of two cores can stand for the head of a large cluster. The
workers are many in one process, a thread each.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import numpy as np
from distributed import Client, Worker

import ising
from ising import cluster
from ising.plan import make_plan
from ising.store.codec import pack
from ising.store.sampling import frame_bytes, manifest_of, open_store
from ising.store.store import Segment, Store


def processor_time(pid: int) -> float:
    """Seconds that a process has run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def fake_cluster(workers: int) -> Iterator[tuple[Client, int]]:
    """A client, and the process of its scheduler; the workers are in another process."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "scheduler.json"
        options = ["--port", "0", "--dashboard-address", ":0", "--scheduler-file", str(place)]
        scheduler = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *options], stderr=subprocess.DEVNULL
        )
        while not place.exists():
            time.sleep(0.1)
        crowd = subprocess.Popen(
            [sys.executable, __file__, "--crowd", str(workers), "--scheduler", str(place)], stderr=subprocess.DEVNULL
        )
        try:
            with Client(scheduler_file=str(place)) as client:
                client.wait_for_workers(workers)
                yield client, scheduler.pid
        finally:
            crowd.kill()
            scheduler.terminate()
            crowd.wait(), scheduler.wait()


async def crowd(workers: int, scheduler: str) -> None:
    """Workers until killed."""

    async def one(number: int) -> Worker:
        return await Worker(scheduler_file=scheduler, nthreads=1, name=number, dashboard=False, memory_limit=0)

    here = [await one(number) for number in range(workers)]
    await asyncio.gather(*(worker.finished() for worker in here))


def task_load(workers: int, units: int, draws: int, seconds: float, store: bool = False) -> str:
    """Processor time of scheduler and caller for every task of a run, by their length."""
    cluster.SECONDS = seconds
    sent = []
    send = cluster._Tasks._send

    def count(self: Any, unit: int, checkpoint: Any) -> None:
        sent.append(unit)
        send(self, unit, checkpoint)

    cluster._Tasks._send = count  # type: ignore[method-assign]
    call = (ising.ferromagnet(ising.square(8)), np.linspace(0.3, 0.5, units), ising.Schedule(0, draws), "heat_bath")
    with fake_cluster(workers) as (client, scheduler), tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"store": Path(folder) / "run"} if store else {}
        ising.sample(*call[:1], [0.4] * 1, ising.Schedule(0, 1), "heat_bath", client=client, progress=False)
        sent.clear()
        before, own, began = processor_time(scheduler), time.process_time(), time.perf_counter()
        data = ising.sample(*call, client=client, progress=False, **options)
        wall = time.perf_counter() - began
        scheduled, called = processor_time(scheduler) - before, time.process_time() - own
        size_mb = data.nbytes / 1e6
        data.close()
    cluster._Tasks._send = send  # type: ignore[method-assign]
    n = len(sent)
    return (
        f"{workers} workers, {n} tasks of {size_mb / n:.3f} MB, store {store}: scheduler {1e3 * scheduled / n:.2f} ms, "
        f"caller {1e3 * called / n:.2f} ms a task ({n / wall:.0f} tasks/s here)"
    )


def manifest_load(units: int) -> str:
    """Size of a manifest, and the time to make, open and read a store."""
    began = time.process_time()
    plan = make_plan(ising.ferromagnet(ising.square(8)), np.linspace(0.1, 0.9, units), ising.Schedule(0, 10), chains=64,
                     update="heat_bath")  # fmt: skip
    planned = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        open_store(plan, folder).close()
        made = time.process_time() - began
        size = (Path(folder) / "manifest.json").stat().st_size
        began = time.process_time()
        Store(folder, manifest_of(plan), frame_bytes(plan)).close()
        opened = time.process_time() - began
    figures = f"manifest {size / 1e6:.1f} MB, made in {made:.1f} s, opened in {opened:.1f} s"
    return f"{units} units: plan {planned:.1f} s, {figures}"


def writer_load(units: int, draws: int) -> str:
    """Bytes a second that commits and the merging take, of processor time and of wall time."""
    plan = make_plan(ising.ferromagnet(ising.square(64)), np.linspace(0.3, 0.5, units), ising.Schedule(0, draws),
                     chains=64, update="heat_bath")  # fmt: skip
    manifest = manifest_of(plan)
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, open_store(plan, folder) as store:
        checkpoint = {"unit": {"words": chance.integers(0, 2**63, 64 * 64)}, "warmup": 0, "draws": draws}
        segments = [
            Segment(unit, 0, draws, {name: chance.normal(size=manifest.part_shape(name, unit, 0, draws))
                                     for name, one in manifest.variables.items() if one.every}, checkpoint)
            for unit in range(units)
        ]  # fmt: skip
        size = sum(array.nbytes for one in segments for array in one.arrays.values()) / 1e6
        own, began = time.process_time(), time.perf_counter()
        store.commit(segments)
        wall, own = time.perf_counter() - began, time.process_time() - own
        tree = len(pack({"0": checkpoint}))
    return (
        f"a commit of {units} units, {size:.0f} MB, a checkpoint of {tree / 1e3:.0f} kB each: {size / own:.0f} MB/s of "
        f"processor time, {size / wall:.0f} MB/s of wall time"
    )


def main() -> None:
    """Run as a script, or, with --crowd, be the workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crowd", type=int)
    parser.add_argument("--scheduler")
    options = parser.parse_args()
    if options.crowd:
        asyncio.run(crowd(options.crowd, options.scheduler))
        return
    print(writer_load(64, 500), flush=True)
    for units in (10_000, 100_000):
        print(manifest_load(units), flush=True)
    cluster.RATE = math.inf
    for workers in (2, 32, 96):
        print(task_load(workers, 400, 5, 0.0), flush=True)
    print(task_load(2, 8, 10_000, 0.2), flush=True)
    print(task_load(2, 8, 10_000, 0.2, store=True), flush=True)


if __name__ == "__main__":
    main()
