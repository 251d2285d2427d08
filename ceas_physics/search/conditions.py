"""The lookup with other numbers of labels, pairs and training sequences, more noise, and without Adam."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import xarray as xr
from numpy.typing import ArrayLike

from ising.arguments import as_kind

from ..provenance import versions
from .lookup import LookupTask
from .lookup_training import LookupTraining, measure

NAMED_BETAS = (
    0.25,
    20.0 / 3.0,
)  # 1/sqrt(d_k) at d_k = 16, and the second interior point of a ternary search on [0, 10]
SHARES = (0.005, 0.02, 0.05, 0.2)  # of the sequences that a run with ever new ones sees


def conditions(training: LookupTraining) -> dict[str, tuple[LookupTask, LookupTraining]]:
    """The standard lookup, changed in one respect at a time: labels, pairs, noise, training set, optimizer."""
    task, seen = LookupTask(), training.lengths[-1] * training.batch_size
    table = {"standard": (task, training)}
    table |= {f"{n} categories": (replace(task, n_categories=n), training) for n in (4, 16)}
    table |= {f"{n} pairs": (replace(task, n_pairs=n, n_categories=n), training) for n in (16, 32, 128)}
    table |= {f"noise {noise}": (replace(task, noise=noise), training) for noise in (0.2, 0.25)}
    for share in SHARES:
        size = round(share * seen)
        table[f"{size} sequences ({share:.1%})"] = task, replace(training, training_set=size)
    descent = replace(training, optimizer="gradient_descent", learning_rate=50.0 * training.learning_rate)
    return table | {"gradient descent": (task, descent)}


def measure_conditions(
    training: LookupTraining, betas: ArrayLike = NAMED_BETAS, n_seeds: int = 16, seed: int = 0, progress: bool = True
) -> xr.Dataset:
    """Accuracy and weight on (condition, beta, seed) after the last step, with the exact posterior's and chance."""
    as_kind("training", training, LookupTraining, "LookupTraining()")
    if SHARES[0] * training.lengths[-1] * training.batch_size < 1.0:
        raise ValueError(f"training must see {1 / SHARES[0]:g} sequences or more, got {training}")
    table = conditions(training)
    parts = []
    for task, plan in table.values():
        data = measure(task, plan, betas, n_seeds, seed, progress).isel(steps=-1, drop=True)
        part = data[["accuracy", "weight", "bayes_accuracy"]]
        part["chance"] = (), 1.0 / task.n_categories, {"long_name": "accuracy of a guess", "units": "1"}
        parts.append(part)
    result = xr.concat(parts, xr.Variable("condition", list(table)), join="exact", combine_attrs="drop_conflicts")
    settings = {"training": json.dumps(asdict(training)), "versions": json.dumps(versions())}
    return result.assign_attrs(seed=seed, **settings)
