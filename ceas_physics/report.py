"""The main job: sample, train, compare, and write a folder that a person can read.

Stages: square Ising, closed hyperbolic Ising, random energy model, a transformer trained without and with the
thermostat, and the comparison of every corridor with its critical point.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

import ising
from ising.streams import check_seed

from . import attention, corridor, page
from .folders import new_folder
from .thermostat import Thermostat
from .training import train
from .training.trace import head_scores

HYPERBOLIC_BETA_C = 0.3572605  # {5,4}, corner transfer matrix; only centres the beta windows
VISIBLE_KEYS = 64


@dataclass(frozen=True)
class Plan:
    """How much work a report does."""

    square: tuple[int, ...] = (8, 16, 32, 64)
    hyperbolic: tuple[int, ...] = (330, 1710, 3720)
    rem: tuple[int, ...] = (16, 64, 256, 1024)
    warmup: int = 150
    draws: int = 3000
    steps: int = 2048


QUICK = Plan((8, 16, 32), (330, 1710, 3720), (16, 64, 256), 100, 800, 384)

# t = beta / beta_c - 1 in units of 1/L and 1/sqrt(N): close around crossing and peak, a few points for the half-maximum
SQUARE_GRID = np.array([-4.5, -3.3, -2.2, *np.linspace(-1.4, 1.1, 8), 1.8, 3.0, 4.6])
HYPERBOLIC_GRID = np.array([*np.linspace(-2.0, 4.0, 13), 6.0, 10.0, 16.0])


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
        but an earlier report is refused, and so is the current one.
    quick
        About 20 seconds instead of a minute: smaller sizes, fewer draws, shorter training.
    seed
        The same seed gives the same numbers.
    progress
        Show a bar of the stages and one for the work inside; where stderr is not a terminal, a line per stage.

    Returns
    -------
    Results
        What the page shows; `findings.summary(results)` is its one-screen text.

    Raises
    ------
    ValueError
        The folder cannot be written, or is not a report's; or the seed is not in [0, 2^63).
    """
    check_seed(seed)
    with new_folder(out, page.CONTENTS) as folder:
        results = compute(QUICK if quick else Plan(), seed, progress)
        started = time.perf_counter()
        page.write(results, folder)
        results.seconds["figures and page"] = time.perf_counter() - started
        page.write_page(results, folder)
    return results


def compute(plan: Plan, seed: int, progress: bool) -> Results:
    """All stages, each timed."""
    results = Results(seed)
    bars = progress and sys.stderr.isatty()
    stages: dict[str, Callable[[], None]] = {
        "square Ising": lambda: _square(results, plan, bars),
        "closed hyperbolic {5,4} Ising": lambda: _hyperbolic(results, plan, bars),
        "random energy model": lambda: results.systems.extend(corridor.rem_systems(plan.rem, seed=seed)),
        "training at 1/sqrt(d_k)": lambda: _train(results, "standard", None, plan, bars),
        "training with the thermostat": lambda: _train(results, "steered", Thermostat(), plan, bars),
        "heads and comparison": lambda: _compare(results),
    }
    with tqdm(stages.items(), disable=not bars, desc="report", unit="stage", position=0) as bar:
        for name, stage in bar:
            bar.set_description(name)
            started = time.perf_counter()
            stage()
            results.seconds[name] = time.perf_counter() - started
            if progress and not bars:
                tqdm.write(f"{name}: {results.seconds[name]:.1f} s", file=sys.stderr)
        bar.set_description("report")
    return results


def _square(results: Results, plan: Plan, progress: bool) -> None:
    models: dict[Any, ising.IsingModel] = {L: ising.ferromagnet(ising.square(L)) for L in plan.square}
    betas = {L: ising.exact.SQUARE_CRITICAL_BETA * (1 + SQUARE_GRID / L) for L in models}
    results.square = _sample(models, betas, plan.warmup, plan.draws, results.seed, progress)
    results.systems += corridor.spin_systems(
        "square Ising", models, results.square, VISIBLE_KEYS, results.seed, progress
    )


def _hyperbolic(results: Results, plan: Plan, progress: bool) -> None:
    models: dict[Any, ising.IsingModel] = {
        n: ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=n)) for n in plan.hyperbolic
    }
    betas = {n: HYPERBOLIC_BETA_C * (1 + HYPERBOLIC_GRID / sqrt(n)) for n in models}
    results.hyperbolic = _sample(models, betas, plan.warmup, plan.draws, results.seed, progress)
    results.systems += corridor.spin_systems(
        "hyperbolic {5,4} Ising", models, results.hyperbolic, VISIBLE_KEYS, results.seed, progress
    )


def _sample(
    models: dict[Any, Any], betas: dict[Any, Any], warmup: int, draws: int, seed: int, progress: bool
) -> list[xr.Dataset]:
    schedule = {size: ising.Schedule(warmup, draws) for size in models}
    return ising.sample_sizes(models, betas, schedule, update="swendsen_wang", chains=8, seed=seed, progress=progress)


def _train(results: Results, name: str, thermostat: Thermostat | None, plan: Plan, progress: bool) -> None:
    setattr(results, name, train(thermostat=thermostat, seed=results.seed, steps=plan.steps, progress=progress))


def _compare(results: Results) -> None:
    results.systems += corridor.head_systems("untrained heads", results.standard, initial=True)
    results.systems += corridor.head_systems("trained heads, 1/sqrt(d_k)", results.standard)
    results.systems += corridor.head_systems("trained heads, thermostat", results.steered)
    results.table = corridor.compare(results.systems).assign_attrs(seed=results.seed)
    results.head_heat = xr.concat(
        [
            _head_heat(results.standard, "untrained", initial=True),
            _head_heat(results.standard, "trained at 1/sqrt(d_k)"),
            _head_heat(results.steered, "trained with the thermostat"),
        ],
        dim="run",
    )
    results.head_heat.attrs = {"long_name": "specific heat of the rows", "units": "1", "formula": "C = beta^2 Var_p[s]"}
    results.head_heat["x"].attrs = {
        "long_name": "reduced inverse temperature",
        "units": "1",
        "formula": "beta / beta_c",
    }


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
