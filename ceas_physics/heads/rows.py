"""Rows of scores with exactly n visible keys, for several n: drawn at random, or cut out of arrays and models."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from .. import arguments as rules
from ..models import Bert, Llama
from .sources import PART, QueriesKeys, Scores, read_passages

LayerRows = dict[int, np.ndarray]  # n -> scores (head, passage, row, n) of one layer


@dataclass(frozen=True)
class GaussianRows:
    """Rows of independent N(0, sigma^2) scores as a source: the random energy model, or one with a planted key.

    Attributes
    ----------
    sigma : float
        Standard deviation of the background, > 0.
    s0 : float or None
        Score of one key in every row, in units of ``sigma`` above the background's mean; None plants no key.
    rows : int
        Rows of each size, in 32 blocks over which errors are taken.
    """

    sigma: float = 1.0
    s0: float | None = None
    rows: int = 4096

    def __post_init__(self) -> None:
        rules.check_fields(self, sigma=rules.positive, s0=rules.optional(rules.number), rows=rules.count)
        if self.rows < 64 or self.rows % 32:
            raise ValueError(f"rows must be a multiple of 32, at least 64, got {self.rows}")

    @property
    def name(self) -> str:
        """Name of the system."""
        return "random energy model" if self.s0 is None else f"planted key, s0 = {self.s0:g} sigma"

    @rules.checked(n=rules.count, seed=rules.seed)
    def draw(self, n: int, seed: int) -> np.ndarray:
        """Scores (1, block, row, n); a stream of its own for each n."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))
        scores = rng.standard_normal((1, 32, self.rows // 32, n))
        if self.s0 is not None:
            scores[..., 0] = self.s0
        return self.sigma * scores


def rows_of_arrays(source: Scores | QueriesKeys, sizes: Sequence[int]) -> list[LayerRows]:
    """The rows of arrays with exactly n visible keys, in every layer; those of the first head and passage say which."""
    layers = []
    for scores in source.layers():
        shown = np.isfinite(scores[0, 0])  # (query, key)
        found: LayerRows = {}
        for n in sizes:
            queries = np.flatnonzero(shown.sum(axis=-1) == n)
            if not queries.size:
                have = np.unique(shown.sum(axis=-1))
                raise ValueError(f"no row has exactly {n} visible keys, those here have {have.min()} to {have.max()}")
            picked = [scores[:, :, query, shown[query]] for query in queries]
            found[n] = np.stack(picked, axis=2)
        layers.append(found)
    return layers


def rows_of_model(
    model: Bert | Llama, text: str | Path | ArrayLike | None, sizes: Sequence[int], passages: int, rows: int
) -> list[LayerRows]:
    """Rows of a trained model in every layer.

    A decoder reads passages of the largest size and gives one row a passage and n, that of the n-th token. An encoder,
    where every token sees all, reads passages of each size, and up to ``rows`` queries of a passage are taken at even
    distances.
    """
    if isinstance(model, Llama):
        tokens = read_passages(model, text, passages, max(sizes))
        return _read(model, tokens, lambda scores: {n: scores[:, :, n - 1 : n, :n] for n in sizes})
    layers: list[LayerRows] = [{} for _ in range(model.shape.n_layers)]
    for n in sizes:
        tokens = read_passages(model, text, passages, n)
        queries = np.unique(np.linspace(0, n - 1, min(rows, n)).astype(int))
        for layer, found in zip(layers, _read(model, tokens, _taker(n, queries))):
            layer |= found
    return layers


def _taker(n: int, queries: np.ndarray) -> Callable[[np.ndarray], LayerRows]:
    return lambda scores: {n: scores[:, :, queries]}


def _read(model: Bert | Llama, tokens: np.ndarray, cut: Callable[[np.ndarray], LayerRows]) -> list[LayerRows]:
    """Cuts of the scores of all layers, (head, passage, row, n), passages shared out among the cores."""

    def read_part(start: int) -> list[LayerRows]:
        part = model.forward(tokens[start : start + PART])
        return [{n: rows.swapaxes(0, 1).copy() for n, rows in cut(layer.scores).items()} for layer in part]

    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(read_part, range(0, len(tokens), PART)))
    return [{n: np.concatenate([part[n] for part in layer], axis=1) for n in layer[0]} for layer in zip(*parts)]
