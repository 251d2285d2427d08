"""Llama-family decoders: causal, RMS norm before each block, rotary positions, grouped keys, gated units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import arguments as rules
from .bert import Tokenizer
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

OPTIONAL = r"lm_head\.weight|layers\.\d+\.(\w+\.\w+_proj\.bias|self_attn\.rotary_emb\.inv_freq)"


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of a Llama decoder, the base of its rotations, its RMS epsilon and the deviation of its first weights."""

    n_layers: int
    n_heads: int
    n_key_heads: int
    d_model: int
    d_k: int
    d_ff: int
    vocabulary: int
    positions: int
    rotary_base: float = 10_000.0
    epsilon: float = 1e-5
    initial_deviation: float = 0.02

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_heads", "n_key_heads", "d_model", "d_k", "d_ff", "vocabulary", "positions"):
            rules.count(name, getattr(self, name))
        rules.check_fields(
            self, rotary_base=rules.positive, epsilon=rules.not_negative, initial_deviation=rules.positive
        )
        if self.n_heads % self.n_key_heads or self.d_k % 2:
            raise ValueError(
                f"n_key_heads must divide n_heads and d_k be even, got {self.n_key_heads}, {self.n_heads}, {self.d_k}"
            )

    def parameter_shapes(self) -> Shapes:
        """Name and shape of every tensor, names as in Hugging Face's LlamaModel; the output matrix is the embedding."""
        d, wide, narrow = self.d_model, self.n_heads * self.d_k, self.n_key_heads * self.d_k
        shapes: Shapes = {"embed_tokens.weight": (self.vocabulary, d), "norm.weight": (d,)}
        for i in range(self.n_layers):
            layer = f"layers.{i}"
            shapes |= {
                f"{layer}.input_layernorm.weight": (d,),
                f"{layer}.self_attn.q_proj.weight": (wide, d),
                f"{layer}.self_attn.k_proj.weight": (narrow, d),
                f"{layer}.self_attn.v_proj.weight": (narrow, d),
                f"{layer}.self_attn.o_proj.weight": (d, wide),
                f"{layer}.post_attention_layernorm.weight": (d,),
                f"{layer}.mlp.gate_proj.weight": (self.d_ff, d),
                f"{layer}.mlp.up_proj.weight": (self.d_ff, d),
                f"{layer}.mlp.down_proj.weight": (d, self.d_ff),
            }
        return shapes


@dataclass(frozen=True)
class Llama:
    """A Llama-family decoder with its parameters; ``tokenizer`` turns a text into token ids."""

    name: str
    shape: LlamaShape
    parameters: Parameters
    tokenizer: Tokenizer | None = None

    def __post_init__(self) -> None:
        rules.kind(LlamaShape, "LlamaShape(...)")("shape", self.shape)
        rules.kind(Mapping, "{name: array}")("parameters", self.parameters)
        rules.text("name", self.name)
        rules.optional(rules.function)("tokenizer", self.tokenizer)
        check_parameters(self.parameters, self.shape.parameter_shapes(), OPTIONAL)

    @rules.checked(windows=rules.shaped("passage", "token", rule=rules.integers))
    def wrap(self, windows: np.ndarray) -> np.ndarray:
        """Passages as they are: nothing is put around them."""
        return windows

    @rules.checked(length=rules.count)
    def special_keys(self, length: int) -> np.ndarray:
        """True at the first token of a passage, which heads use as a sink."""
        return np.arange(length) == 0

    @rules.checked(seed=rules.seed)
    def untrained(self, seed: int) -> Llama:
        """The same architecture with random weights: the control."""
        fresh = untrained(self.shape.parameter_shapes(), self.shape.initial_deviation, seed)
        return replace(self, name=f"untrained {self.name}", parameters=fresh)

    def forward(self, tokens: np.ndarray) -> Iterator[LayerPass]:
        """One layer after the other of passages of tokens (passage, token)."""
        tokens = rules.shaped("passage", "token", rule=rules.tokens)("tokens", tokens)
        check_tokens(tokens, self.shape.vocabulary, self.shape.positions)
        x, p, shape = self.parameters["embed_tokens.weight"][tokens], self.parameters, self.shape
        rotation = _rotation(tokens.shape[1], shape)
        hidden_keys = np.where(np.tri(tokens.shape[1], dtype=bool), 0.0, -np.inf).astype(np.float32)
        for i in range(shape.n_layers):
            layer = f"layers.{i}"
            inner = self._norm(x, f"{layer}.input_layernorm")
            q = _rotate(split_heads(linear(inner, p, f"{layer}.self_attn.q_proj"), shape.n_heads), rotation)
            k = _rotate(split_heads(linear(inner, p, f"{layer}.self_attn.k_proj"), shape.n_key_heads), rotation)
            v = split_heads(linear(inner, p, f"{layer}.self_attn.v_proj"), shape.n_key_heads)
            scores = grouped_scores(q, k)
            scores += hidden_keys
            x = x + linear(attend(scores, v, shape.d_k**-0.5), p, f"{layer}.self_attn.o_proj")
            inner = self._norm(x, f"{layer}.post_attention_layernorm")
            gate = linear(inner, p, f"{layer}.mlp.gate_proj")
            gate *= 0.5 * (1 + np.tanh(0.5 * gate))  # gate / (1 + exp(-gate)), which cannot overflow
            gate *= linear(inner, p, f"{layer}.mlp.up_proj")
            x = x + linear(gate, p, f"{layer}.mlp.down_proj")
            yield LayerPass(scores, x)

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Logits of the next token at each position, (passage, token, vocabulary)."""
        for layer in self.forward(tokens):
            hidden = layer.hidden
        output = "lm_head" if "lm_head.weight" in self.parameters else "embed_tokens"
        return linear(self._norm(hidden, "norm"), self.parameters, output)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        scale = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self.shape.epsilon))
        return x / scale * self.parameters[f"{name}.weight"]


def _rotation(length: int, shape: LlamaShape) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of position times frequency base^(-2i/d_k), each (token, d_k / 2)."""
    frequency = shape.rotary_base ** (-np.arange(0, shape.d_k, 2) / shape.d_k)
    angle = np.arange(length)[:, None] * frequency
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _rotate(x: np.ndarray, rotation: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Turn the pairs (i, i + d_k/2) of (passage, head, token, d_k) by their angles."""
    cosine, sine = rotation
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def shape_from(config: dict[str, Any]) -> LlamaShape:
    """The sizes in a Hugging Face ``config.json``; ValueError for a variant with other formulas."""
    for key, allowed in (("hidden_act", "silu"), ("rope_scaling", None)):
        if config.get(key, allowed) != allowed:
            raise ValueError(f"Llama with {key} = {config[key]!r} is not supported, only {allowed!r}")
    heads, d_model = whole(config, "num_attention_heads"), whole(config, "hidden_size")
    return LlamaShape(
        n_layers=whole(config, "num_hidden_layers"),
        n_heads=heads,
        n_key_heads=whole(config, "num_key_value_heads") if config.get("num_key_value_heads") else heads,
        d_model=d_model,
        d_k=whole(config, "head_dim") if config.get("head_dim") else d_model // heads,
        d_ff=whole(config, "intermediate_size"),
        vocabulary=whole(config, "vocab_size"),
        positions=whole(config, "max_position_embeddings"),
        rotary_base=positive(config, "rope_theta", 10_000.0),
        epsilon=positive(config, "rms_norm_eps", 1e-6),
        initial_deviation=positive(config, "initializer_range", 0.02),
    )
