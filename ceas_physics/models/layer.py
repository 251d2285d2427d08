"""What the layers of all models share: parameters with their shapes, and attention from queries, keys and values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

import numpy as np

from ising.integers import as_integer

Parameters = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


class LayerPass(NamedTuple):
    """A layer of a forward pass in single precision.

    ``scores`` are the unscaled q.k, (passage, head, query, key), -inf for hidden keys; ``hidden`` is the residual
    stream after the layer, (passage, token, d_model).
    """

    scores: np.ndarray
    hidden: np.ndarray


def whole(settings: Mapping[str, Any], name: str) -> int:
    """A size in the settings of a model file; ValueError unless it is an integer >= 1, KeyError if it is missing."""
    return as_integer(name, settings[name], 1)


def positive(settings: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A number in the settings of a model file; ValueError unless it is > 0, KeyError if missing without a default."""
    value = settings[name] if default is None else settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise ValueError(f"{name} must be a number > 0, got {value!r}")
    return float(value)


def check_parameters(parameters: Parameters, shapes: Shapes, optional: str) -> None:
    """ValueError if a tensor is missing, has another shape, or is neither in ``shapes`` nor optional.

    A tensor left over would be a sign of other formulas; ``optional`` is a regular expression of names.
    """
    foreign = [name for name in parameters if name not in shapes and not re.fullmatch(optional, str(name))]
    if foreign:
        raise ValueError(f"parameters have a tensor {foreign[0]} that this architecture does not have; measure "
                         "arrays of q and k from your own framework")  # fmt: skip
    for name, shape in shapes.items():
        if not isinstance(parameters.get(name, np.empty(0)), np.ndarray):
            raise ValueError(f"parameters must hold arrays, got {type(parameters[name]).__name__} for {name}")
        if name not in parameters:
            raise ValueError(
                f"parameters have no tensor {name}: the file is truncated or of another architecture; fetch it again, "
                "or measure arrays of q and k from your own framework"
            )
        if parameters[name].shape != shape:
            raise ValueError(f"tensor {name} has the shape {parameters[name].shape}, its configuration says {shape}")


def untrained(shapes: Shapes, deviation: float, seed: int) -> dict[str, np.ndarray]:
    """Parameters before training: matrices normal with mean 0 and ``deviation``, norm weights 1, biases 0."""
    parameters = {}
    for k, (name, shape) in enumerate(sorted(shapes.items())):
        if len(shape) == 1:
            parameters[name] = np.full(shape, 0.0 if name.endswith("bias") else 1.0, np.float32)
            continue
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        parameters[name] = rng.standard_normal(shape, np.float32)
        parameters[name] *= np.float32(deviation)
    return parameters


def linear(x: np.ndarray, parameters: Parameters, name: str) -> np.ndarray:
    """Product x W^T + b over the last axis, without b where the model has none; (..., in) -> (..., out)."""
    weight = parameters[f"{name}.weight"]
    y = x.reshape(-1, x.shape[-1]) @ weight.T
    if f"{name}.bias" in parameters:
        y += parameters[f"{name}.bias"]
    return y.reshape(*x.shape[:-1], len(weight))


def split_heads(x: np.ndarray, n_heads: int) -> np.ndarray:
    """(passage, token, head * d) -> (passage, head, token, d)."""
    return x.reshape(*x.shape[:2], n_heads, -1).swapaxes(1, 2)


def grouped_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Unscaled q.k where each key head serves as many neighbouring query heads as there are.

    q (passage, head, query, d) and k (passage, key head, key, d) give (passage, head, query, key).
    """
    groups = q.reshape(len(q), k.shape[1], -1, *q.shape[2:])
    scores = groups @ k[:, :, None].swapaxes(-1, -2)
    return scores.reshape(*q.shape[:3], k.shape[2])


def attend(scores: np.ndarray, v: np.ndarray, beta: float) -> np.ndarray:
    """Values (passage, key head, key, d) averaged with softmax(beta scores): (passage, token, head * d)."""
    weights = np.float32(beta) * scores
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    groups = weights.reshape(len(weights), v.shape[1], -1, *weights.shape[2:])
    mixed = (groups @ v[:, :, None]).reshape(*scores.shape[:3], v.shape[-1])
    return mixed.swapaxes(1, 2).reshape(len(mixed), mixed.shape[2], -1)


def check_tokens(tokens: np.ndarray, vocabulary: int, positions: int) -> None:
    """Tokens (passage, token) of the vocabulary, no more to a passage than the model has positions."""
    if tokens.max() >= vocabulary or tokens.shape[1] > positions:
        raise ValueError(
            f"tokens must be below the vocabulary of {vocabulary}, at most {positions} to a passage, got up to "
            f"{tokens.max()} in shape {tokens.shape}"
        )
