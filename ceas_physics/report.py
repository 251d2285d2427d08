"""The main job: sample, train, compare, and write a folder that a person can read.

Stages: square Ising, closed hyperbolic Ising, random energy model, a transformer trained without and with the
thermostat, and the comparison of every corridor with its critical point.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

import ising

from . import attention, corridor, page
from .thermostat import Thermostat
from .trace import head_scores
from .training import train

HYPERBOLIC_BETA_C = 0.3572605  # {5,4}, corner transfer matrix; only centres the beta windows
VISIBLE_KEYS = 64


@dataclass(frozen=True)
class Plan:
    """How much work a report does."""

    square: tuple[int, ...] = (8, 16, 32, 64)
    hyperbolic: tuple[int, ...] = (330, 1710, 3720)
    rem: tuple[int, ...] = (16, 64, 256, 1024)
    n_beta: int = 13
    warmup: int = 150
    draws: int = 750
    steps: int = 2048


QUICK = Plan((8, 16, 32), (40, 330, 1710), (16, 64, 256), 9, 100, 400, 384)


@dataclass
class Results:
    """Everything a report shows."""

    seed: int
    square: list[xr.Dataset] = field(default_factory=list)
    hyperbolic: list[xr.Dataset] = field(default_factory=list)
    standard: xr.Dataset = field(default_factory=xr.Dataset)
    steered: xr.Dataset = field(default_factory=xr.Dataset)
    head_heat: xr.DataArray = field(default_factory=xr.DataArray)
    table: xr.Dataset = field(default_factory=xr.Dataset)
    systems: list[corridor.System] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def report(out: str | Path = "ceas-report", quick: bool = False, seed: int = 0, progress: bool = True) -> Results:
    """Run the main job and write `report.html`, the figures as PNG and every Dataset as NetCDF to a folder.

    Parameters
    ----------
    out
        The folder; made if missing, replaced whole on success, left as it was on failure. A folder that holds anything
        but an earlier report is refused.
    quick
        About 20 seconds instead of a minute: smaller sizes, fewer draws, shorter training.
    seed
        The same seed gives the same numbers.
    progress
        Show a bar per stage.

    Returns
    -------
    Results
        What the page shows; `page.summary(results)` is its one-screen text.

    Raises
    ------
    ValueError
        The folder cannot be written, or is not a report's.
    """
    out = Path(out)
    staging = _staging_folder(out)
    try:
        results = compute(QUICK if quick else Plan(), seed, progress)
        started = time.perf_counter()
        page.write(results, staging)
        results.seconds["figures and page"] = time.perf_counter() - started
        page.write_page(results, staging)
        if out.exists():
            shutil.rmtree(out)
        staging.chmod(0o755)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return results


def compute(plan: Plan, seed: int, progress: bool) -> Results:
    """All stages, each timed."""
    results = Results(seed)
    stages: dict[str, Callable[[], None]] = {
        "square Ising": lambda: _square(results, plan, progress),
        "closed hyperbolic {5,4} Ising": lambda: _hyperbolic(results, plan, progress),
        "random energy model": lambda: results.systems.extend(corridor.rem_systems(plan.rem, seed=seed)),
        "training at 1/sqrt(d_k)": lambda: _train(results, "standard", None, plan, progress),
        "training with the thermostat": lambda: _train(results, "steered", Thermostat(), plan, progress),
        "heads and comparison": lambda: _compare(results),
    }
    with tqdm(stages.items(), disable=not progress, desc="report", unit="stage") as bar:
        for name, stage in bar:
            bar.set_description(name)
            started = time.perf_counter()
            stage()
            results.seconds[name] = time.perf_counter() - started
        bar.set_description("report")
    return results


def _square(results: Results, plan: Plan, progress: bool) -> None:
    models: dict[Any, ising.IsingModel] = {L: ising.ferromagnet(ising.square(L)) for L in plan.square}
    center = ising.exact.SQUARE_CRITICAL_BETA
    betas = {L: center + np.linspace(-1.2, 0.6, plan.n_beta) / L for L in models}
    results.square = _sample(models, betas, plan, results.seed, progress)
    results.systems += corridor.spin_systems(
        "square Ising", models, results.square, VISIBLE_KEYS, results.seed, progress
    )


def _hyperbolic(results: Results, plan: Plan, progress: bool) -> None:
    models: dict[Any, ising.IsingModel] = {
        n: ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=n)) for n in plan.hyperbolic
    }
    betas = {n: HYPERBOLIC_BETA_C * (1 + np.linspace(-2.0, 4.0, plan.n_beta) / sqrt(n)) for n in models}
    results.hyperbolic = _sample(models, betas, plan, results.seed, progress)
    results.systems += corridor.spin_systems(
        "hyperbolic {5,4} Ising", models, results.hyperbolic, VISIBLE_KEYS, results.seed, progress
    )


def _sample(models: dict[Any, Any], betas: dict[Any, Any], plan: Plan, seed: int, progress: bool) -> list[xr.Dataset]:
    schedule = {size: ising.Schedule(plan.warmup, plan.draws) for size in models}
    return ising.sample_sizes(models, betas, schedule, update="swendsen_wang", chains=8, seed=seed, progress=progress)


def _train(results: Results, name: str, thermostat: Thermostat | None, plan: Plan, progress: bool) -> None:
    setattr(results, name, train(thermostat=thermostat, seed=results.seed, steps=plan.steps, progress=progress))


def _compare(results: Results) -> None:
    results.systems += corridor.head_systems("untrained heads", results.standard, initial=True)
    results.systems += corridor.head_systems("trained heads, 1/sqrt(d_k)", results.standard)
    results.systems += corridor.head_systems("trained heads, thermostat", results.steered)
    results.table = corridor.compare(results.systems)
    results.head_heat = xr.concat(
        [
            _head_heat(results.standard, "untrained", initial=True),
            _head_heat(results.standard, "trained at 1/sqrt(d_k)"),
            _head_heat(results.steered, "trained with the thermostat"),
        ],
        dim="run",
    )


def _head_heat(run: xr.Dataset, name: str, initial: bool = False) -> xr.DataArray:
    """C(beta) of every head against x = beta / beta_c."""
    scores = head_scores(run, initial=initial)
    n_layers, n_heads = scores.shape[:2]
    rows = scores.values.reshape(n_layers * n_heads, -1, scores.shape[-1])
    x = np.geomspace(0.05, 20, 81)
    beta_c = attention.pseudo_critical_beta(rows)
    curves = np.stack(
        [attention.head_mean(attention.specific_heat(rows, (ratio * beta_c)[:, None]), rows) for ratio in x], axis=-1
    )
    labels = [f"layer {layer} head {head}" for layer in range(n_layers) for head in range(n_heads)]
    return xr.DataArray(curves, {"head": labels, "x": x, "run": name}, ("head", "x"), "specific_heat")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that make the numbers."""
    packages = ("ceas-physics", "numpy", "numba", "scipy", "xarray", "matplotlib")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _staging_folder(out: Path) -> Path:
    """An empty folder beside `out`, on the same disk, for the report to grow in."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got the file {out}")
    if out.is_dir() and any(out.iterdir()) and not (out / page.PAGE).exists():
        raise ValueError(f"{out} holds other files and would be replaced; give an empty or a new folder with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.is_dir():
            (out / page.PAGE).touch()
        return Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error.strerror}; give another folder with --out") from None
