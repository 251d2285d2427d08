"""A short measurement of the main kernels on one core, beside the machine of the README."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

import ising

from . import bench
from .peers import Job
from .text import corpus
from .training.knobs import Knobs
from .training.run import Run
from .transformer import TransformerConfig

ROUNDS, SECONDS = 5, 0.2  # of work, a kernel and round
GLASS = {"exchange": True, "observables": ("energy", "magnetization", "overlap")}


@dataclass(frozen=True)
class Work:
    """A kernel's work, its unit per second, and how many of them the README's machine (AVX-512) does."""

    name: str
    unit: str
    scale: float
    reference: float
    job: Callable[[int], Job]


def _spins(name: str, reference: float, model: ising.IsingModel, beta: Any, chains: int | None, **options: Any) -> Work:
    return Work(
        name, "updates/ns", 1e-9, reference, lambda seed: bench.sampling(model, beta, chains, seed=seed, **options)
    )


def works() -> list[Work]:
    """The kernels that most runs spend their time in."""
    critical = ising.exact.SQUARE_CRITICAL_BETA
    surface = ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=1710))
    return [
        _spins("square 1024, one chain", 9.6, ising.ferromagnet(ising.square(1024)), critical, 1),
        _spins("closed {5,4}, 64 chains", 4.4, surface, 0.35, 64),
        _spins("Swendsen-Wang, square 128", 0.31, ising.ferromagnet(ising.square(128)), critical, None,
               update="swendsen_wang"),
        _spins("cubic +-J glass of 8^3, exchange", 2.2, ising.edwards_anderson(ising.cubic(8), seed=1),
               bench.GLASS_BETAS, 64, **GLASS),
        Work("training of the 8.6k-parameter GPT", "tokens/s", 1.0, 190_000, _training),
    ]  # fmt: skip


def _training(seed: int) -> Job:
    config = TransformerConfig()
    run = Run(config, corpus(None, config.context), None, Knobs(), seed, steps=10**9)

    def job(steps: int) -> float:
        before = run.tokens
        with threadpool_limits(1):
            for _ in range(steps):
                run.step()
        return float(run.tokens - before)

    return job


def measure(seed: int, progress: bool) -> dict[str, Any]:
    """Speeds of the kernels, warm, by processor time: median, lowest, highest, the README's machine's.

    ``core_share`` is the share of a core that all of it got: where it is low, others used the caches and memory too.
    """
    found, begun, used = [], perf_counter(), process_time()
    with tqdm(works(), desc="speed", unit="kernel", disable=not progress, leave=False) as bar:
        for work in bar:
            job = work.job(seed)
            sweeps = bench.sweeps_for(job, SECONDS, process_time)
            speeds = []
            for _ in range(ROUNDS):
                seconds, amount = bench.timed(job, sweeps, process_time)
                speeds.append(amount / seconds * work.scale)
            values = {"median": float(np.median(speeds)), "lowest": min(speeds), "highest": max(speeds)}
            found.append({"work": work.name, "unit": work.unit, **values, "reference": work.reference})
    return {"core_share": (process_time() - used) / (perf_counter() - begun), "kernels": found}


def table(speeds: dict[str, Any]) -> list[str]:
    """Aligned lines: work, median [lowest .. highest], the README's machine and the share of it reached here."""
    lines = [f"{'work':36}{'here [lowest .. highest]':>34}  {'README':>8}  share"]
    for one in speeds["kernels"]:
        here = f"{one['median']:,.3g} [{one['lowest']:,.3g} .. {one['highest']:,.3g}]"
        if one["unit"] == "tokens/s":
            here = f"{one['median']:,.0f} [{one['lowest']:,.0f} .. {one['highest']:,.0f}]"
        share = one["median"] / one["reference"]
        lines.append(f"{one['work']:36}{here:>34}  {one['reference']:>8,}  {share:4.0%} ({one['unit']})")
    if (share := speeds["core_share"]) < 0.9:
        lines.append(f"other programs were running: these got {share:.0%} of a core")
    return lines
