"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import arguments as rules


class Adam:
    """Adam (Kingma & Ba 2015) on a flat vector x, with m and v the running means of g and g^2.

    x <- x - rate (m_hat/(sqrt(v_hat) + 1e-8) + weight_decay x), where m_hat and v_hat are corrected for their start at
    0; the decay is the decoupled one of Loshchilov & Hutter (2019), here on every parameter.

    Attributes
    ----------
    rate, weight_decay : float
        May be changed between steps.
    """

    @rules.checked(size=rules.count, rate=rules.positive, decay=rules.pair, weight_decay=rules.not_negative)
    def __init__(
        self, size: int, rate: float, decay: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0
    ) -> None:
        if not 0.0 <= decay[0] < 1.0 or not 0.0 <= decay[1] < 1.0:
            raise ValueError(f"decay must be two numbers in [0, 1), got {decay}")
        self.rate, self.weight_decay, self.decay, self.steps = rate, weight_decay, decay, 0
        self.mean = np.zeros(size, dtype=np.float32)
        self.square = np.zeros(size, dtype=np.float32)

    @rules.checked(vector=rules.array, gradient=rules.array)
    def step(self, vector: np.ndarray, gradient: np.ndarray) -> None:
        """Update ``vector`` in place."""
        if not vector.flags.writeable:
            raise ValueError("vector must be writable: it is updated in place")
        if vector.shape != self.mean.shape or gradient.shape != self.mean.shape:
            given = f"got {vector.shape} and {gradient.shape}"
            raise ValueError(f"vector and gradient must have the shape {self.mean.shape}, {given}")
        first, second = self.decay
        self.steps += 1
        self.mean += (1.0 - first) * (gradient - self.mean)
        self.square += (1.0 - second) * (gradient * gradient - self.square)
        if self.weight_decay:
            vector *= 1.0 - self.rate * self.weight_decay
        vector -= self.rate / (1.0 - first**self.steps) * self.mean / self.preconditioner()

    def preconditioner(self) -> np.ndarray:
        """sqrt(v_hat) + 1e-8 of every parameter: the P by which Adam divides a step."""
        return np.sqrt(self.square / (1.0 - self.decay[1] ** self.steps)) + 1e-8

    def state(self) -> dict[str, Any]:
        """Everything that changes, for a checkpoint."""
        scalars = {"rate": self.rate, "weight_decay": self.weight_decay, "steps": self.steps}
        return scalars | {"mean": self.mean.copy(), "square": self.square.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        rules.kind(Mapping, "adam.state()")("state", state)
        if set(state) != set(self.state()):
            raise ValueError(f"state must hold {', '.join(self.state())}, got {rules.shown(list(state))}")
        for name in ("mean", "square"):
            if np.shape(state[name]) != self.mean.shape:
                raise ValueError(f"{name} of state must have shape {self.mean.shape}, got {np.shape(state[name])}")
        self.rate, self.weight_decay, self.steps = state["rate"], state["weight_decay"], state["steps"]
        self.mean, self.square = state["mean"].copy(), state["square"].copy()
