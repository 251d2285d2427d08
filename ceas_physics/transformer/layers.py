"""Norm, activation and loss, forward and backward; activations are (width, token), so that sums run across rows."""

from __future__ import annotations

import math

import numpy as np

from .. import arguments as rules
from .exponential import compiled, exponential

GELU_SCALE, GELU_CUBE = math.sqrt(2.0 / math.pi), 0.044715
NORM_EPSILON = 1e-5


@compiled
def _norm(x: np.ndarray, gain: np.ndarray, unit: np.ndarray, inverse: np.ndarray, out: np.ndarray) -> None:
    one, size = x.dtype.type(1), x.dtype.type(x.shape[0])
    mean = np.zeros(x.shape[1], x.dtype)
    for d in range(x.shape[0]):
        for t in range(x.shape[1]):
            mean[t] += x[d, t]
    for t in range(x.shape[1]):
        mean[t] /= size
        inverse[t] = x.dtype.type(0)
    for d in range(x.shape[0]):
        for t in range(x.shape[1]):
            centred = x[d, t] - mean[t]
            unit[d, t] = centred
            inverse[t] += centred * centred
    for t in range(x.shape[1]):
        inverse[t] = one / np.sqrt(inverse[t] / size + x.dtype.type(NORM_EPSILON))
    for d in range(x.shape[0]):
        for t in range(x.shape[1]):
            unit[d, t] *= inverse[t]
            out[d, t] = unit[d, t] * gain[d]


def norm(x: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gain times (x - mean)/sqrt(variance + 1e-5) over the rows of x (width, token); without gain; and 1/sqrt(...)."""
    unit, out, inverse = np.empty_like(x), np.empty_like(x), np.empty(x.shape[1], x.dtype)
    _norm(x, gain, unit, inverse, out)
    return out, unit, inverse


@compiled
def _norm_backward(
    gradient: np.ndarray, unit: np.ndarray, inverse: np.ndarray, gain: np.ndarray, dx: np.ndarray
) -> None:
    size = dx.dtype.type(dx.shape[0])
    mean, projection = np.zeros(dx.shape[1], dx.dtype), np.zeros(dx.shape[1], dx.dtype)
    for d in range(dx.shape[0]):
        for t in range(dx.shape[1]):
            g = gradient[d, t] * gain[d]
            mean[t] += g
            projection[t] += g * unit[d, t]
    for t in range(dx.shape[1]):
        mean[t] /= size
        projection[t] /= size
    for d in range(dx.shape[0]):
        for t in range(dx.shape[1]):
            dx[d, t] += inverse[t] * (gradient[d, t] * gain[d] - mean[t] - unit[d, t] * projection[t])


def norm_backward(
    gradient: np.ndarray, unit: np.ndarray, inverse: np.ndarray, gain: np.ndarray, dx: np.ndarray
) -> np.ndarray:
    """Add the gradient at x to dx, from the one at the output of ``norm``; returns the gradient at the gain."""
    _norm_backward(gradient, unit, inverse, gain, dx)
    return np.einsum("dt,dt->d", gradient, unit)


@compiled
def _gelu_argument(u: np.ndarray, gain: float, out: np.ndarray) -> None:
    kind = u.dtype.type
    one, scale, cube, factor = kind(1), kind(GELU_SCALE), kind(GELU_CUBE), kind(gain)
    for i in range(u.size):
        v = factor * u[i]
        out[i] = scale * v * (one + cube * v * v)


@compiled
def _gelu_value(u: np.ndarray, gain: float, tanh: np.ndarray, out: np.ndarray) -> None:
    kind = u.dtype.type
    half, one = kind(0.5 * gain), kind(1)
    for i in range(u.size):
        out[i] = half * u[i] * (one + tanh[i])


def gelu(u: np.ndarray, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """v/2 (1 + tanh(sqrt(2/pi)(v + 0.044715 v^3))) with v = gain u, and the tanh."""
    tanh, out = np.empty_like(u), np.empty_like(u)
    _gelu_argument(u.ravel(), gain, tanh.ravel())
    np.tanh(tanh, out=tanh)
    _gelu_value(u.ravel(), gain, tanh.ravel(), out.ravel())
    return out, tanh


@compiled
def _gelu_backward(gradient: np.ndarray, u: np.ndarray, gain: float, tanh: np.ndarray) -> None:
    kind = u.dtype.type
    one, scale, cube, factor = kind(1), kind(GELU_SCALE), kind(3.0 * GELU_CUBE), kind(gain)
    half = kind(0.5 * gain)
    for i in range(u.size):
        v, h = factor * u[i], tanh[i]
        gradient[i] *= half * ((one + h) + v * (one - h * h) * scale * (one + cube * v * v))


def gelu_backward(gradient: np.ndarray, u: np.ndarray, gain: float, tanh: np.ndarray) -> None:
    """Turn the gradient at ``gelu(u, gain)`` into the one at u, in place."""
    _gelu_backward(gradient.ravel(), u.ravel(), gain, tanh.ravel())


@compiled
def _cross_entropy(
    logits: np.ndarray, targets: np.ndarray, smoothing: float, gradient: np.ndarray, losses: np.ndarray
) -> None:
    kind = logits.dtype.type
    classes, tokens = logits.shape
    even, scale, one = kind(smoothing / classes), kind(1.0 / tokens), kind(1)
    top, partition, total = logits[0].copy(), np.zeros(tokens, logits.dtype), np.zeros(tokens, logits.dtype)
    for c in range(1, classes):
        for t in range(tokens):
            top[t] = max(top[t], logits[c, t])
    for c in range(classes):
        for t in range(tokens):
            z = logits[c, t] - top[t]
            w = exponential(z)
            gradient[c, t] = w
            partition[t] += w
            total[t] += z
    for t in range(tokens):
        hit = np.float64(logits[targets[t], t]) - np.float64(top[t])
        mean = np.float64(total[t]) / classes
        losses[t] = math.log(np.float64(partition[t])) - (1.0 - smoothing) * hit - smoothing * mean
        partition[t] = one / partition[t]
    for c in range(classes):
        for t in range(tokens):
            gradient[c, t] = scale * (gradient[c, t] * partition[t] - even)
    for t in range(tokens):
        gradient[targets[t], t] -= scale * kind(1.0 - smoothing)


@rules.checked(
    logits=rules.shaped("row", "character", rule=rules.array),
    targets=rules.tokens,
    label_smoothing=rules.not_negative,
)
def cross_entropy(logits: np.ndarray, targets: np.ndarray, label_smoothing: float = 0.0) -> tuple[float, np.ndarray]:
    """Mean of -sum_c q_c ln p_c in nats per character, and its gradient at the logits, like them (token, character).

    q is 1 - label_smoothing on the target plus label_smoothing spread evenly over all characters.
    """
    rules.check_targets(logits, targets)
    columns = np.ascontiguousarray(logits.T)
    gradient, losses = np.empty_like(columns), np.empty(columns.shape[1])
    _cross_entropy(columns, targets.ravel(), label_smoothing, gradient, losses)
    return float(losses.mean()), gradient.T


@compiled
def add_by_token(dx: np.ndarray, tokens: np.ndarray, out: np.ndarray) -> None:
    """out[character] += sum of dx (width, token) over the tokens that are this character."""
    for t in range(tokens.shape[0]):
        for d in range(dx.shape[0]):
            out[tokens[t], d] += dx[d, t]
