"""The model in training: parameters, optimiser and knobs, and what its passes cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..transformer import (
    Keep,
    Layer,
    TransformerConfig,
    cross_entropy,
    flatten,
    flops,
    forward,
    initial_vector,
    loss_and_gradient,
    unflatten,
)
from .adam import Adam
from .knobs import Knobs
from .tuning import Seen, Tuning


class Learner:
    """A model, its optimiser and its knobs.

    Parameters
    ----------
    config : TransformerConfig
    n_characters : int
    knobs : Knobs
    streams : sequence of three Generators
        For the initial parameters, for dropout, and for the directions of the power iteration.

    Attributes
    ----------
    vector : ndarray of float32
        All parameters; ``parameters`` holds views of it by name.
    beta : ndarray, shape (layer, head)
        In use; set by the owner.
    flops : float
        Spent on training and on what the knobs ask for; measurements do not count.
    pruned : float
        Fraction of the attention rows that the last gradient did not compute.
    """

    def __init__(
        self, config: TransformerConfig, n_characters: int, knobs: Knobs, streams: list[np.random.Generator]
    ) -> None:
        initialisation, self.dropout_rng, directions = streams
        self.config, self.n_characters = config, n_characters
        self.vector = initial_vector(config, n_characters, initialisation)
        self.parameters = unflatten(self.vector, config, n_characters)
        self.beta = knobs.beta_factor * config.standard_beta
        self.adam = Adam(self.vector.size, config.learning_rate)
        self.tuning = Tuning(knobs, config, self.vector.size, directions)
        self.flops = self.pruned = 0.0

    def forward(self, tokens: np.ndarray, keep: Keep | None = None) -> tuple[np.ndarray, list[Layer]]:
        """Logits and layers, without dropout."""
        gain = self.tuning.value("activation_gain")
        logits, layers, _ = forward(
            self.parameters, tokens, self.beta, self.config, keep=keep, dropout=0.0, activation_gain=gain
        )
        return logits, layers

    def loss(self, sequences: np.ndarray, keep: Keep | None = None) -> float:
        """Mean of -ln p in nats per character, without dropout and label smoothing."""
        return cross_entropy(self.forward(sequences[:, :-1], keep)[0], sequences[:, 1:])[0]

    def gradient(
        self, step: int, sequences: np.ndarray, keep: Keep | None, frozen: np.ndarray | None
    ) -> tuple[float, np.ndarray, list[Layer]]:
        """Loss, flat gradient and layers of a batch; in two parts where its size is under control."""
        if not self.tuning.splits_batch(step) or len(sequences) < 2:
            return self._part(sequences, keep, frozen)
        half = len(sequences) // 2
        loss, first, layers = self._part(sequences[:half], keep, frozen)
        other, second, _ = self._part(sequences[half:], keep, frozen)
        share = half / len(sequences)
        whole = (share * first + (1.0 - share) * second).astype(first.dtype)
        self.tuning.see_parts(first, whole, half, len(sequences))
        return share * loss + (1.0 - share) * other, whole, layers

    def _part(
        self, sequences: np.ndarray, keep: Keep | None, frozen: np.ndarray | None
    ) -> tuple[float, np.ndarray, list[Layer]]:
        loss, gradient, layers = loss_and_gradient(
            self.parameters,
            sequences[:, :-1],
            sequences[:, 1:],
            self.beta,
            self.config,
            keep=keep,
            frozen=frozen,
            dropout_rng=self.dropout_rng,
            dropout=self.tuning.value("dropout"),
            label_smoothing=self.tuning.value("label_smoothing"),
            activation_gain=self.tuning.value("activation_gain"),
        )
        rows = np.array([np.ones(1) if layer.kept is None else layer.kept.mean(axis=(0, 1)) for layer in layers])
        visible = self.config.visible_keys
        pairs = float((rows * visible).sum() / (len(rows) * visible.sum())) if keep else 1.0
        learning = 1.0 if frozen is None else 1.0 - float(frozen.mean())
        self._spend(sequences[:, 1:].size, pairs, learning)
        self.pruned = 1.0 - float(rows.mean())
        return loss, flatten(gradient, self.config, self.n_characters), layers

    def _spend(self, tokens: int, pairs: float = 1.0, learning: float = 1.0) -> None:
        spent = flops(self.config, self.n_characters, kept_fraction=pairs, backward_fraction=learning, tokens=tokens)
        self.flops += spent.total

    def move_knobs(self, step: int, sequences: np.ndarray) -> None:
        """Let the knobs look at the step that was just taken and set the next."""
        tokens, targets = sequences[:, :-1], sequences[:, 1:]

        def gradient(vector: np.ndarray) -> np.ndarray:
            parameters = unflatten(vector, self.config, self.n_characters)
            gain = self.tuning.value("activation_gain")
            named = loss_and_gradient(
                parameters, tokens, targets, self.beta, self.config, dropout=0.0, activation_gain=gain
            )[1]
            return flatten(named, self.config, self.n_characters)

        seen = Seen(self.parameters, self.vector, targets.ravel(), gradient, lambda: self.forward(tokens))
        passes = self.tuning.step(step, self.adam, seen)
        if passes:
            self._spend(round(passes * targets.size))

    def state(self) -> dict[str, Any]:
        """Everything that changes but beta and what was spent."""
        dropout = self.dropout_rng.bit_generator.state
        own = {"vector": self.vector.copy(), "adam": self.adam.state(), "tuning": self.tuning.state()}
        return own | {"beta": self.beta.copy(), "dropout": dropout}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        self.vector[...] = state["vector"]
        self.adam.restore(state["adam"])
        self.tuning.restore(state["tuning"])
        self.beta = state["beta"].copy()
        self.dropout_rng.bit_generator.state = state["dropout"]
