"""What is measured of the heads of a model: their rows, the head means, and weights scaled to a chosen start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import attention
from ..knobs import maxent_scales
from ..transformer import Arrays, Layer, TransformerConfig

if TYPE_CHECKING:
    from .learner import Learner


def spread_sequences(tokens: np.ndarray, sequences: int, context: int) -> np.ndarray:
    """Sequences of context + 1 tokens at even distances through the text, (sequences, context + 1)."""
    starts = np.linspace(0, len(tokens) - context - 1, sequences).astype(np.int64)
    return tokens[starts[:, None] + np.arange(context + 1)]


def head_rows(layers: list[Layer]) -> tuple[np.ndarray, np.ndarray]:
    """Unscaled scores (layer, head, rows, key) and beta (layer, head, rows), in double precision.

    A beta that is trained may become negative, which is the same as W_Q with the other sign: such rows come with
    |beta| and -scores.
    """
    scores = np.array([layer.scores() for layer in layers], dtype=float).swapaxes(1, 2)
    beta = np.array([layer.beta_rows for layer in layers], dtype=float).swapaxes(1, 2)
    scores = np.where((beta[..., None] < 0.0) & np.isfinite(scores), -scores, scores)
    return scores.reshape(*scores.shape[:2], -1, scores.shape[-1]), np.abs(beta).reshape(*beta.shape[:2], -1)


def projection_norms(parameters: Arrays, config: TransformerConfig) -> np.ndarray:
    """|W_Q| |W_K| of every head, (layer, head)."""
    shape = (config.d_model, 3, config.n_heads, config.d_k)
    split = np.array([parameters[f"qkv_{i}"].reshape(shape) for i in range(config.n_layers)], dtype=float)
    norms = np.sqrt(np.sum(split * split, axis=(1, 4)))  # (layer, d_model, 3, head, d_k) -> (layer, 3, head)
    return norms[:, 0] * norms[:, 1]


def measure_heads(scores: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
    """Head means, (layer, head), of the observables of scores (layer, head, rows, key) at beta (layer, head, rows)."""
    rows = {
        "beta": beta,
        "entropy": attention.entropy(scores, beta),
        "n_eff": attention.n_eff(scores, beta),
        "participation": attention.participation(scores, beta),
        "specific_heat": attention.specific_heat(scores, beta),
        "score_variance": attention.score_variance(scores, beta),
        "sigma_qk": attention.sigma_qk(scores),
        "gap_score": attention.gap_score(scores, beta),
    }
    heads = {name: attention.head_mean(values, scores) for name, values in rows.items()}
    peak = attention.specific_heat_peak(scores)
    return heads | {"beta_c": peak.beta_c, "beta_c_low": peak.low, "beta_c_high": peak.high}


def scale_to_gap(learner: Learner, tokens: np.ndarray, target: float) -> np.ndarray:
    """Scale W_Q and W_K of every layer so that the mean T of its heads over the rows of ``tokens`` is ``target``.

    Returns the scales, (layer,). ValueError if no scale reaches the target, see ``knobs.maxent_scales``.
    """
    config = learner.config
    views = [learner.parameters[f"qkv_{i}"][:, : 2 * config.d_model] for i in range(config.n_layers)]
    originals = [view.copy() for view in views]

    def measure(scales: np.ndarray) -> np.ndarray:
        for view, original, scale in zip(views, originals, scales):
            view[...] = scale * original
        scores, beta = head_rows(learner.forward(tokens)[1])
        return attention.head_mean(attention.gap_score(scores, beta), scores).mean(axis=-1)

    scales = maxent_scales(measure, config.n_layers, target)
    measure(scales)
    return scales
