"""The parameters: names, shapes, the flat vector that the optimiser moves, and their values before training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .. import arguments as rules
from .config import TransformerConfig

Arrays = dict[str, np.ndarray]


@rules.checked(config=rules.kind(TransformerConfig, "TransformerConfig()"), n_characters=rules.count)
def parameter_shapes(config: TransformerConfig, n_characters: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, in the order of the flat vector; no biases, embedding and output tied."""
    d = config.d_model
    shapes: dict[str, tuple[int, ...]] = {"embedding": (n_characters, d)}
    if config.positions == "learned":
        shapes["positions"] = (config.context, d)
    for layer in range(config.n_layers):
        shapes |= {f"norm_attention_{layer}": (d,), f"qkv_{layer}": (d, 3 * d), f"output_{layer}": (d, d)}
        shapes |= {f"norm_mlp_{layer}": (d,), f"up_{layer}": (d, 4 * d), f"down_{layer}": (4 * d, d)}
        if config.scaling == "learned":
            shapes[f"log_beta_{layer}"] = (config.n_heads,)
        if config.scaling == "log_n":
            shapes[f"log_n_scale_{layer}"] = (config.n_heads,)
    return shapes | {"norm_final": (d,)}


@rules.checked(
    vector=rules.shaped("parameter", rule=rules.array),
    config=rules.kind(TransformerConfig, "TransformerConfig()"),
    n_characters=rules.count,
)
def unflatten(vector: np.ndarray, config: TransformerConfig, n_characters: int) -> Arrays:
    """The parameters by name, as views into the flat vector."""
    shapes = parameter_shapes(config, n_characters)
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    if vector.shape != (ends[-1],):
        raise ValueError(f"vector must hold the {ends[-1]} parameters of config and n_characters, got {vector.shape}")
    pieces = np.split(vector, ends[:-1])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(shapes.items(), pieces)}


@rules.checked(config=rules.kind(TransformerConfig, "TransformerConfig()"), n_characters=rules.count)
def flatten(arrays: Arrays, config: TransformerConfig, n_characters: int) -> np.ndarray:
    """The flat vector of arrays given by name: the inverse of ``unflatten``."""
    shapes = parameter_shapes(config, n_characters)
    if not isinstance(arrays, Mapping) or set(arrays) != set(shapes):
        rules.refuse("arrays", f"a dict of arrays by name: {', '.join(shapes)}", arrays)
    for name, shape in shapes.items():
        if np.shape(rules.array(f"arrays[{name!r}]", arrays[name])) != shape:
            raise ValueError(f"arrays[{name!r}] must have the shape {shape}, got {np.shape(arrays[name])}")
    return np.concatenate([arrays[name].ravel() for name in shapes])


@rules.checked(
    config=rules.kind(TransformerConfig, "TransformerConfig()"),
    n_characters=rules.count,
    rng=rules.kind(np.random.Generator, "numpy.random.default_rng(0)"),
)
def initial_vector(config: TransformerConfig, n_characters: int, rng: np.random.Generator) -> np.ndarray:
    """Flat float32 parameters before training: gains 1, embeddings of std 0.1, other weights of variance 1/fan_in.

    So q and k have unit variance. The two matrices that write into the residual stream are smaller by sqrt(2 n_layers).
    A learned beta starts at 1/sqrt(d_k), and s of "log_n" where the mean of beta over the rows is 1/sqrt(d_k).
    """
    constants = {"norm": 1.0, "log_beta": -0.5 * math.log(config.d_k)}
    if config.scaling == "log_n":
        constants["log_n_scale"] = 1.0 / float(np.log(config.visible_keys).mean())
    pieces = []
    for name, shape in parameter_shapes(config, n_characters).items():
        constant = [value for start, value in constants.items() if name.startswith(start)]
        if constant:
            pieces.append(np.full(shape, constant[0]))
            continue
        std = 0.1 if name in ("embedding", "positions") else 1.0 / math.sqrt(shape[0])
        if name.startswith(("output", "down")):
            std /= math.sqrt(2.0 * config.n_layers)
        pieces.append(std * rng.standard_normal(shape).ravel())
    return np.concatenate(pieces).astype(np.float32)
