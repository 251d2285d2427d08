"""The parts of a classifier of spins: settings, couplings, images, and what functions of them accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ising.arguments import as_number, as_numbers, refuse
from ising.integers import as_integer

from .. import arguments as rules

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Learning:
    """How a classifier is trained; the same settings serve both methods.

    Attributes
    ----------
    hidden
        Hidden spins.
    beta
        Inverse temperature of the spins.
    nudge
        Strength eta of the force eta (t - z) on the outputs in the clamped phases, one with +eta, one with -eta.
    relaxation
        Rounds of updates, hidden then outputs, in each phase.
    epochs, batch_size, learning_rate
        Stochastic gradient descent with momentum 0.9.
    """

    hidden: int = 64
    beta: float = 0.5
    nudge: float = 0.5
    relaxation: int = 12
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("hidden", "relaxation", "epochs", "batch_size"):
            as_integer(name, getattr(self, name), 1)
        for name in ("beta", "nudge", "learning_rate"):
            as_number(name, getattr(self, name), above=0)


class Classifier(NamedTuple):
    """Couplings W (hidden, inputs), U (classes, hidden), fields b (hidden,), c (classes,)."""

    W: Array
    U: Array
    b: Array
    c: Array


class Images(NamedTuple):
    """A classification set: pixels (n, pixels) in [-1, 1] and labels (n,), for training and for the test."""

    train: Array
    train_labels: NDArray[np.int64]
    test: Array
    test_labels: NDArray[np.int64]


def network_rule(name: str, value: Any) -> Classifier:
    """A classifier whose layers fit."""
    if not isinstance(value, Classifier):
        refuse(name, "a Classifier such as initial(64, 16, 10)", value)
    W, U, b, c = (as_numbers(f"{part} of {name}", array) for part, array in zip(value._fields, value))
    if W.ndim != 2 or U.shape != (len(c), len(b)) or len(W) != len(b) or b.ndim * c.ndim != 1:
        shapes = ", ".join(str(part.shape) for part in (W, U, b, c))
        raise ValueError(f"{name} must have W (hidden, inputs), U (classes, hidden), b and c that fit, got {shapes}")
    return value


def images_rule(name: str, value: Any) -> Images:
    """Pixels and labels of the same number of rows, both for training and for the test."""
    if not isinstance(value, Images):
        refuse(name, "Images such as digits()", value)
    for pixels, labels in ((value.train, value.train_labels), (value.test, value.test_labels)):
        as_numbers(f"pixels of {name}", pixels, ndim=2)
        if rules.tokens(f"labels of {name}", labels).shape != pixels.shape[:1]:
            raise ValueError(f"{name} must have one label a row, got {labels.shape} for {pixels.shape}")
    return value


def check_rows(network: Classifier, x: Array, targets: Array | None = None) -> None:
    """ValueError unless x are rows of inputs of the network, and targets rows of its outputs."""
    inputs, classes = network.W.shape[1], len(network.c)
    if x.shape[1] != inputs:
        raise ValueError(f"x must be (n, {inputs}) as W of the network, got shape {x.shape}")
    if targets is not None and targets.shape != (len(x), classes):
        raise ValueError(f"targets must be ({len(x)}, {classes}), a row for each of x, got shape {targets.shape}")


def start_of(start: Any, *shapes: tuple[int, ...]) -> list[Array]:
    """The pair (y, z) to start from, checked."""
    parts = list(start) if isinstance(start, tuple | list) else []
    if [np.shape(part) for part in parts] != list(shapes):
        refuse("start", f"a pair (y, z) of shapes {shapes[0]} and {shapes[1]}, or None", start)
    return [as_numbers("start", part) for part in parts]
