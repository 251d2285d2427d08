"""The knobs at work: what each observes of a training step, and what it sets for the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..knobs import (
    ActivationGain,
    BatchSize,
    LearningRate,
    Smoothing,
    WeightDecay,
    hessian_eigenvalue,
    output_entropy,
    spectral_radius,
)
from ..transformer import Arrays, Layer, TransformerConfig
from .adam import Adam
from .knobs import Knobs

MEASURE_BATCH_EVERY = 5  # steps between measurements of the noise scale
MATRICES = ("qkv", "output", "up", "down")  # parameters whose size the weight decay watches


@dataclass
class Seen:
    """What the knobs may look at after a step, some of it computed only when a knob asks."""

    parameters: Arrays
    vector: np.ndarray
    targets: np.ndarray
    gradient: Callable[[np.ndarray], np.ndarray]  # of the step's batch, flat, at any flat vector
    outputs: Callable[[], tuple[np.ndarray, list[Layer]]]  # logits and layers of the step's batch


class Tuning:
    """All knobs of a run.

    Parameters
    ----------
    knobs : Knobs
    config : TransformerConfig
        Where the settings start.
    size : int
        Parameters of the model.
    rng : Generator
        For the first directions of the power iteration.
    """

    def __init__(self, knobs: Knobs, config: TransformerConfig, size: int, rng: np.random.Generator) -> None:
        self.parts: dict[str, Any] = {}
        if knobs.learning_rate:
            self.parts["learning_rate"] = LearningRate(knobs.learning_rate, config.learning_rate)
        if knobs.batch_size:
            self.parts["batch_size"] = BatchSize(knobs.batch_size, config.batch_size)
        if knobs.weight_decay:
            self.parts["weight_decay"] = WeightDecay(knobs.weight_decay)
        if knobs.label_smoothing:
            self.parts["label_smoothing"] = Smoothing(knobs.label_smoothing, config.label_smoothing)
        if knobs.dropout:
            self.parts["dropout"] = Smoothing(knobs.dropout, config.dropout)
        if knobs.activation:
            self.parts["activation_gain"] = ActivationGain(knobs.activation)
        self.directions = rng.standard_normal((2, size)) if knobs.learning_rate else np.zeros((0, size))
        self.raw_eigenvalue = math.nan

    def value(self, name: str) -> float | None:
        """Where a knob has its setting now; None without that knob."""
        part = self.parts.get(name)
        return part.value if part else None

    def batch_size(self, default: int) -> int:
        """Sequences of the next step."""
        part = self.parts.get("batch_size")
        return round(part.size) if part else default

    def splits_batch(self, step: int) -> bool:
        """Whether this step takes its gradient in two parts, for the noise scale."""
        return "batch_size" in self.parts and step % MEASURE_BATCH_EVERY == 0

    def see_parts(self, first: np.ndarray, whole: np.ndarray, first_size: int, size: int) -> None:
        """Take the flat gradients of part of a batch and of all of it."""
        norms = (float(gradient.astype(float) @ gradient) for gradient in (first, whole))
        self.parts["batch_size"].observe(*norms, first_size, size)

    def step(self, step: int, adam: Adam, seen: Seen) -> float:
        """Move the knobs that are due after this step of training.

        Returns the passes over the batch, forward and backward, that they needed; a forward pass alone counts 1/3.
        """
        passes = 0.0
        due = {name: part for name, part in self.parts.items() if step % part.settings.every == 0}
        if "learning_rate" in due:
            adam.rate = self._move_learning_rate(adam, seen)
            passes += 2.0 * due["learning_rate"].settings.iterations  # the raw eigenvalue is only logged
        if "weight_decay" in due:
            matrices = [array for name, array in seen.parameters.items() if name.startswith(MATRICES)]
            adam.weight_decay = due["weight_decay"].step(matrices, adam.rate)
        if "batch_size" in due:
            due["batch_size"].step()
        outputs = due.keys() & {"label_smoothing", "dropout", "activation_gain"}
        if not outputs:
            return passes
        logits, layers = seen.outputs()
        for name in sorted(outputs):
            if name == "activation_gain":
                due[name].step(output_entropy(logits), branch_radius(seen.parameters, layers))
            else:
                due[name].step(step, logits, seen.targets)
        return passes + 1.0 / 3.0

    def _move_learning_rate(self, adam: Adam, seen: Seen) -> float:
        """Measure the curvature, preconditioned and raw, from where the last measurement ended; only one controls."""
        knob = self.parts["learning_rate"]
        eigenvalues = []
        for i, preconditioner in enumerate((adam.preconditioner().astype(float), None)):
            curvature = hessian_eigenvalue(
                seen.gradient,
                seen.vector,
                self.directions[i],
                iterations=knob.settings.iterations,
                preconditioner=preconditioner,
            )
            self.directions[i] = curvature.vector
            eigenvalues.append(curvature.eigenvalue)
        self.raw_eigenvalue = eigenvalues[1]
        return knob.step(eigenvalues[0 if knob.settings.preconditioned else 1])

    def readings(self) -> dict[str, float]:
        """Where the knobs are, and what they last saw."""
        found: dict[str, float] = {}
        for name, part in self.parts.items():
            if name == "learning_rate":
                found |= {name: part.value, "rho": part.rho, "raw_eigenvalue": self.raw_eigenvalue}
            elif name == "batch_size":
                found |= {name: round(part.size), "noise_scale": part.scale}
            else:
                found[name] = part.value
        return found

    def state(self) -> dict[str, Any]:
        """Everything that changes, for a checkpoint."""
        parts = {name: part.state() for name, part in self.parts.items()}
        return {"directions": self.directions.copy(), "raw_eigenvalue": self.raw_eigenvalue, "parts": parts}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        self.directions, self.raw_eigenvalue = state["directions"].copy(), state["raw_eigenvalue"]
        for name, part in self.parts.items():
            part.restore(state["parts"][name])


def branch_radius(parameters: Arrays, layers: list[Layer]) -> float:
    """Largest spectral radius, over the layers, of the mean linear response of the MLP branch to the residual stream.

    Of x -> W_down^T gelu(W_up^T norm(x)): diag(gain) W_up W_down <1/std(x)>/2, as gelu'(u) + gelu'(-u) = 1.
    """
    radii = []
    for i, layer in enumerate(layers):
        response = parameters[f"norm_mlp_{i}"][:, None] * parameters[f"up_{i}"] @ parameters[f"down_{i}"]
        radii.append(0.5 * float(np.mean(layer.saved["mlp_inverse"])) * spectral_radius(response))
    return max(radii)
