"""The command `ceas search`: lookups at many beta, the search, the bandit and redundancy, written to a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from .. import quantization
from ..folders import Contents, new_folder
from ..provenance import stamp
from ..training import train
from . import bandit, figures, tables
from .conditions import NAMED_BETAS, measure_conditions
from .curves import summarize
from .lookup import LookupTask
from .lookup_training import LookupTraining, measure
from .search import Search, nary_search

CONTENTS = Contents(r"(lookup|descent|conditions|bandit|redundancy_\w+)\.nc|table\.md|\w+\.png", "lookup.nc",
                    b"ceas-physics")  # fmt: skip
DESCENT_RATE = 0.05
SEARCHED = (0.0, 10.0)


@dataclass(frozen=True)
class Plan:
    """How much work `ceas search` does.

    Attributes
    ----------
    betas : tuple of float
        Grid of the curves, rising.
    lengths : tuple of int
        Training lengths of the curves.
    condition_steps, search_steps : int
        Training length of the conditions, and of the search and the bandit: the latter is one of ``lengths``.
    """

    betas: tuple[float, ...] = tuple(sorted({*(2.0 ** (k / 2.0) for k in range(-8, 13)), *NAMED_BETAS}))
    lengths: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    n_seeds: int = 16
    condition_steps: int = 512
    search_steps: int = 256
    pulls: int = 2000
    character_runs: int = 4
    character_steps: int = 2048


QUICK = Plan(tuple(sorted({*(2.0**k for k in range(-4, 7, 2)), *NAMED_BETAS})), (32, 64, 128, 256), 4, 64, 128, 300,
             1, 256)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """Everything that the table and the pictures show."""

    adam: xr.Dataset
    descent: xr.Dataset
    conditions: xr.Dataset
    search: Search
    bandit: xr.Dataset
    redundancy: dict[str, xr.Dataset]


def report(out: str | Path, plan: Plan | None = None, seed: int = 0, progress: bool = False) -> str:
    """Write ``table.md``, the Datasets and the pictures to ``out``; returns the table."""
    with new_folder(out, CONTENTS) as folder:
        results = run(plan or Plan(), seed, progress)
        datasets = {"lookup": results.adam, "descent": results.descent, "conditions": results.conditions}
        datasets |= {"bandit": results.bandit}
        datasets |= {f"redundancy_{name}": data for name, data in results.redundancy.items()}
        for name, data in datasets.items():
            stamp(data, seed).to_netcdf(folder / f"{name}.nc")
        text = tables.markdown(results)
        (folder / "table.md").write_text(text, encoding="utf-8")
        for name, figure in draw(results).items():
            figure.savefig(folder / f"{name}.png", dpi=130)
    return text


def run(plan: Plan, seed: int = 0, progress: bool = False) -> Results:
    """Every stage of the command; a bar of the stages and one inside each."""
    training = LookupTraining(plan.lengths)
    descent = replace(training, optimizer="gradient_descent", learning_rate=DESCENT_RATE)
    with tqdm(total=6, desc="search", unit="stage", disable=not progress) as bar:
        adam = measure(None, training, plan.betas, plan.n_seeds, seed, progress)
        bar.update()
        plain = measure(None, descent, plan.betas, plan.n_seeds, seed, progress)
        bar.update()
        conditions = measure_conditions(
            replace(training, lengths=(plan.condition_steps,)), n_seeds=plan.n_seeds, seed=seed, progress=progress
        )
        bar.update()
        search = search_beta(replace(training, lengths=(plan.search_steps,)), plan.n_seeds, seed)
        arms = adam["accuracy"].sel(steps=plan.search_steps).mean("seed")
        played = bandit.compare(arms, arms["beta"], pulls=plan.pulls, seed=seed)
        bar.update()
        redundancy = {"lookup": quantization.lookup_redundancy(adam, NAMED_BETAS[1], seed)}
        bar.update()
        runs = [train(seed=seed + k, steps=plan.character_steps, progress=progress) for k in range(plan.character_runs)]
        redundancy["characters"] = quantization.character_redundancy(runs, seed=seed)
        bar.update()
    return Results(adam, plain, conditions, search, played, redundancy)


def search_beta(
    training: LookupTraining, n_seeds: int = 16, seed: int = 0, n: int = 3, task: LookupTask | None = None
) -> Search:
    """n-ary search on [0, 10] for the beta of the best accuracy after the last step; every point has the same seeds."""

    def accuracy(points: np.ndarray) -> np.ndarray:
        return measure(task, training, points, n_seeds, seed, progress=False)["accuracy"].values[-1]

    return nary_search(accuracy, *SEARCHED, n=n)


def draw(results: Results) -> dict[str, Figure]:
    """The pictures by name."""
    bayes = float(results.adam["bayes_accuracy"].mean())
    chance = 1.0 / LookupTask().n_categories
    adam, descent = summarize(results.adam), summarize(results.descent)
    rounded = {name: quantization.summarize(data) for name, data in results.redundancy.items()}
    return {
        "accuracy": _figure(lambda ax: figures.accuracy_curves(adam, ax, bayes, chance), "Adam"),
        "descent": _figure(lambda ax: figures.accuracy_curves(descent, ax, bayes, chance), "gradient descent"),
        "search": _figure(lambda ax: figures.search_path(results.search, ax), "ternary search"),
        "regret": _figure(lambda ax: figures.regret(results.bandit, ax), ""),
        "redundancy_lookup": _figure(lambda ax: figures.redundancy(rounded["lookup"], ax), "lookup heads"),
        "redundancy_characters": _figure(lambda ax: figures.redundancy(rounded["characters"], ax), "character model"),
    }


def _figure(fill: Callable[[Axes], Axes], title: str) -> Figure:
    figure = Figure(figsize=(6.6, 4.2), layout="constrained")
    fill(figure.subplots()).set_title(title, loc="left", fontsize="medium")
    return figure
