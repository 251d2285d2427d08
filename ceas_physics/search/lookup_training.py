"""Heads trained on nearest-key lookups at many beta and seeds at once, measured after several training lengths."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ising.integers import as_integer
from ising.streams import check_seed

from .. import arguments as rules
from ..provenance import versions
from ..training import Adam
from .lookup import MEASURES, Books, LookupTask, Sequences, loss_and_gradient, score

OPTIMIZERS = ("adam", "gradient_descent")
WORDS = {
    "accuracy": ("share of lookups answered right", "1", "argmax of the label weights is the label"),
    "weight": ("mean weight of the right label", "1", "accuracy of a label drawn from the weights"),
    "loss": ("mean cross-entropy of the label", "nat", "-ln of the weight of the right label"),
}


@dataclass(frozen=True)
class LookupTraining:
    """How the head is trained.

    Attributes
    ----------
    lengths : tuple of int
        Numbers of steps after which it is measured, rising; one run goes through all of them.
    batch_size : int
        Sequences of a step.
    learning_rate : float
    optimizer : {"adam", "gradient_descent"}
        Adam is blind to the size of the gradient, and with it to most of what beta does; plain descent is not.
    training_set : int or None
        Distinct training sequences; None draws new ones in every step.
    """

    lengths: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    training_set: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.lengths, tuple | list):
            rules.refuse("lengths", "rising numbers of steps", self.lengths)
        for length in self.lengths:
            rules.count("lengths", length)
        rules.check_fields(self, batch_size=rules.count, learning_rate=rules.positive)
        rules.check_fields(self, optimizer=rules.one_of(*OPTIMIZERS), training_set=rules.optional(rules.count))
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1:
            raise ValueError(f"lengths must be rising numbers of steps from 1 on, got {self.lengths}")


@rules.checked(
    task=rules.optional(rules.kind(LookupTask, "LookupTask()")),
    training=rules.optional(rules.kind(LookupTraining, "LookupTraining()")),
    betas=rules.shaped("beta"),
    n_seeds=rules.count,
    seed=rules.seed,
    progress=rules.flag,
)
def measure(
    task: LookupTask | None = None,
    training: LookupTraining | None = None,
    betas: ArrayLike = (0.25, 20.0 / 3.0),
    n_seeds: int = 16,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Train one head for every beta and seed, all at once, and measure it after every training length.

    Heads of one seed share code book, first projections and sequences at every beta.

    Parameters
    ----------
    task : LookupTask, optional
    training : LookupTraining, optional
    betas : array_like
        Positive.
    n_seeds : int
        At least 2.
    seed : int
        Root of all random numbers; seed k of a run is the same whatever their number. Same seed, same numbers, bit for
        bit, on one CPU type.

    Returns
    -------
    xarray.Dataset
        On (steps, beta, seed), steps = 0 before training: accuracy, weight and loss over 1,000 fresh lookups; the same
        with ``identity_`` on (beta, seed) for W_Q = W_K = 1 and with ``bayes_`` on (seed,) for the exact posterior;
        ``projections`` after the last step.

    Raises
    ------
    ValueError
        A beta that is not positive, fewer than 2 seeds, a seed outside [0, 2^63).
    FloatingPointError
        A loss is no longer finite; the message names the step.
    """
    task, training = task or LookupTask(), training or LookupTraining()
    beta = np.atleast_1d(np.asarray(betas, dtype=np.float32))
    if beta.ndim != 1 or not np.all((beta > 0.0) & np.isfinite(beta)):
        raise ValueError(f"betas must be positive and finite, got {betas!r}")
    n_seeds, seed = as_integer("n_seeds", n_seeds), check_seed(seed)
    if n_seeds < 2:
        raise ValueError(f"errors need at least 2 seeds, got {n_seeds}")
    with threadpool_limits(1):
        books = Books(task, n_seeds, seed)
        one = np.broadcast_to(np.eye(task.width, dtype=np.float32), (2, n_seeds, 1, task.width, task.width))
        identity = score(one, books, beta)
        bayes = score(one, books, np.array([task.bayes_beta], dtype=np.float32))
        scores, projections = _train(books, training, beta, progress)
    return _dataset(task, training, np.asarray(betas, float).ravel(), seed, scores, identity, bayes, projections)


def _train(
    books: Books, training: LookupTraining, beta: np.ndarray, progress: bool
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores (steps, beta, seed) before training and after each length, and the last projections."""
    shape = (*books.initial.shape[:2], len(beta), *books.initial.shape[2:])
    projections = np.broadcast_to(books.initial[:, :, None], shape).copy()
    flat = projections.reshape(-1)
    adam = Adam(flat.size, training.learning_rate)
    records = [score(projections, books, beta)]
    store = books.draw(books.training, training.training_set) if training.training_set else None
    bar = tqdm(range(1, training.lengths[-1] + 1), desc="lookup", unit="step", leave=False, disable=not progress)
    for step in bar:
        loss, gradient = loss_and_gradient(projections, books.keys, _batch(books, training, store), beta)
        if not np.all(np.isfinite(loss)):
            raise FloatingPointError(f"a loss is not finite at step {step}; lower learning_rate or the largest beta")
        if training.optimizer == "adam":
            adam.step(flat, gradient.reshape(-1))
        else:
            projections -= training.learning_rate * gradient
        if step in training.lengths:
            records.append(score(projections, books, beta))
    return {name: np.array([record[name] for record in records]) for name in MEASURES}, projections


def _batch(books: Books, training: LookupTraining, store: Sequences | None) -> Sequences:
    """The sequences of a step, new ones or some of the training set."""
    if store is None:
        return books.draw(books.training, training.batch_size)
    size = len(store.answers[0])
    return store.take(np.array([rng.integers(size, size=training.batch_size) for rng in books.training]))


def _dataset(
    task: LookupTask,
    training: LookupTraining,
    betas: np.ndarray,
    seed: int,
    scores: dict[str, np.ndarray],
    identity: dict[str, np.ndarray],
    bayes: dict[str, np.ndarray],
    projections: np.ndarray,
) -> xr.Dataset:
    data = xr.Dataset(coords={"steps": [0, *training.lengths], "beta": betas})
    for name, (long_name, units, formula) in WORDS.items():
        words = {"units": units, "formula": formula}
        data[name] = ("steps", "beta", "seed"), scores[name], words | {"long_name": long_name}
        data[f"identity_{name}"] = (
            ("beta", "seed"),
            identity[name],
            words | {"long_name": f"{long_name}, W_Q = W_K = 1"},
        )
        data[f"bayes_{name}"] = "seed", bayes[name][0], words | {"long_name": f"{long_name}, exact posterior"}
    dims = ("projection", "seed", "beta", "row", "column")
    data["projections"] = dims, projections, {"long_name": "W_Q and W_K at the end", "units": "1", "formula": "trained"}
    data["beta"].attrs = {"long_name": "factor of the unscaled scores", "units": "1/score"}
    data["steps"].attrs = {"long_name": "training steps taken", "units": "1"}
    data.attrs = {"seed": seed, "task": json.dumps(asdict(task)), "training": json.dumps(asdict(training))}
    data.attrs["versions"] = json.dumps(versions())
    return data


def books_of(data: xr.Dataset) -> Books:
    """The code books and test lookups of ``measure``'s result, rebuilt from its attributes."""
    return Books(LookupTask(**json.loads(data.attrs["task"])), data.sizes["seed"], int(data.attrs["seed"]))
