"""Train the transformer, with or without a thermostat, and keep the thermodynamics of every head as a Dataset."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ising.integers import as_integer
from ising.streams import check_seed

from .. import attention
from ..text import Corpus, corpus
from ..thermostat import Controller, Thermostat, initial_beta
from ..transformer import (
    Layer,
    TransformerConfig,
    cross_entropy,
    flatten,
    forward,
    initial_vector,
    loss_and_gradient,
    unflatten,
)
from .trace import measure_heads, projection_norms, spread_sequences, trace, unscaled_scores

RECORD_EVERY = 64  # steps
MEASURED_SEQUENCES = 8  # validation sequences on which the heads are measured
LOSS_SEQUENCES = 64  # and on which the validation loss is taken


class Adam:
    """Adam (Kingma & Ba 2015) on a flat vector x, with m and v the running means of g and g^2.

    x <- x - rate m_hat/(sqrt(v_hat) + 1e-8), where m_hat and v_hat are corrected for their start at 0.
    """

    def __init__(self, size: int, rate: float, decay: tuple[float, float] = (0.9, 0.99)) -> None:
        self.rate, self.decay, self.steps = rate, decay, 0
        self.mean = np.zeros(size, dtype=np.float32)
        self.square = np.zeros(size, dtype=np.float32)

    def step(self, vector: np.ndarray, gradient: np.ndarray) -> None:
        """Update ``vector`` in place."""
        first, second = self.decay
        self.steps += 1
        self.mean += (1.0 - first) * (gradient - self.mean)
        self.square += (1.0 - second) * (gradient * gradient - self.square)
        mean_scale, square_scale = 1.0 - first**self.steps, 1.0 - second**self.steps
        vector -= self.rate / mean_scale * self.mean / (np.sqrt(self.square / square_scale) + 1e-8)


def train(
    config: TransformerConfig | None = None,
    text: str | Path | None = None,
    thermostat: Thermostat | None = None,
    seed: int = 0,
    steps: int = 2048,
    progress: bool = True,
) -> xr.Dataset:
    """Train a character model by Adam; record every head before training, every 64 steps and at the end.

    Parameters
    ----------
    config : TransformerConfig, optional
    text : str, Path or None
        A text, a UTF-8 file, or None for ``text.default_text()``. The last 10 % validate.
    thermostat : Thermostat, optional
        None keeps beta = 1/sqrt(d_k); so does a thermostat with kappa_max = kappa_inf = 0, bit for bit.
    seed : int
        Root of two independent streams, one for the initial parameters and one for the batches: runs of one seed with
        different thermostats share both. Same seed, same numbers, bit for bit, on one CPU type (BLAS uses one thread).
    steps : int
        At least 1.
    progress : bool
        Show a bar.

    Returns
    -------
    xarray.Dataset
        On (step, layer, head) the observables of the heads over fixed validation rows with the beta in use up to that
        step, on (step,) the losses, and flat float32 ``parameters`` and ``initial_parameters``. Each variable has its
        formula, the attributes reproduce the run.

    Raises
    ------
    ValueError
        A text too short for the context, a context without rows of 8 visible keys, steps < 1, a seed outside
        [0, 2^63), or a setting of the wrong kind.
    FloatingPointError
        The loss is no longer finite; the message names the step.
    """
    config = config or TransformerConfig()
    _check_kind("config", config, TransformerConfig)
    if thermostat is not None:
        _check_kind("thermostat", thermostat, Thermostat)
    steps, seed = as_integer("steps", steps), check_seed(seed)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    with threadpool_limits(1):
        run = _Run(config, corpus(text, config.context), thermostat, seed)
        run.record(0, run.loss(run.data.training))
        for step in tqdm(range(1, steps + 1), desc="train", unit="step", leave=False, disable=not progress):
            run.step(step, last=step == steps)
    settings: dict[str, str | int] = {"steps": steps, "seed": seed, "config": json.dumps(asdict(config))}
    settings["thermostat"] = json.dumps(asdict(thermostat) if thermostat else None)
    return trace(run.records, run.initial, run.vector, settings, run.data, thermostat or Thermostat(), config.context)


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}(...) or None, got {value!r}")


class _Run:
    """Everything that changes during a training run."""

    def __init__(self, config: TransformerConfig, data: Corpus, thermostat: Thermostat | None, seed: int) -> None:
        self.config, self.data = config, data
        initialisation, batches = np.random.SeedSequence(seed).spawn(2)
        self.batches = np.random.default_rng(batches)
        self.vector = initial_vector(config, len(data.characters), np.random.default_rng(initialisation))
        self.initial = self.vector.copy()
        self.parameters = unflatten(self.vector, config, len(data.characters))
        self.adam = Adam(len(self.vector), config.learning_rate)
        self.beta = config.standard_beta
        self.controller: Controller | None = None
        if thermostat is not None:
            unit = 1.0 / math.sqrt(config.d_k)
            start = initial_beta(thermostat, self.scores(), unit)
            self.controller = Controller(thermostat, np.arange(1, config.context + 1), start, unit)
            self.beta = self.controller.beta
        self.recent: list[float] = []
        self.records: list[dict[str, ArrayLike]] = []

    def batch(self) -> np.ndarray:
        """Random sequences of the training text, (batch_size, context + 1)."""
        starts = self.batches.integers(0, len(self.data.training) - self.config.context, self.config.batch_size)
        return self.data.training[starts[:, None] + np.arange(self.config.context + 1)]

    def step(self, step: int, last: bool) -> None:
        """One step of Adam; then, in this order, the record and the thermostat's move."""
        sequences = self.batch()
        with np.errstate(over="ignore", invalid="ignore"):  # a diverged run is reported by its loss, with the step
            loss, gradient, layers = loss_and_gradient(
                self.parameters, sequences[:, :-1], sequences[:, 1:], self.beta, self.config
            )
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is not finite at step {step}; lower learning_rate")
        self.adam.step(self.vector, flatten(gradient, self.config, len(self.data.characters)))
        self.recent.append(loss)
        if step % RECORD_EVERY == 0 or last:
            self.record(step, float(np.mean(self.recent)))
            self.recent = []
        if self.controller is not None and not last:
            self.beta = self.controller.step(*observe(layers, self.beta))

    def record(self, step: int, loss: float) -> None:
        """Measure the heads and the losses; give the thermostat the measured beta_c."""
        heads = measure_heads(self.scores(), self.beta)
        blocked = np.zeros(self.beta.shape, dtype=np.int64)
        if self.controller is not None:
            blocked = self.controller.blocked.copy()
            if self.controller.thermostat.beta_c == "measured":
                self.controller.beta_c = heads["beta_c"]
        record: dict[str, ArrayLike] = {"step": step, "loss": loss, "beta": self.beta.copy(), "blocked": blocked}
        record["validation_loss"] = self.loss(self.data.validation)
        record["log_gauge"] = np.log(self.beta * projection_norms(self.parameters, self.config))
        self.records.append(record | heads)

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


def observe(layers: list[Layer], beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H, Var_p[s] and sigma_qk, means over the queries with at least 8 visible keys, each of shape (layer, head).

    The same numbers as ``attention.head_mean`` over ``Layer.scores()``, but from the weights that the forward pass has
    already, in its precision; beta must be positive.
    """
    first = attention.MINIMUM_VISIBLE - 1
    moments = np.empty((3, *beta.shape))
    for i, layer in enumerate(layers):
        scaled, weights = layer.scaled_scores[:, :, first:], layer.weights[:, :, first:]
        mean = np.einsum("bhqk,bhqk->bhq", weights, scaled)
        square = np.einsum("bhqk,bhqk,bhqk->bhq", weights, scaled, scaled)
        seen = scaled * np.tri(scaled.shape[-2], scaled.shape[-1], first, dtype=scaled.dtype)
        count = np.arange(first + 1, scaled.shape[-1] + 1, dtype=scaled.dtype)
        spread = np.einsum("bhqk,bhqk->bhq", seen, seen) / count - (seen.sum(axis=-1) / count) ** 2
        moments[0, i] = (layer.log_partition[:, :, first:] - mean).mean(axis=(0, 2))
        moments[1, i] = (square - mean * mean).mean(axis=(0, 2)) / beta[i] ** 2
        moments[2, i] = np.sqrt(np.maximum(spread, 0.0)).mean(axis=(0, 2)) / beta[i]
    return moments[0], moments[1], moments[2]
