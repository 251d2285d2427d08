"""Nearest-key lookup in context: one attention head with trainable projections, at a fixed beta, on noisy keys.

A code book holds n unit keys. A sequence shows all n pairs (key, label) with the labels dealt afresh, then a noisy copy
of one key, and asks for its label. The head answers with the label weights sum_i p_i [label_i = c], where
p = softmax(beta (W_Q query).(W_K key_i)). For noise of variance v per component the exact posterior of the key has
W_Q^T W_K = 1 and beta = 1/v; only the product beta W_Q^T W_K matters to a head, so beta acts through training alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import arguments as rules

LEAST_EXPONENT = -80.0  # scaled scores further under the largest count as this far: the weights stay normal floats
N_TEST = 1000  # lookups of a seed on which everything is measured
MEASURES = ("accuracy", "weight", "loss")


@dataclass(frozen=True)
class LookupTask:
    """The lookups: unit keys uniform on the sphere, one code book a seed.

    Attributes
    ----------
    n_pairs : int
        Pairs of key and label in a sequence.
    n_categories : int
        Labels, a divisor of ``n_pairs``: every label belongs to equally many keys. Chance is 1/n_categories.
    width : int
        Components of a key, and d_k of the head.
    noise : float
        Standard deviation of the noise in each component of the query, > 0.
    """

    n_pairs: int = 64
    n_categories: int = 64
    width: int = 16
    noise: float = 0.15

    def __post_init__(self) -> None:
        rules.check_fields(self, n_pairs=rules.count, n_categories=rules.count, width=rules.count, noise=rules.positive)
        if self.n_categories < 2 or self.n_pairs % self.n_categories:
            given = f"got {self.n_categories} categories and {self.n_pairs} pairs"
            raise ValueError(f"n_categories must be at least 2 and divide n_pairs, {given}")
        if self.width < 2:
            raise ValueError(f"width must be at least 2, got {self.width}")

    @property
    def bayes_beta(self) -> float:
        """1/noise^2, the best beta with W_Q^T W_K = 1."""
        return 1.0 / self.noise**2


@dataclass(frozen=True)
class Sequences:
    """Lookups of every seed.

    Attributes
    ----------
    queries : ndarray, shape (seed, lookup, width)
    labels : ndarray of int16, shape (seed, lookup, pair)
    answers : ndarray of int16, shape (seed, lookup)
        The right labels.
    """

    queries: np.ndarray
    labels: np.ndarray
    answers: np.ndarray

    def same(self) -> np.ndarray:
        """1 at the keys with the right label, else 0; (seed, lookup, pair)."""
        return (self.labels == self.answers[..., None]).astype(np.float32)

    def take(self, rows: np.ndarray) -> Sequences:
        """The lookups with indices ``rows`` (seed, chosen)."""
        seeds = np.arange(len(rows))[:, None]
        return Sequences(self.queries[seeds, rows], self.labels[seeds, rows], self.answers[seeds, rows])


class Books:
    """Code books, first projections and streams of random numbers of seeds 0, 1, ...; a seed does not see the others.

    Attributes
    ----------
    keys : ndarray, shape (seed, pair, width)
    initial : ndarray, shape (2, seed, width, width)
        W_Q and W_K before training: normal, variance 1/width.
    test : Sequences
    """

    def __init__(self, task: LookupTask, n_seeds: int, seed: int) -> None:
        self.task = task
        streams = [np.random.SeedSequence([seed, index]).spawn(3) for index in range(n_seeds)]
        start, test, self.training = ([np.random.default_rng(stream) for stream in part] for part in zip(*streams))
        keys = np.array([rng.standard_normal((task.n_pairs, task.width)) for rng in start])
        self.keys = (keys / np.linalg.norm(keys, axis=-1, keepdims=True)).astype(np.float32)
        initial = [rng.standard_normal((2, task.width, task.width)) / math.sqrt(task.width) for rng in start]
        self.initial = np.stack(initial, axis=1).astype(np.float32)
        self.test = self.draw(test, N_TEST)

    def draw(self, generators: list[np.random.Generator], size: int) -> Sequences:
        """Fresh lookups, ``size`` for each seed."""
        task = self.task
        hand = np.broadcast_to(np.arange(task.n_pairs, dtype=np.int16) % task.n_categories, (size, task.n_pairs))
        parts = []
        for rng, keys in zip(generators, self.keys):
            target = rng.integers(task.n_pairs, size=size)
            noise = task.noise * rng.standard_normal((size, task.width), dtype=np.float32)
            labels = rng.permuted(hand, axis=1)
            parts.append((keys[target] + noise, labels, labels[np.arange(size), target]))
        return Sequences(*(np.array(part) for part in zip(*parts)))


def loss_and_gradient(
    projections: np.ndarray, keys: np.ndarray, sequences: Sequences, beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of -ln sum_{i: right label} p_i and its gradient, for all seeds and beta at once.

    Parameters
    ----------
    projections : ndarray, shape (2, seed, beta, width, width)
        W_Q and W_K.
    keys : ndarray, shape (seed, pair, width)
    sequences : Sequences
    beta : ndarray, shape (beta,)

    Returns
    -------
    loss : ndarray, shape (seed, beta)
    gradient : ndarray, the shape of ``projections``
    """
    queries, keys = sequences.queries[:, None], keys[:, None]  # (seed, 1, lookup or pair, width)
    weights, projected_queries, projected_keys = _attend(projections, keys, queries, beta)
    shared = weights * sequences.same()[:, None]
    right = shared.sum(axis=-1, keepdims=True)
    shared /= right
    weights -= shared
    weights *= (beta / queries.shape[2])[:, None, None]  # now the gradient at (W_Q query).(W_K key)
    at_queries = (weights @ projected_keys).swapaxes(-1, -2) @ queries
    at_keys = (weights.swapaxes(-1, -2) @ projected_queries).swapaxes(-1, -2) @ keys
    return -np.log(right).mean(axis=(-1, -2)), np.stack([at_queries, at_keys])


def _attend(
    projections: np.ndarray, keys: np.ndarray, queries: np.ndarray, beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (seed, beta, lookup, pair), projected queries and keys."""
    projected_queries = queries @ projections[0].swapaxes(-1, -2)
    projected_keys = keys @ projections[1].swapaxes(-1, -2)
    weights = (projected_queries * beta[:, None, None]) @ projected_keys.swapaxes(-1, -2)
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(np.maximum(weights, LEAST_EXPONENT, out=weights), out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights, projected_queries, projected_keys


def score(projections: np.ndarray, books: Books, beta: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy, weight of the right label and loss on the test lookups, each (beta, seed)."""
    test, same, n_categories = books.test, books.test.same(), books.task.n_categories
    found: dict[str, list[np.ndarray]] = {name: [] for name in MEASURES}
    for k, keys in enumerate(books.keys):  # one seed after the other: all at once would not fit in a cache
        weights, _, _ = _attend(projections[:, k : k + 1], keys[None, None], test.queries[None, None, k], beta)
        right = (weights[0] * same[k]).sum(axis=-1)  # (beta, lookup)
        order = np.argsort(test.labels[k], axis=-1, kind="stable")
        by_label = np.take_along_axis(weights[0], order[None], axis=-1)
        by_label = by_label.reshape(*right.shape, n_categories, -1).sum(axis=-1)
        found["accuracy"].append((by_label.argmax(axis=-1) == test.answers[k]).mean(axis=-1))
        found["weight"].append(right.mean(axis=-1, dtype=float))
        found["loss"].append(-np.log(right).mean(axis=-1, dtype=float))
    return {name: np.stack(rows, axis=-1) for name, rows in found.items()}
