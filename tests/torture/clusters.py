"""The same run on threads and on clusters whose workers die and join: ``python tests/torture/clusters.py --seed 0``.

Every run must have the bits of the run on one thread, in memory. Workers are killed with -9 and added while tasks are
under way, at a random moment after the first commit; a run that was over before does not count and ends the script.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import xarray as xr
from distributed import Client, LocalCluster

import ising
from ising import cluster

SQUARE = ising.ferromagnet(ising.square(32))
RUNS: dict[str, tuple[Any, list[float], ising.Schedule, dict[str, Any]]] = {
    "sampling": (SQUARE, [0.40, 0.42, 0.44, 0.46], ising.Schedule(500, 8_000), {"configurations": 1000}),
    "clusters": (SQUARE, [0.40, 0.42, 0.44], ising.Schedule(500, 6_000), {"update": "wolff", "chains": 6}),
    "exchange": (
        ising.edwards_anderson(ising.cubic(8), seed=1, disorder=4),
        [0.5, 0.7, 0.9, 1.1],
        ising.Schedule(500, 4_000),
        {"chains": 64, "exchange": True},
    ),
}


def run(kind: str, **options: Any) -> xr.Dataset:
    """The run of a kind: some seconds on one core."""
    model, beta, schedule, others = RUNS[kind]
    return ising.sample(model, beta, schedule, seed=3, progress=False, **others, **options)


def disturbed(kind: str, workers: int, disturb: Callable[[Client], None], after: float, store: Path) -> xr.Dataset:
    """The run in a store on a cluster that is disturbed some seconds after the first commit; says whether in time."""
    settings = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.ERROR}
    with LocalCluster(n_workers=workers, **settings) as here, Client(here) as client:
        missed = threading.Event()

        def wait() -> None:
            while not (store / "journal.jsonl").exists():
                time.sleep(0.01)
            time.sleep(after)
            busy = sum(len(worker.processing) for worker in here.scheduler.workers.values())
            if not busy:
                missed.set()
            disturb(client)

        thread = threading.Thread(target=wait)
        thread.start()
        data = run(kind, client=client, store=store)
        thread.join()
        if missed.is_set():
            raise SystemExit(f"{kind}: the run was over before the cluster was disturbed")
        return data


def leave(client: Client) -> None:
    """Nothing happens."""


def kill_one(client: Client) -> None:
    """A worker's process ends with -9; its nanny starts another."""
    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def join_one(client: Client) -> None:
    """One worker more."""
    client.cluster.scale(len(client.nthreads()) + 1)


def main() -> None:
    """Run as a script; 1 if any bit differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    chance, same, count = random.Random(options.seed), True, 0
    cluster.SECONDS, cluster.COMMIT = 0.1, 0.1  # many tasks, many commits
    cases: list[tuple[str, int, Callable[[Client], None]]] = [
        ("2 workers", 2, leave),
        ("3 workers", 3, leave),
        ("2 workers, one killed", 2, kill_one),
        ("3 workers, one killed", 3, kill_one),
        ("2 workers, one joins", 2, join_one),
    ]
    for kind in RUNS:
        expected = run(kind, threads=1)
        found = {f"{threads} threads": run(kind, threads=threads).identical(expected) for threads in (2, 4)}
        for name, workers, disturb in cases:
            after = chance.uniform(0.0, 0.5)
            with (
                tempfile.TemporaryDirectory() as folder,
                disturbed(kind, workers, disturb, after, Path(folder) / "run") as data,
            ):
                found[name] = data.identical(expected)
        same &= all(found.values())
        count += len(found)
        print(
            f"{kind}: " + ", ".join(f"{name}: {'identical' if ok else 'NOT'}" for name, ok in found.items()), flush=True
        )
    print(f"{count} runs against one thread; every result identical: {same}", flush=True)
    sys.exit(not same)


if __name__ == "__main__":
    main()
