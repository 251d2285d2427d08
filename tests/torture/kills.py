"""``kill -9`` at random moments of stored runs: ``python tests/torture/kills.py --count 10 --seed 0`` for each kind.

A run is killed again and again, each time after a random part of a second, and started again by the same call, until it
has been killed often enough; then it may finish, and must have the bits of a run that was never disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import xarray as xr

import ising
from ceas_physics import Thermostat, TransformerConfig, anneal, train
from ising.store.journal import read_journal
from ising.store.manifest import read_manifest


def run(kind: str, store: Path | None) -> xr.Dataset:
    """The run of a kind: some seconds on one core, in tens of segments."""
    if kind == "annealing":
        glass = ising.edwards_anderson(ising.cubic(10), seed=1)
        return anneal(glass, replicas=128, sweeps=1_000, total_sweeps=60_500, seed=3, store=store, progress=False)
    if kind == "training":
        config = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
        return train(config, None, Thermostat(), seed=3, steps=8_000, store=store, progress=False)
    if kind == "sampling":
        model = ising.ferromagnet(ising.square(32))
        options: dict[str, Any] = {"update": "heat_bath", "configurations": 1000}
        return sample(model, [0.40, 0.42, 0.44, 0.46], ising.Schedule(2_000, 40_000), store, **options)
    if kind == "clusters":
        model = ising.ferromagnet(ising.square(32))
        return sample(model, [0.40, 0.44], ising.Schedule(1_000, 40_000), store, update="wolff", chains=6)
    if kind == "exchange":
        models = ising.edwards_anderson(ising.cubic(8), seed=1, disorder=3)
        return sample(models, [0.5, 0.7, 0.9, 1.1], ising.Schedule(500, 20_000), store, chains=64, exchange=True)
    model = ising.sherrington_kirkpatrick(64, seed=1)
    return sample(model, [0.5, 1.0, 1.5], ising.Schedule(500, 15_000), store, chains=128, exchange=True)


def sample(model: Any, betas: list[float], schedule: ising.Schedule, store: Path | None, **options: Any) -> xr.Dataset:
    """`ising.sample`, quietly."""
    return ising.sample(model, betas, schedule, store=store, progress=False, seed=3, **options)


KINDS = ("sampling", "clusters", "exchange", "fields", "annealing", "training")


def torture(kind: str, kills: int, chance: random.Random) -> tuple[int, int, bool]:
    """Kills that hit a run under way, those of them after the first draws, whether the result is the undisturbed."""
    expected, hits, deep, same = run(kind, None), 0, 0, True
    while hits < kills:  # a run that ends before it was killed often enough is followed by another
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "run"
            command = [sys.executable, __file__, "--child", kind, "--store", str(store)]
            while hits < kills and kill_one(command, chance, store):
                hits += 1
                deep += drawn(store)
            result = run(kind, store)
            same &= timeless(result).identical(timeless(expected))
            result.close()
    return hits, deep, same


def timeless(data: xr.Dataset) -> xr.Dataset:
    """Without the time that an anneal took."""
    attrs = {name: value for name, value in data.attrs.items() if name != "run_seconds"}
    timeless = data.copy()
    timeless.attrs = attrs
    return timeless


def drawn(store: Path) -> bool:
    """Whether any unit has finished draws in the store, or the run, if it is kept whole, a checkpoint."""
    if not (store / "manifest.json").exists():
        return False
    manifest = read_manifest(store)
    journal, _ = read_journal(store, manifest)
    return any(journal.lengths.values()) or (not manifest.variables and bool(journal.checkpoints))


def kill_one(command: list[str], chance: random.Random, store: Path) -> bool:
    """Kill a process at any moment, or, most times, soon after it first added to the journal; was it alive?"""
    journal = store / "journal.jsonl"
    before = journal.stat().st_size if journal.exists() else 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # imports are done
    if chance.random() < 0.8:
        while process.poll() is None and not (journal.exists() and journal.stat().st_size != before):
            time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 1.0))
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    return process.wait() == -signal.SIGKILL


def main() -> None:
    """Run as a script, or, with --child, be the process that is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="kills of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", choices=KINDS)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    if options.child:
        from ising.store import sampling, whole

        for pace in (sampling, whole):  # a commit every twentieth of a second
            pace.LEAST = pace.MOST = 0.05
        print("begin", flush=True)
        run(options.child, options.store)
        return
    chance, all_same, total = random.Random(options.seed), True, 0
    for kind in KINDS:
        kills, deep, same = torture(kind, options.count, chance)
        all_same &= same
        total += kills
        print(
            f"{kind}: {kills} kills of a run under way, {deep} after first draws; result identical: {same}", flush=True
        )
    print(f"{total} kills in all; every result identical: {all_same}", flush=True)
    sys.exit(not all_same)


if __name__ == "__main__":
    main()
