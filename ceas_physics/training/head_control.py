"""A thermostat in a training run: its controller, gate, freezer and guard, fed from the layers of each step."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from .. import attention
from ..thermostat import Controller, Freezer, Gate, LossGuard, Observables, Thermostat, entropy_below, initial_beta
from ..transformer import Keep, TransformerConfig

LEVELS = ("entropy_target", "corridor_low", "corridor_high")


class HeadControl:
    """The parts of a thermostat that are switched on.

    Parameters
    ----------
    thermostat : Thermostat
    config : TransformerConfig
    scores : ndarray, shape (layer, head, rows, key)
        Unscaled scores of the untrained heads.
    """

    def __init__(self, thermostat: Thermostat, config: TransformerConfig, scores: np.ndarray) -> None:
        unit, visible = 1.0 / math.sqrt(config.d_k), config.visible_keys
        own = entropy_at_peak(scores, attention.pseudo_critical_beta(scores)) if thermostat.per_head_target else None
        start = initial_beta(thermostat, scores, unit)
        self.controller = Controller(thermostat, visible, start, unit, own)
        self.gate = Gate(thermostat.gating, config.context, config.n_layers) if thermostat.gating else None
        self.freezer = (
            Freezer(thermostat.freezing, visible, (config.n_layers, config.n_heads), thermostat.reference)
            if thermostat.freezing
            else None
        )
        self.guard = LossGuard(thermostat.guard) if thermostat.guard else None

    @property
    def parts(self) -> dict[str, Any]:
        """Those that are on, by name."""
        named = {"controller": self.controller, "gate": self.gate, "freezer": self.freezer, "guard": self.guard}
        return {name: part for name, part in named.items() if part}

    @property
    def frozen(self) -> np.ndarray | None:
        """Heads without a gradient, (layer, head); None if freezing is off."""
        return self.freezer.frozen if self.freezer else None

    def keep(self, step: int, counted: bool = True) -> Keep | None:
        """The gate of a step, as ``transformer.forward`` takes it; None if gating is off."""
        if self.gate is None:
            return None
        gate = self.gate if counted else copy.deepcopy(self.gate)
        return lambda layer, estimate: gate.keep(layer, estimate, step)

    def judge(self, step: int, loss: float, validation_loss: float | None) -> str:
        """The guard's verdict on a step; a back-off reaches the gate and the gain."""
        if self.guard is None:
            return "ok"
        verdict = self.guard.step(step, loss, validation_loss)
        self.controller.gain_factor = self.guard.gain_factor
        if self.gate:
            self.gate.threshold_shift = self.guard.threshold_shift
        return verdict

    def step(self, observables: Observables) -> np.ndarray:
        """Take the head means of a training step; beta for the next one."""
        if self.freezer:
            self.freezer.step(observables.entropy)
        return self.controller.step(observables)

    def measured(self, scores: np.ndarray, beta_c: np.ndarray) -> None:
        """Take scores of the heads as they are now, and their measured beta_c."""
        if self.controller.thermostat.beta_c == "measured":
            self.controller.beta_c = beta_c
        if self.controller.thermostat.per_head_target:
            self.controller.reference_entropy = entropy_at_peak(scores, beta_c)

    def readings(self, step: int) -> dict[str, float]:
        """The gains and thresholds in force, of the parts that are on."""
        found: dict[str, float] = {"kappa": self.controller.gain}
        if self.gate:
            found["t_gate"] = self.gate.threshold(step)
        if self.guard:
            found["slow_rise_start"] = self.guard.rise_start
        return found

    def state(self) -> dict[str, Any]:
        """Everything that changes, for a checkpoint."""
        return {name: part.state() for name, part in self.parts.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        for name, part in self.parts.items():
            part.restore(state[name])


def entropy_at_peak(scores: np.ndarray, beta_c: np.ndarray) -> np.ndarray:
    """H(beta_c) of every head, (layer, head), from scores (layer, head, rows, key)."""
    return attention.head_mean(attention.entropy(scores, beta_c[..., None]), scores)


def head_levels(control: HeadControl | None, config: TransformerConfig) -> dict[str, np.ndarray]:
    """Target and corridor of every head, (layer, head), its blocked moves and whether it is frozen.

    Without a thermostat the levels are those that its default settings would have.
    """
    shape = (config.n_layers, config.n_heads)
    if control is None:
        settings, visible = Thermostat(), config.visible_keys
        depths = dict(zip(LEVELS, (settings.target, settings.corridor[1], settings.corridor[0])))
        levels = {name: np.full(shape, entropy_below(visible, depth)) for name, depth in depths.items()}
        return levels | {"blocked": np.zeros(shape, dtype=np.int64)}
    controller = control.controller
    low, high = (controller.level(depth) for depth in reversed(controller.thermostat.corridor))
    found = dict(zip(LEVELS, (controller.target, low, high))) | {"blocked": controller.blocked.copy()}
    return found if control.frozen is None else found | {"frozen": control.frozen.copy()}
