"""The state of a training run: one step, what is recorded of it, and its way into a checkpoint and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..text import Corpus
from ..thermostat import Controller, Observables, Thermostat, initial_beta
from ..transformer import (
    TransformerConfig,
    cross_entropy,
    flatten,
    forward,
    initial_vector,
    loss_and_gradient,
    unflatten,
)
from .adam import Adam
from .knobs import Knobs
from .observe import observe
from .trace import measure_heads, projection_norms, spread_sequences, unscaled_scores

HEADS_EVERY = 64  # steps between measurements of the heads
LOSS_EVERY = 32  # steps between points of the loss curves
MEASURED_SEQUENCES = 8  # validation sequences on which the heads are measured
LOSS_SEQUENCES = 64  # and on which the validation loss is taken


def call_settings(
    config: TransformerConfig, thermostat: Thermostat | None, knobs: Knobs, seed: int, steps: int
) -> dict[str, str | int]:
    """The attributes of a trace that say how ``train`` was called."""
    parts = {"config": asdict(config), "thermostat": asdict(thermostat) if thermostat else None, "knobs": asdict(knobs)}
    return {"steps": steps, "seed": seed} | {name: json.dumps(part) for name, part in parts.items()}


class Run:
    """Everything that changes during a training run.

    Attributes
    ----------
    steps, tokens : int
        Taken so far.
    budget : int
        Tokens after which the run ends.
    """

    def __init__(
        self,
        config: TransformerConfig,
        data: Corpus,
        thermostat: Thermostat | None,
        knobs: Knobs,
        seed: int,
        steps: int,
    ) -> None:
        self.config, self.data, self.knobs = config, data, knobs
        self.settings = call_settings(config, thermostat, knobs, seed, steps)
        self.settings |= {"characters": json.dumps(data.characters), "text_sha256": data.digest}
        self.steps, self.tokens, self.budget = 0, 0, steps * config.batch_size * config.context
        initialisation, batches = np.random.SeedSequence(seed).spawn(2)
        self.batches = np.random.default_rng(batches)
        self.vector = initial_vector(config, len(data.characters), np.random.default_rng(initialisation))
        self.initial = self.vector.copy()
        self.parameters = unflatten(self.vector, config, len(data.characters))
        self.adam = Adam(len(self.vector), config.learning_rate)
        self.beta = knobs.beta_factor * config.standard_beta
        self.controller: Controller | None = None
        if thermostat is not None:
            self._start_thermostat(thermostat)
        self.recent: dict[str, list[float]] = {"heads": [], "loss": []}
        self.heads: dict[str, list[ArrayLike]] = {}
        self.curves: dict[str, list[ArrayLike]] = {}
        start = self.loss(data.training)
        self._record_losses(start)
        self._record_heads(start)

    def _start_thermostat(self, thermostat: Thermostat) -> None:
        unit = 1.0 / math.sqrt(self.config.d_k)
        start = initial_beta(thermostat, self.scores(), unit)
        self.controller = Controller(thermostat, np.arange(1, self.config.context + 1), start, unit)
        self.beta = self.controller.beta

    def batch(self) -> np.ndarray:
        """Random sequences of the training text, (batch_size, context + 1)."""
        starts = self.batches.integers(0, len(self.data.training) - self.config.context, self.config.batch_size)
        return self.data.training[starts[:, None] + np.arange(self.config.context + 1)]

    def step(self) -> None:
        """One step of Adam; then, in this order, the records and the thermostat's move."""
        sequences = self.batch()
        with np.errstate(over="ignore", invalid="ignore"):  # a diverged run is reported by its loss, with the step
            loss, gradient, layers = loss_and_gradient(
                self.parameters, sequences[:, :-1], sequences[:, 1:], self.beta, self.config
            )
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is not finite at step {self.steps + 1}; lower learning_rate")
        self.adam.step(self.vector, flatten(gradient, self.config, len(self.data.characters)))
        self.steps += 1
        self.tokens += sequences[:, 1:].size
        last = self.tokens >= self.budget
        for losses in self.recent.values():
            losses.append(loss)
        if self.steps % LOSS_EVERY == 0 or last:
            self._record_losses(float(np.mean(self.recent["loss"])))
            self.recent["loss"] = []
        if self.steps % HEADS_EVERY == 0 or last:
            self._record_heads(float(np.mean(self.recent["heads"])))
            self.recent["heads"] = []
        if self.controller is not None and not last:
            self.beta = self.controller.step(Observables(*observe(layers, self.beta)))

    def _record_losses(self, loss: float) -> None:
        record = {
            "loss_step": self.steps,
            "tokens": self.tokens,
            "training_curve": loss,
            "flops": 6.0 * self.vector.size * self.tokens,
        }
        _append(self.curves, record | {"validation_curve": self.loss(self.data.validation)})

    def _record_heads(self, loss: float) -> None:
        """Measure the heads, after the losses; give the thermostat the measured beta_c."""
        heads = measure_heads(self.scores(), self.beta)
        blocked = np.zeros(self.beta.shape, dtype=np.int64)
        if self.controller is not None:
            blocked = self.controller.blocked.copy()
            if self.controller.thermostat.beta_c == "measured":
                self.controller.beta_c = heads["beta_c"]
        record: dict[str, ArrayLike] = {"step": self.steps, "loss": loss, "beta": self.beta.copy(), "blocked": blocked}
        record["validation_loss"] = self.curves["validation_curve"][-1]
        record["log_gauge"] = np.log(self.beta * projection_norms(self.parameters, self.config))
        _append(self.heads, record | heads)

    def scores(self) -> np.ndarray:
        """Unscaled scores (layer, head, rows, key) of the measured validation sequences, at the present beta."""
        tokens = spread_sequences(self.data.validation, MEASURED_SEQUENCES, self.config.context)[:, :-1]
        scores = unscaled_scores(self.parameters, tokens, self.beta, self.config)
        return scores.reshape(*self.beta.shape, -1, self.config.context)

    def loss(self, tokens: np.ndarray) -> float:
        """Loss on sequences at even distances through ``tokens``."""
        sequences = spread_sequences(tokens, LOSS_SEQUENCES, self.config.context)
        logits, _, _ = forward(self.parameters, sequences[:, :-1], self.beta, self.config)
        return cross_entropy(logits, sequences[:, 1:])[0]

    def state(self) -> dict[str, Any]:
        """Numbers, strings and arrays from which the run goes on exactly, and from which its trace is made."""
        records = {name: np.array(values) for name, values in (self.heads | self.curves).items()}
        return {
            "settings": self.settings,
            "steps": self.steps,
            "tokens": self.tokens,
            "batches": self.batches.bit_generator.state,
            "initial": self.initial,
            "vector": self.vector.copy(),
            "adam": self.adam.state(),
            "beta": self.beta.copy(),
            "controller": self.controller.state() if self.controller else None,
            "recent": self.recent,
            "records": records,
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Continue from ``state()``; ValueError if it is of a run with other settings."""
        theirs = state["settings"]
        other = [name for name in self.settings if theirs.get(name) != self.settings[name]]
        if other:
            raise ValueError(f"{path} is the checkpoint of a run with another {', '.join(other)}; give another file")
        self.steps, self.tokens = state["steps"], state["tokens"]
        self.batches.bit_generator.state = state["batches"]
        self.recent = state["recent"]
        for records in (self.heads, self.curves):
            records.update({name: list(state["records"][name]) for name in records})
        self._restore_model(state)

    def _restore_model(self, state: dict[str, Any]) -> None:
        """Parameters, optimiser and everything that controls them, without the batches and the records."""
        self.vector[...] = state["vector"]
        self.adam.restore(state["adam"])
        self.beta = state["beta"].copy()
        if self.controller is not None:
            self.controller.restore(state["controller"])


def _append(records: dict[str, list[ArrayLike]], record: Mapping[str, ArrayLike]) -> None:
    for name, value in record.items():
        records.setdefault(name, []).append(value)
