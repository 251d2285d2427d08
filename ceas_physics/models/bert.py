"""BERT encoders: every token sees every token, layer norm after each block, learned positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import arguments as rules
from .layer import (
    LayerPass,
    Parameters,
    Shapes,
    attend,
    check_parameters,
    check_tokens,
    grouped_scores,
    linear,
    positive,
    split_heads,
    untrained,
    whole,
)

Tokenizer = Callable[[str], np.ndarray]
OPTIONAL = r"(?!encoder\.|embeddings\.).*|embeddings\.position_ids"  # heads for a task, and the numbers 0, 1, 2, ...


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT encoder, the epsilon of its layer norms and the deviation of its first weights."""

    n_layers: int
    n_heads: int
    d_model: int
    d_ff: int
    vocabulary: int
    positions: int = 512
    epsilon: float = 1e-12
    initial_deviation: float = 0.02

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_heads", "d_model", "d_ff", "vocabulary", "positions"):
            rules.count(name, getattr(self, name))
        rules.check_fields(self, epsilon=rules.not_negative, initial_deviation=rules.positive)
        if self.d_model % self.n_heads:
            raise ValueError(f"n_heads must divide d_model, both positive, got {self.n_heads} and {self.d_model}")

    @property
    def d_k(self) -> int:
        """Dimension of a head's queries and keys."""
        return self.d_model // self.n_heads

    def parameter_shapes(self) -> Shapes:
        """Name and shape of every tensor, names as in Hugging Face's BertModel."""
        d, ff = self.d_model, self.d_ff
        shapes: Shapes = {
            "embeddings.word_embeddings.weight": (self.vocabulary, d),
            "embeddings.position_embeddings.weight": (self.positions, d),
            "embeddings.token_type_embeddings.weight": (2, d),
        }
        norms = ["embeddings.LayerNorm"]
        matrices: Shapes = {}
        for i in range(self.n_layers):
            layer = f"encoder.layer.{i}"
            norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
            projections = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
            matrices |= dict.fromkeys([*projections, f"{layer}.attention.output.dense"], (d, d))
            matrices |= {f"{layer}.intermediate.dense": (ff, d), f"{layer}.output.dense": (d, ff)}
        for name in norms:
            shapes |= {f"{name}.weight": (d,), f"{name}.bias": (d,)}
        for name, shape in matrices.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return shapes


@dataclass(frozen=True)
class Bert:
    """A BERT encoder with its parameters; ``tokenizer`` turns a text into token ids, ``ends`` are [CLS] and [SEP]."""

    name: str
    shape: BertShape
    parameters: Parameters
    tokenizer: Tokenizer | None = None
    ends: tuple[int, int] = (101, 102)

    def __post_init__(self) -> None:
        rules.kind(BertShape, "BertShape(...)")("shape", self.shape)
        rules.kind(Mapping, "{name: array}")("parameters", self.parameters)
        rules.text("name", self.name)
        rules.optional(rules.function)("tokenizer", self.tokenizer)
        if not isinstance(self.ends, tuple | list) or len(self.ends) != 2:
            rules.refuse("ends", "the numbers of two tokens", self.ends)
        for end in self.ends:
            rules.index("ends", end)
        check_parameters(self.parameters, self.shape.parameter_shapes(), OPTIONAL)

    @rules.checked(windows=rules.shaped("passage", "token", rule=rules.integers))
    def wrap(self, windows: np.ndarray) -> np.ndarray:
        """Passages [CLS] window [SEP], (passage, token + 2)."""
        first, last = (np.full((len(windows), 1), end) for end in self.ends)
        return np.hstack([first, windows, last])

    @rules.checked(length=rules.count)
    def special_keys(self, length: int) -> np.ndarray:
        """True at [CLS] and [SEP] of a passage of ``length`` tokens."""
        keys = np.zeros(length, dtype=bool)
        keys[[0, -1]] = True
        return keys

    @rules.checked(seed=rules.seed)
    def untrained(self, seed: int) -> Bert:
        """The same architecture with random weights: the control."""
        fresh = untrained(self.shape.parameter_shapes(), self.shape.initial_deviation, seed)
        return replace(self, name=f"untrained {self.name}", parameters=fresh)

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """The residual stream before the first layer, (passage, token, d_model)."""
        tokens = rules.shaped("passage", "token", rule=rules.tokens)("tokens", tokens)
        check_tokens(tokens, self.shape.vocabulary, self.shape.positions)
        word, position, kind = (
            self.parameters[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        return self._norm(word[tokens] + position[: tokens.shape[1]] + kind[0], "embeddings.LayerNorm")

    def forward(self, tokens: np.ndarray) -> Iterator[LayerPass]:
        """One layer after the other of passages of tokens (passage, token)."""
        x, p, heads = self.embed(tokens), self.parameters, self.shape.n_heads
        for i in range(self.shape.n_layers):
            layer = f"encoder.layer.{i}"
            q, k, v = (
                split_heads(linear(x, p, f"{layer}.attention.self.{name}"), heads) for name in ("query", "key", "value")
            )
            scores = grouped_scores(q, k)
            mixed = linear(attend(scores, v, self.shape.d_k**-0.5), p, f"{layer}.attention.output.dense")
            x = self._norm(x + mixed, f"{layer}.attention.output.LayerNorm")
            inner = _gelu(linear(x, p, f"{layer}.intermediate.dense"))
            x = self._norm(x + linear(inner, p, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
            yield LayerPass(scores, x)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.mean(centred * centred, axis=-1, keepdims=True) + np.float32(self.shape.epsilon)
        return centred / np.sqrt(variance) * self.parameters[f"{name}.weight"] + self.parameters[f"{name}.bias"]


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return x * np.float32(0.5) * (1 + erf(x * np.float32(0.5**0.5)))


def shape_from(config: dict[str, Any]) -> BertShape:
    """The sizes in a Hugging Face ``config.json``; ValueError for a variant with other formulas."""
    for key, allowed in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(key, allowed) != allowed:
            raise ValueError(f"BERT with {key} = {config[key]!r} is not supported, only {allowed!r}")
    return BertShape(
        n_layers=whole(config, "num_hidden_layers"),
        n_heads=whole(config, "num_attention_heads"),
        d_model=whole(config, "hidden_size"),
        d_ff=whole(config, "intermediate_size"),
        vocabulary=whole(config, "vocab_size"),
        positions=whole(config, "max_position_embeddings"),
        epsilon=positive(config, "layer_norm_eps", 1e-12),
        initial_deviation=positive(config, "initializer_range", 0.02),
    )
