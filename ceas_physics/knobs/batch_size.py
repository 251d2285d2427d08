"""The batch size, steered by the noise scale of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ising.integers import as_integer

from .. import arguments as rules
from ..thermostat.checks import ascending, fraction, not_negative, number, positive
from ..thermostat.state import Stateful
from .cap import keep_away


@dataclass(frozen=True)
class NoiseScale:
    """g = tr(Sigma)/|G|^2 with its error (one standard deviation, jackknife), and its two parts."""

    value: float
    error: float
    noise: float
    signal: float


@rules.checked(small=rules.numbers, large=rules.numbers, small_batch=rules.positive, large_batch=rules.positive)
def noise_parts(
    small: ArrayLike, large: ArrayLike, small_batch: float, large_batch: float
) -> tuple[np.ndarray, np.ndarray]:
    """Unbiased estimates of tr(Sigma) and |G|^2 from squared gradient norms at two batch sizes.

    E|G_B|^2 = |G|^2 + tr(Sigma)/B, so tr(Sigma) = (|G_b|^2 - |G_B|^2)/(1/b - 1/B) and
    |G|^2 = (B |G_B|^2 - b |G_b|^2)/(B - b) with b < B (McCandlish et al. 2018, appendix A). Either may be negative.
    """
    rules.check_broadcast(small=small, large=large)
    if not 0.0 < small_batch < large_batch:
        raise ValueError(f"small_batch must be below large_batch, got {small_batch} and {large_batch}")
    small, large = np.asarray(small, dtype=float), np.asarray(large, dtype=float)
    noise = (small - large) / (1.0 / small_batch - 1.0 / large_batch)
    return noise, (large_batch * large - small_batch * small) / (large_batch - small_batch)


@rules.checked(small=rules.numbers, large=rules.numbers, small_batch=rules.positive, large_batch=rules.positive)
def noise_scale(small: ArrayLike, large: ArrayLike, small_batch: float, large_batch: float) -> NoiseScale:
    """Gradient-noise scale g from repeated measurements: the ratio of the means of ``noise_parts``.

    Parameters
    ----------
    small, large : array_like, shape (measurements,)
        Squared gradient norms over ``small_batch`` and ``large_batch`` examples; at least two of each. The small batch
        may be part of the large one.
    small_batch, large_batch : float

    Returns
    -------
    NoiseScale
        In examples. ``value`` is inf where |G|^2 is not resolved from 0; then more measurements are needed.
    """
    noise, signal = noise_parts(small, large, small_batch, large_batch)
    if noise.ndim != 1 or noise.shape != signal.shape or len(noise) < 2:
        raise ValueError(f"small and large must be at least two measurements in one dimension, got shape {noise.shape}")
    count = len(noise)
    means = [float(part.mean()) for part in (noise, signal)]
    left_out = [(count * mean - part) / (count - 1) for mean, part in zip(means, (noise, signal))]
    if means[1] <= 0.0 or (left_out[1] <= 0.0).any():
        return NoiseScale(math.inf, math.inf, *means)
    error = math.sqrt((count - 1) * float(np.var(left_out[0] / left_out[1])))
    return NoiseScale(means[0] / means[1], error, *means)


@dataclass(frozen=True)
class BatchSizeBand:
    """Settings of the batch size.

    Attributes
    ----------
    target : float, optional
        g*, in examples. None: the present batch size, so that B goes to where B = g.
    gain : float
        kappa_B.
    largest_change : float
        Largest |d ln B| of an update.
    every : int
        Training steps between updates.
    memory : float
        Time constant of the running means of tr(Sigma) and |G|^2, in measurements.
    limits : tuple of float
        Smallest and largest batch that the hardware takes.
    u_min : float
        B = g is where noise and signal are equal (the critical batch size); B stays u_min away from it, see ``cap``.
    """

    target: float | None = None
    gain: float = 0.1
    largest_change: float = 0.1
    every: int = 50
    memory: float = 100.0
    limits: tuple[float, float] = (4.0, 256.0)
    u_min: float = 0.06

    def __post_init__(self) -> None:
        if self.target is not None:
            positive(self, ("target",))
        not_negative(self, ("gain", "largest_change"))
        ascending(self, ("limits",), lowest=1.0)
        fraction(self, ("u_min",))
        as_integer("every", self.every, 1)
        if not 1.0 <= number("memory", self.memory) < math.inf:
            raise ValueError(f"memory must be finite and >= 1, got {self.memory}")


class BatchSize(Stateful):
    """B, moved by B <- B exp(kappa_B (g/g* - 1)) within the limits of the hardware.

    ``observe`` takes a measurement of two gradient norms, as often as one likes; ``step`` moves B once.

    Attributes
    ----------
    size : float
        B before rounding.
    noise, signal : float
        Running means of tr(Sigma) and |G|^2; nan before the first measurement.
    """

    changing = ("size", "noise", "signal", "measurements")

    @rules.checked(settings=rules.kind(BatchSizeBand, "BatchSizeBand()"), size=rules.positive)
    def __init__(self, settings: BatchSizeBand, size: float) -> None:
        self.settings, self.size = settings, float(np.clip(size, *settings.limits))
        self.noise = self.signal = math.nan
        self.measurements = 0

    @property
    def scale(self) -> float:
        """The noise scale g = tr(Sigma)/|G|^2 of the running means; nan where it is not positive and finite."""
        return self.noise / self.signal if self.noise > 0.0 and self.signal > 0.0 else math.nan

    @rules.checked(small=rules.number, large=rules.number, small_batch=rules.positive, large_batch=rules.positive)
    def observe(self, small: float, large: float, small_batch: float, large_batch: float) -> None:
        """Take squared gradient norms over two batches, see ``noise_parts``."""
        noise, signal = (float(part) for part in noise_parts(small, large, small_batch, large_batch))
        self.measurements += 1
        if self.measurements == 1:
            self.noise, self.signal = noise, signal
        share = max(1.0 / self.settings.memory, 1.0 / self.measurements)
        self.noise += share * (noise - self.noise)
        self.signal += share * (signal - self.signal)

    def step(self) -> int:
        """Move B towards g = g*; return it rounded."""
        settings, scale = self.settings, self.scale
        if math.isfinite(scale):
            change = settings.gain * (scale / (settings.target or self.size) - 1.0)
            limited = min(max(change, -settings.largest_change), settings.largest_change)
            proposed = keep_away(self.size, self.size * math.exp(limited), scale, settings.u_min)
            self.size = float(np.clip(proposed, *settings.limits))
        return round(self.size)
