"""The controller: one beta a head, moved by Newton steps towards the head's target entropy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments as rules
from .. import attention
from .margin import apply_margin
from .reference import entropy_below, reference_level
from .settings import Thermostat
from .state import Stateful

EPSILON = 1e-12  # keeps the Newton step finite for a frozen head; far below any beta Var_p[s] that matters


@dataclass(frozen=True)
class Observables:
    """Head means of one training step, arrays of one shape: H in nats, Var_p[s] in score^2, sigma_qk in score.

    ``beta_c``, where it has just been measured, is the new centre of the margin. A head with nan, such as one of which
    no row was computed, does not move.
    """

    entropy: np.ndarray
    score_variance: np.ndarray
    sigma_qk: np.ndarray
    beta_c: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = np.shape(rules.readings("entropy", self.entropy))
        for name in ("score_variance", "sigma_qk", "beta_c"):
            value = getattr(self, name)
            if value is not None and np.shape(rules.readings(name, value)) != shape:
                raise ValueError(f"{name} must have the shape of entropy, {shape}, got {np.shape(value)}")


@rules.checked(thermostat=rules.kind(Thermostat, "Thermostat()"), step=rules.not_negative)
def kappa(thermostat: Thermostat, step: float) -> float:
    """kappa(t) = kappa_max exp(-t/tau_kappa) + kappa_inf, uncapped."""
    return thermostat.kappa_max * math.exp(-step / thermostat.tau_kappa) + thermostat.kappa_inf


@rules.checked(
    entropy=rules.readings, target=rules.readings, beta=rules.readings, score_variance=rules.readings, gain=rules.number
)
def newton_step(
    entropy: np.ndarray, target: ArrayLike, beta: np.ndarray, score_variance: np.ndarray, gain: float
) -> np.ndarray:
    """Change of beta, gain (H - H_target)/(beta Var_p[s] + eps): upwards where H is too large, since dH/dbeta < 0."""
    rules.check_broadcast(entropy=entropy, target=target, beta=beta, score_variance=score_variance)
    return gain * (entropy - target) / (beta * score_variance + EPSILON)


@rules.checked(thermostat=rules.kind(Thermostat, "Thermostat()"), unit=rules.positive)
def initial_beta(thermostat: Thermostat, scores: ArrayLike, unit: float) -> np.ndarray:
    """Beta of each head before the first step, from scores (..., rows, keys): 1/sqrt(d_k), or beta* within bounds."""
    rows = rules.readings("scores", scores)
    if rows.ndim < 2:
        raise ValueError(f"scores must have the axes (..., row, key), got shape {rows.shape}")
    standard = np.full(rows.shape[:-2], unit)
    if thermostat.initial == "standard":
        return standard
    star = attention.beta_star(rows, standard, thermostat.beta_star)
    return np.clip(star, thermostat.bounds[0] * unit, thermostat.bounds[1] * unit)


class Controller(Stateful):
    """One thermostat at work on any number of heads; it sees numbers, not attention.

    Parameters
    ----------
    thermostat : Thermostat
    visible_keys : array_like of int
        Visible keys n of the rows over which the observables are averaged; they set the target.
    beta : ndarray
        Where beta starts, one entry a head, any shape.
    unit : float
        1/sqrt(d_k).
    reference_entropy : ndarray, optional
        The heads' own targets, for ``per_head_target``; the attribute may be replaced at any time.

    Attributes
    ----------
    beta : ndarray
        The present beta. It is also the integral of the errors, so clipping it at the bounds leaves nothing to unwind.
    beta_c : ndarray
        Centre of the margin. "rem": updated here. "measured": from the observables; inf (no margin) until then.
    blocked : ndarray of int
        Moves changed by the margin so far.
    gain_factor : float
        Multiplies the gain, after its cap; 1, or less during a back-off.

    Raises
    ------
    ValueError
        ``per_head_target`` without ``reference_entropy``, or with one above the mean of ln n, which no beta reaches;
        rows of fewer than 8 visible keys only; in ``step``, observables of another shape than beta.

    Examples
    --------
    In a training loop: use beta, observe the heads, step. Here the scores of two heads double while they "train".

    >>> rng, n, d_k = np.random.default_rng(0), 64, 16
    >>> controller = Controller(Thermostat(), np.full(100, n), np.full(2, 0.25), 0.25)
    >>> for step in range(1024):
    ...     growth = 1.0 + step / 1024
    ...     q, k = growth * rng.standard_normal((2, 10, d_k)), rng.standard_normal((2, n, d_k))
    ...     scores, beta = q @ k.swapaxes(-1, -2), controller.beta[:, None]
    ...     heads = Observables(
    ...         *(f(scores, beta).mean(axis=-1) for f in (attention.entropy, attention.score_variance)),
    ...         attention.sigma_qk(scores).mean(axis=-1),
    ...     )
    ...     beta = controller.step(heads)
    >>> bool((np.abs(heads.entropy - (np.log(n) - 1.1)) < 0.3).all())
    True
    """

    changing = (
        "steps", "beta", "beta_c", "blocked", "pressed", "gain_factor", "reference_entropy", "initial_entropy",
        "inside_steps", "tightened", "readings", "sigmas",
    )  # fmt: skip

    @rules.checked(
        thermostat=rules.kind(Thermostat, "Thermostat()"),
        visible_keys=rules.numbers,
        beta=rules.numbers,
        unit=rules.positive,
        reference_entropy=rules.optional(rules.readings),
    )
    def __init__(
        self,
        thermostat: Thermostat,
        visible_keys: ArrayLike,
        beta: np.ndarray,
        unit: float,
        reference_entropy: np.ndarray | None = None,
    ) -> None:
        if thermostat.per_head_target and reference_entropy is None:
            raise ValueError("per_head_target needs reference_entropy, the target of every head, such as its H(beta_c)")
        shape = () if reference_entropy is None else np.shape(reference_entropy)
        if shape not in ((), np.shape(beta)):
            raise ValueError(f"reference_entropy must have the shape of beta, {np.shape(beta)}, got {shape}")
        self.thermostat, self.unit = thermostat, unit
        self.lowest, self.highest = (bound * unit for bound in thermostat.bounds)
        self.beta = np.clip(np.array(beta, dtype=float), self.lowest, self.highest)
        shape = self.beta.shape
        self.visible_keys, self.log_n = np.array(visible_keys), entropy_below(visible_keys, 0.0)
        self.initial_entropy = np.full(shape, np.nan)
        self.reference_entropy = np.full(shape, np.nan if reference_entropy is None else reference_entropy)
        if reference_entropy is not None and not (self.reference_entropy <= self.log_n + EPSILON).all():
            raise ValueError(
                f"reference_entropy must be numbers up to the rows' mean ln n, {self.log_n:.4g}, "
                f"got {self.reference_entropy.max():.4g}"
            )
        self.beta_c = np.full(shape, np.inf)
        self.blocked = np.zeros(shape, dtype=np.int64)
        self.pressed = np.zeros(shape, dtype=np.int64)  # blocked moves in a row with the target beyond beta_c
        self.gain_factor = 1.0
        self.steps = self.inside_steps = 0
        self.tightened = False
        windowed = thermostat.reading == "window"
        self.readings = np.full((thermostat.window if windowed else 1, 2, *shape), np.nan)
        self.sigmas = np.full((thermostat.sigma_window if windowed else 1, *shape), np.nan)

    @property
    def gain(self) -> float:
        """The gain kappa of the present step, capped at 1 unless ``raw_gain``, times ``gain_factor``."""
        uncapped = kappa(self.thermostat, self.steps)
        return self.gain_factor * (uncapped if self.thermostat.raw_gain else min(1.0, uncapped))

    @property
    def target(self) -> np.ndarray:
        """H_target of every head, in nats."""
        if self.thermostat.per_head_target:
            return self.reference_entropy
        tighter = self.thermostat.tighten if self.tightened else None
        return self.level(self.thermostat.target if tighter is None else tighter)

    @rules.checked(depth=rules.number)
    def level(self, depth: float) -> np.ndarray:
        """The entropy ln N_ref - depth of every head, see ``reference_level``."""
        return reference_level(self.thermostat.reference, self.visible_keys, self.initial_entropy, depth)

    def step(self, observables: Observables) -> np.ndarray:
        """Take what one training step has shown of the heads; return beta for the next step."""
        rules.kind(Observables, "Observables(...)")("observables", observables)
        self.steps += 1
        self._observe(observables)
        if self.gain == 0.0 or (self.thermostat.reading == "window" and self.steps % self.thermostat.window):
            return self.beta
        if self.thermostat.beta_c == "rem":
            self.beta_c = math.sqrt(2.0 * self.log_n) / self.sigmas[: self.steps].mean(axis=0)
        self._move(*self.readings.mean(axis=0))
        return self.beta

    def _observe(self, observables: Observables) -> None:
        """Put the observables into the running means."""
        entropy = np.asarray(observables.entropy, dtype=float)
        if entropy.shape != self.beta.shape:
            raise ValueError(f"observables must have the shape of beta, {self.beta.shape}, got {entropy.shape}")
        if self.steps == 1:
            self.initial_entropy = entropy.copy()
        now, sigma = np.array([entropy, observables.score_variance]), np.array(observables.sigma_qk, dtype=float)
        if self.thermostat.reading == "window":
            self.readings[(self.steps - 1) % len(self.readings)] = now
            self.sigmas[(self.steps - 1) % len(self.sigmas)] = sigma
        else:
            window = self.thermostat.window if self.thermostat.reading == "ema" else 1
            self.readings[0] = _running_mean(self.readings[0], now, window)
            self.sigmas[0] = _running_mean(self.sigmas[0], sigma, self.thermostat.sigma_window)
        if self.thermostat.beta_c == "measured" and observables.beta_c is not None:
            self.beta_c = np.array(observables.beta_c, dtype=float)
        if self.thermostat.tighten is not None and not self.tightened:
            shallow, deep = self.thermostat.corridor
            inside = (entropy >= self.level(deep)) & (entropy <= self.level(shallow))
            self.inside_steps = self.inside_steps + 1 if inside.all() else 0
            self.tightened = self.inside_steps >= self.thermostat.window

    def _move(self, entropy: np.ndarray, score_variance: np.ndarray) -> None:
        target, limit = self.target, self.thermostat.dbeta_max * self.unit
        change = np.clip(newton_step(entropy, target, self.beta, score_variance, self.gain), -limit, limit)
        if self.thermostat.reading == "ema_beta":
            change /= self.thermostat.window
        change[~np.isfinite(change)] = 0.0
        proposed = np.clip(self.beta + change, self.lowest, self.highest)
        moved, blocked = apply_margin(self.beta, proposed, self.beta_c, self.thermostat.u_min)
        self.blocked += blocked
        if self.thermostat.patience is not None:
            wanted = self.beta + newton_step(entropy, target, self.beta, score_variance, 1.0)
            moved = self._jump(moved, blocked & ((wanted - self.beta_c) * (self.beta - self.beta_c) < 0.0))
        self.beta = np.clip(moved, self.lowest, self.highest)

    def _jump(self, moved: np.ndarray, pressing: np.ndarray) -> np.ndarray:
        """Count the moves that press against the margin; after ``patience`` of them in a row, take the other edge."""
        self.pressed = np.where(pressing, self.pressed + 1, 0)
        u_min = self.thermostat.u_min
        other = np.where(moved < self.beta_c, 1.0 + u_min, 1.0 - u_min) * self.beta_c
        jump = (self.pressed >= (self.thermostat.patience or 1)) & (other >= self.lowest) & (other <= self.highest)
        self.pressed[jump] = 0
        return np.where(jump, other, moved)


def _running_mean(mean: np.ndarray, value: np.ndarray, window: int) -> np.ndarray:
    """Exponential mean over ``window`` steps; starts at the first finite value and passes over others."""
    updated = np.where(np.isnan(mean), value, mean + (value - mean) / window)
    return np.where(np.isfinite(value), updated, mean)
