"""What methods made of independent runs share: checks, jackknife errors, provenance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import as_flag
from .dataset import _provenance
from .integers import as_integer
from .model import IsingModel
from .schedule import Schedule

Average = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def check_arguments(model: IsingModel, progress: bool, **counts: tuple[int, int]) -> None:
    """One IsingModel, a flag, and integers not below their least value: name=(value, least)."""
    if not isinstance(model, IsingModel):
        raise ValueError(f"model must be one IsingModel, got {type(model).__name__}")
    as_flag("progress", progress)
    for name, (value, least) in counts.items():
        as_integer(name, value, least)


def provenance(model: IsingModel) -> dict[str, Any]:
    """The attributes of `sample` less those of its schedule."""
    facts = _provenance(model, Schedule())
    return {name: fact for name, fact in facts.items() if name not in ("warmup", "draws", "thin")}


def jackknife(average: Average, runs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over all runs and its error from leaving out one run at a time; NaN for a single run.

    `average` maps 0/1 weights of runs (case, run) to results (case, ...).
    """
    mean = average(np.ones((1, runs)))[0]
    if runs == 1:
        return mean, np.full_like(mean, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = average(1.0 - np.eye(runs))
        spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return mean, np.sqrt((runs - 1) / runs * spread)
