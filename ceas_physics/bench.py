"""Speed of every update, end to end through `ising.sample`: rounds side by side, in turn, in one process."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

import ising

ROUNDS = 5
AT_LEAST = 0.5  # seconds of work a round


def _cases() -> dict[str, tuple[ising.IsingModel, float, str, int]]:
    """Name -> model, beta, update, chains."""
    critical = ising.exact.SQUARE_CRITICAL_BETA
    square = {L: ising.ferromagnet(ising.square(L)) for L in (64, 256)}
    tiling = ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=1710))
    glass = ising.edwards_anderson(ising.cubic(8), seed=1)
    gaussian = ising.edwards_anderson(ising.cubic(8), seed=1, distribution="gaussian")
    return {
        "heat bath, square 64, 64 chains": (square[64], critical, "heat_bath", 64),
        "heat bath, square 256, 512 chains": (square[256], critical, "heat_bath", 512),
        "heat bath, closed {5,4} 1710, 512 chains": (tiling, 0.35, "heat_bath", 512),
        "heat bath, +-J glass 8^3 with overlaps, 512 chains": (glass, 0.9, "heat_bath", 512),
        "heat bath, Gaussian glass 8^3, 8 chains": (gaussian, 0.9, "heat_bath", 8),
        "random-site Metropolis, square 64": (square[64], critical, "random_site", 2),
        "Swendsen-Wang, square 256": (square[256], critical, "swendsen_wang", 2),
        "Wolff, square 64": (square[64], critical, "wolff", 2),
    }


def run(seed: int = 0, progress: bool = True) -> str:
    """Measure all cases on one thread and return a Markdown table.

    Updates per nanosecond with all observables measured at every sweep.
    """
    jobs = {name: _job(*case, seed) for name, case in _cases().items()}
    speeds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in tqdm(range(ROUNDS), desc="bench", unit="round", disable=not progress):
        for name, job in jobs.items():
            speeds[name].append(job())
    lines = [f"{_machine()}; one thread, median of {ROUNDS} rounds [lowest .. highest]", ""]
    lines += ["| work | site updates / ns |", "|---|---|"]
    for name, values in speeds.items():
        lines.append(f"| {name} | {np.median(values):.3g} [{min(values):.3g} .. {max(values):.3g}] |")
    return "\n".join(lines)


def _job(model: ising.IsingModel, beta: float, update: str, chains: int, seed: int) -> Callable[[], float]:
    """A warm call of at least half a second that returns its speed."""

    def timed(draws: int) -> float:
        schedule = ising.Schedule(0, draws)
        started = time.perf_counter()
        ising.sample(model, beta, schedule, update, chains, seed, threads=1, progress=False, initial="up")
        return time.perf_counter() - started

    timed(2)
    draws = 2
    while (seconds := timed(draws)) < AT_LEAST / 2:
        draws *= 2
    draws = max(1, round(draws * AT_LEAST / seconds))
    return lambda: model.lattice.n_sites * chains * draws / timed(draws) / 1e9


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"
