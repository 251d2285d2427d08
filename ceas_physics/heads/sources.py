"""Where scores come from: a trained model on a text, or arrays of scores or of queries and keys from any framework."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ising.integers import as_integer

from .. import arguments as rules
from ..models import Bert, Llama
from ..models.layer import grouped_scores
from ..text import read_text

PART = 8  # passages that go through a layer together
LEAST_LENGTH = 16  # tokens of a passage: fewer leave too few rows with 8 visible keys


def as_numpy(values: Any, name: str = "q and k") -> np.ndarray:
    """An array, or a tensor of another framework on any device, half precision made single."""
    if hasattr(values, "detach"):  # a torch tensor, known without importing torch
        values = values.detach().cpu()
        values = values.float() if values.element_size() < 4 else values
    try:
        array = np.asarray(values)
    except Exception:  # ragged, or a foreign object, which may raise anything
        rules.refuse(name, "arrays of real numbers", values)
    if array.dtype.kind not in "fiu" or array.size == 0 or isinstance(values, np.ma.MaskedArray):
        rules.refuse(name, "arrays of real numbers", values)
    return array.astype(np.float32) if array.dtype.itemsize < 4 or array.dtype.kind != "f" else array


def _check_names(sink: tuple[int, ...], name: str) -> None:
    rules.text("name", name)
    if not isinstance(sink, tuple | list):
        rules.refuse("sink", "the numbers of keys", sink)
    for key in sink:
        rules.index("sink", key)


@dataclass(frozen=True)
class Scores:
    """Unscaled scores q.k as a source.

    Attributes
    ----------
    values : array_like, shape (layer, head, passage, query, key)
        -inf for hidden keys; leading axes of length 1 may be left out (one passage, one head).
    d_k : int
        Gives beta_0 = 1/sqrt(d_k), the factor that the model puts in front of the scores.
    sink : tuple of int
        Keys that the second measurement leaves out.
    name : str
    """

    values: ArrayLike
    d_k: int
    sink: tuple[int, ...] = (0,)
    name: str = "scores"

    def __post_init__(self) -> None:
        as_integer("d_k", self.d_k, 1)
        _check_names(self.sink, self.name)

    def layers(self) -> Iterator[np.ndarray]:
        """Scores of one layer after the other, (head, passage, query, key)."""
        values = as_numpy(self.values, "values (scores)")
        if not 2 <= values.ndim <= 5:
            raise ValueError(
                f"values (scores) must have the axes (layer, head, passage, query, key), got {values.shape}"
            )
        yield from values.reshape((1,) * (5 - values.ndim) + values.shape)


@dataclass(frozen=True)
class QueriesKeys:
    """Queries and keys, after rotary positions if there are any, as a source.

    Attributes
    ----------
    q, k : array_like, shape (layer, passage, head, token, d_k)
        ``k`` may have fewer heads: each serves as many neighbouring query heads. Leading axes of length 1 may be left
        out.
    causal : bool
        Hide the keys after the query.
    sink : tuple of int
        Keys that the second measurement leaves out.
    name : str
    """

    q: ArrayLike
    k: ArrayLike
    causal: bool = True
    sink: tuple[int, ...] = (0,)
    name: str = "queries and keys"

    def __post_init__(self) -> None:
        rules.flag("causal", self.causal)
        _check_names(self.sink, self.name)

    @property
    def d_k(self) -> int:
        """Dimension of a head's queries and keys."""
        return as_numpy(self.q).shape[-1]

    def layers(self) -> Iterator[np.ndarray]:
        """Scores of one layer after the other, (head, passage, query, key)."""
        q, k = (array.reshape((1,) * (5 - array.ndim) + array.shape) for array in map(as_numpy, (self.q, self.k)))
        same = q.ndim == k.ndim == 5 and [*q.shape[:2], *q.shape[3:]] == [*k.shape[:2], *k.shape[3:]]
        if not same or q.shape[2] % k.shape[2]:
            raise ValueError(
                "q and k must have the axes (layer, passage, head, token, d_k), the heads of q a multiple of those of "
                f"k, got {q.shape} and {k.shape}"
            )
        hidden = ~np.tri(q.shape[3], dtype=bool) & self.causal
        for queries, keys in zip(q, k):
            scores = grouped_scores(queries, keys).swapaxes(0, 1)
            scores[..., hidden] = -np.inf
            yield scores


@dataclass(frozen=True)
class ModelOnText:
    """A trained model and the passages of tokens it reads, (passage, token)."""

    model: Bert | Llama
    tokens: np.ndarray

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def d_k(self) -> int:
        """Dimension of a head's queries and keys."""
        return self.model.shape.d_k

    @property
    def sink(self) -> tuple[int, ...]:
        """[CLS] and [SEP] of a BERT, the first token of a decoder."""
        return tuple(np.flatnonzero(self.model.special_keys(self.tokens.shape[1])).tolist())

    def layers(self) -> Iterator[np.ndarray]:
        """Scores of one layer after the other, (head, passage, query, key).

        Passages are shared out among the cores, which wait for each other once a layer; BLAS should have one thread.
        Parts are the same on every machine, because a product of other sizes rounds differently.
        """
        passes = [self.model.forward(self.tokens[k : k + PART]) for k in range(0, len(self.tokens), PART)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in range(self.model.shape.n_layers):
                parts = list(pool.map(lambda one: next(one).scores.swapaxes(0, 1), passes))
                yield np.concatenate(parts, axis=1)


def read_passages(model: Bert | Llama, text: str | Path | ArrayLike | None, count: int, length: int) -> np.ndarray:
    """Up to ``count`` passages of ``length`` tokens, (passage, token), at even distances through a text.

    ``text`` as in `ceas_physics.text.read_text`, or an array of token ids; passages do not overlap. ValueError if it is
    too short for one, or a token is unknown to the model.
    """
    shape = model.shape
    rules.count("passages", count)
    rules.count("length", length)
    if not LEAST_LENGTH <= length <= shape.positions:
        raise ValueError(f"length must be in [{LEAST_LENGTH}, {shape.positions}] tokens for {model.name}, got {length}")
    if text is None or isinstance(text, str | Path):
        if model.tokenizer is None:
            raise ValueError(f"{model.name} has no tokenizer that can be read: give token ids (an array) as text")
        ids = model.tokenizer(read_text(text))
    else:
        try:
            ids = np.asarray(text).ravel()
        except Exception:  # ragged, or a foreign object, which may raise anything
            rules.refuse("text", "a str, a Path, None or whole numbers (token ids)", text)
        if ids.dtype.kind not in "iu":
            raise ValueError(f"text must be a str, a Path, None or whole numbers (token ids), got {ids.dtype}")
    window = length - model.wrap(np.zeros((1, 0), dtype=np.int64)).shape[1]
    if len(ids) < window:
        raise ValueError(
            f"the text has {len(ids)} tokens, a passage of {length} needs {window}: give a longer text or a smaller "
            "length (a file is given as a pathlib.Path)"
        )
    if ids.min() < 0 or ids.max() >= shape.vocabulary:
        raise ValueError(f"text: token ids must be in [0, {shape.vocabulary}), got {ids.min()} to {ids.max()}")
    starts = np.linspace(0, len(ids) - window, min(count, len(ids) // window)).astype(np.int64)
    return model.wrap(ids[starts[:, None] + np.arange(window)])
