"""Training runs of the character model that several claims look at, each made once."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..thermostat import Thermostat
from ..training import train
from ..training.trace import head_scores
from ..transformer import TransformerConfig
from .entry import Look

SEEDS, STEPS = 4, 1024
TUNED, CLAIMED_RATE = 1e-2, 1e-3  # learning rates: near the best of the baseline, and the claimed one


def thermostat(look: Look, learning_rate: float = TUNED, seeds: int = SEEDS) -> list[xr.Dataset]:
    """The default thermostat."""
    config = TransformerConfig(learning_rate=learning_rate)
    return _trained(look, ("thermostat", learning_rate, seeds), config, Thermostat(), seeds)


def learned(look: Look) -> list[xr.Dataset]:
    """Beta of every head a trained parameter."""
    return _trained(look, ("learned",), TransformerConfig(learning_rate=TUNED, scaling="learned"), None, SEEDS)


def _trained(
    look: Look, key: Any, config: TransformerConfig, control: Thermostat | None, seeds: int
) -> list[xr.Dataset]:
    def make() -> list[xr.Dataset]:
        return [train(config, None, control, look.seed + k, STEPS, progress=False) for k in range(seeds)]

    return look.once(key, make)


def final_rows(run: xr.Dataset, initial: bool = False) -> np.ndarray:
    """Score rows (layer, head, row, key) of a run's heads on validation text."""
    scores = head_scores(run, initial=initial).values
    return scores.reshape(*scores.shape[:2], -1, scores.shape[-1])
