"""The other knobs: each an observable, a band, a one-step update and the cap u_min; and structure before training."""

from .activation import ActivationBand, ActivationGain, spectral_radius
from .batch_size import BatchSize, BatchSizeBand, NoiseScale, noise_parts, noise_scale
from .cap import keep_away
from .curvature import Curvature, hessian_eigenvalue
from .initial_scale import maxent_scales
from .learning_rate import LearningRate, LearningRateBand
from .smoothing import Smoothing, SmoothingSchedule, calibration_error, output_entropy, overconfidence
from .structure import (
    CATALOGUE,
    Choice,
    Structure,
    choose_positions,
    choose_structure,
    corridor_utility,
    structure_utility,
    trade_off,
)
from .weight_decay import WeightDecay, WeightDecayBand, parameter_entropy, spectral_norm

__all__ = [
    "CATALOGUE",
    "ActivationBand",
    "ActivationGain",
    "BatchSize",
    "BatchSizeBand",
    "Choice",
    "Curvature",
    "LearningRate",
    "LearningRateBand",
    "NoiseScale",
    "Smoothing",
    "SmoothingSchedule",
    "Structure",
    "WeightDecay",
    "WeightDecayBand",
    "calibration_error",
    "choose_positions",
    "choose_structure",
    "corridor_utility",
    "hessian_eigenvalue",
    "keep_away",
    "maxent_scales",
    "noise_parts",
    "noise_scale",
    "output_entropy",
    "overconfidence",
    "parameter_entropy",
    "spectral_norm",
    "spectral_radius",
    "structure_utility",
    "trade_off",
]
