"""The thermostat: one beta per head, steered so that the head's entropy stays in a corridor under ln n."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from numbers import Real

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ising.integers import as_integer

from .. import attention

EPSILON = 1e-12  # keeps the Newton step finite for a frozen head; far below any beta Var_p[s] that matters


@dataclass(frozen=True)
class Thermostat:
    """Settings of the controller; the defaults are those for about 9,000 parameters.

    Attributes
    ----------
    initial : str
        "standard": beta starts at 1/sqrt(d_k). "final_address": at beta* of the untrained head, within ``bounds``.
    beta_star : str
        Kind of beta* for "final_address", see ``attention.beta_star``.
    kappa_max, kappa_inf, tau_kappa : float
        kappa(t) = kappa_max exp(-t/tau_kappa) + kappa_inf, t in training steps; a Newton step uses at most 1, as it
        multiplies the error by 1 - kappa. Both 0: beta stays where it starts.
    dbeta_max : float
        Largest change of beta at one update, in units of 1/sqrt(d_k).
    bounds : tuple of float
        Smallest and largest beta, in units of 1/sqrt(d_k).
    target : float
        H_target = ln n - target, row by row and floored at 0, in nats.
    corridor : tuple of float
        The corridor is [ln n - corridor[1], ln n - corridor[0]].
    window, sigma_window : int
        Steps over which H and Var_p[s], and sigma_qk, are averaged; beta moves once every ``window`` steps.
    beta_c : str
        Where the margin lies: around the "measured" peak of C(beta), or around the "rem" value sqrt(2 ln n)/sigma_qk.
    u_min, nu : float
        Half-width |beta - beta_c|/beta_c of the margin, and the exponent of zeta = 1/max(u, u_min)^nu.
    """

    initial: str = "standard"
    beta_star: str = "self_consistent"
    kappa_max: float = 2.2
    kappa_inf: float = 1.0
    tau_kappa: float = 750.0
    dbeta_max: float = 0.75
    bounds: tuple[float, float] = (0.25, 4.0)
    target: float = 1.1
    corridor: tuple[float, float] = (0.9, 1.3)
    window: int = 64
    sigma_window: int = 128
    beta_c: str = "measured"
    u_min: float = 0.06
    nu: float = 1.0

    def __post_init__(self) -> None:
        choices = {
            "initial": ("standard", "final_address"),
            "beta_star": ("self_consistent", "effective", "visible"),
            "beta_c": ("measured", "rem"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("window", "sigma_window"):
            as_integer(name, getattr(self, name), 1)
        for name in ("kappa_max", "kappa_inf", "dbeta_max", "target"):
            if not 0.0 <= _number(name, getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be finite and >= 0, got {getattr(self, name)}")
        for name in ("tau_kappa", "nu"):
            if not 0.0 < _number(name, getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be finite and positive, got {getattr(self, name)}")
        if not 0.0 <= _number("u_min", self.u_min) < 1.0:
            raise ValueError(f"u_min must be in [0, 1), got {self.u_min}")
        low, high = _pair("bounds", self.bounds)
        if not 0.0 < low <= high < math.inf:
            raise ValueError(f"bounds must be positive, finite and in order, got {self.bounds}")
        low, high = _pair("corridor", self.corridor)
        if not 0.0 <= low <= high:
            raise ValueError(f"corridor must be two depths under ln n in nats, the smaller first, got {self.corridor}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return float(value)


def _pair(name: str, value: object) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be two numbers, got {value!r}")
    return _number(name, value[0]), _number(name, value[1])


def kappa(thermostat: Thermostat, step: float) -> float:
    """kappa(t) = kappa_max exp(-t/tau_kappa) + kappa_inf, uncapped."""
    return thermostat.kappa_max * math.exp(-step / thermostat.tau_kappa) + thermostat.kappa_inf


def entropy_below(visible_keys: ArrayLike, depth: float) -> float:
    """Mean of max(0, ln n - depth) over the rows with n >= 8 visible keys, in nats; ``visible_keys`` holds n by row."""
    n = np.asarray(visible_keys)
    n = n[n >= attention.MINIMUM_VISIBLE]
    if n.size == 0:
        raise ValueError(f"no row has {attention.MINIMUM_VISIBLE} visible keys; use a longer context")
    return float(np.maximum(np.log(n) - depth, 0.0).mean())


def newton_step(
    entropy: np.ndarray, target: ArrayLike, beta: np.ndarray, score_variance: np.ndarray, gain: float
) -> np.ndarray:
    """Change of beta, gain (H - H_target)/(beta Var_p[s] + eps): upwards where H is too large, since dH/dbeta < 0."""
    return gain * (entropy - target) / (beta * score_variance + EPSILON)


def apply_margin(
    beta: np.ndarray, proposed: np.ndarray, beta_c: np.ndarray, u_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """Keep u = |beta - beta_c|/beta_c at u_min or more, and beta on its side of beta_c.

    An update that would end inside the margin, or beyond beta_c, ends at u = u_min on the side it came from; a beta
    that is inside already, because beta_c moved, goes to the nearer edge.

    Returns
    -------
    beta : ndarray
    blocked : ndarray of bool
        Where the update was changed.
    """
    low, high = (1.0 - u_min) * beta_c, (1.0 + u_min) * beta_c
    inside = (beta > low) & (beta < high)
    below = np.where(inside, beta <= beta_c, beta <= low)
    moved = np.where(below, np.minimum(proposed, low), np.maximum(proposed, high))
    moved = np.where(inside, np.where(below, low, high), moved)
    return moved, moved != proposed


def zeta(beta: ArrayLike, beta_c: ArrayLike, u_min: float, nu: float) -> np.ndarray:
    """zeta(beta) = 1/max(u, u_min)^nu with u = |beta - beta_c|/beta_c: the proxy of a correlation length."""
    u = np.abs(np.asarray(beta, dtype=float) - beta_c) / beta_c
    return 1.0 / np.maximum(u, u_min) ** nu


class Controller:
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

    Attributes
    ----------
    beta : ndarray
        The present beta. It is also the integral of the errors, so clipping it at the bounds leaves nothing to unwind.
    beta_c : ndarray
        Centre of the margin. "rem": updated here. "measured": to be set by the owner; inf (no margin) until then.
    blocked : ndarray of int
        Updates changed by the margin so far.
    """

    def __init__(self, thermostat: Thermostat, visible_keys: ArrayLike, beta: np.ndarray, unit: float) -> None:
        self.thermostat, self.unit, self.steps = thermostat, unit, 0
        self.target = entropy_below(visible_keys, thermostat.target)
        self.log_n = entropy_below(visible_keys, 0.0)
        self.lowest, self.highest = (bound * unit for bound in thermostat.bounds)
        self.beta = np.clip(np.array(beta, dtype=float), self.lowest, self.highest)
        self.beta_c = np.full_like(self.beta, np.inf)
        self.blocked = np.zeros(self.beta.shape, dtype=np.int64)
        self._readings: deque[np.ndarray] = deque(maxlen=thermostat.window)
        self._sigmas: deque[np.ndarray] = deque(maxlen=thermostat.sigma_window)

    def step(self, entropy: np.ndarray, score_variance: np.ndarray, sigma_qk: np.ndarray) -> np.ndarray:
        """Take one training step's head means of H, Var_p[s] and sigma_qk; return beta for the next step."""
        self.steps += 1
        self._readings.append(np.array([entropy, score_variance]))
        self._sigmas.append(np.array(sigma_qk))
        gain = min(1.0, kappa(self.thermostat, self.steps))
        if self.steps % self.thermostat.window or gain == 0.0:
            return self.beta
        if self.thermostat.beta_c == "rem":
            self.beta_c = math.sqrt(2.0 * self.log_n) / np.mean(self._sigmas, axis=0)
        mean_entropy, mean_variance = np.mean(self._readings, axis=0)
        self._move(newton_step(mean_entropy, self.target, self.beta, mean_variance, gain))
        return self.beta

    def _move(self, change: np.ndarray) -> None:
        limit = self.thermostat.dbeta_max * self.unit
        proposed = np.clip(self.beta + np.clip(change, -limit, limit), self.lowest, self.highest)
        moved, blocked = apply_margin(self.beta, proposed, self.beta_c, self.thermostat.u_min)
        self.blocked += blocked
        self.beta = np.clip(moved, self.lowest, self.highest)


def settle(
    scores: ArrayLike, thermostat: Thermostat, d_k: int, steps: int = 2048, visible: ArrayLike | None = None
) -> xr.Dataset:
    """Run the thermostat on score rows that do not change: what it does when nothing else moves.

    Parameters
    ----------
    scores : array_like, shape (head, rows, keys) or (rows, keys)
        Unscaled scores; every head has the same visible keys.
    thermostat : Thermostat
    d_k : int
        Sets the unit 1/sqrt(d_k) of beta.
    steps : int
        Training steps to pretend; beta moves every ``thermostat.window`` of them.
    visible : array_like of bool, optional

    Returns
    -------
    xarray.Dataset
        ``beta``, ``entropy``, ``entropy_target``, ``beta_c``, ``blocked`` on (step, head), the start included.
    """
    scores = np.asarray(scores, dtype=float)
    scores = np.where(True if visible is None else visible, scores, -np.inf)
    scores = scores[None] if scores.ndim == 2 else scores
    unit = 1.0 / math.sqrt(d_k)
    visible_keys = (scores[0] > -np.inf).sum(axis=-1)
    controller = Controller(thermostat, visible_keys, initial_beta(thermostat, scores, unit), unit)
    sigma = attention.head_mean(attention.sigma_qk(scores), scores)
    if thermostat.beta_c == "measured":
        controller.beta_c = attention.pseudo_critical_beta(scores)
    records: dict[str, list[np.ndarray]] = {"beta": [], "entropy": [], "beta_c": [], "blocked": []}
    windows = np.arange(0, steps + 1, thermostat.window)
    for _ in windows:
        column = controller.beta[:, None]
        mean_entropy = attention.head_mean(attention.entropy(scores, column), scores)
        mean_variance = attention.head_mean(attention.score_variance(scores, column), scores)
        now = (controller.beta.copy(), mean_entropy, controller.beta_c.copy(), controller.blocked.copy())
        for record, value in zip(records.values(), now):
            record.append(value)
        for _ in range(thermostat.window):
            controller.step(mean_entropy, mean_variance, sigma)
    table = xr.Dataset({name: (("step", "head"), np.array(record)) for name, record in records.items()})
    table["entropy_target"] = xr.full_like(table["entropy"], controller.target)
    return table.assign_coords(step=windows)


def initial_beta(thermostat: Thermostat, scores: ArrayLike, unit: float) -> np.ndarray:
    """Beta of each head before the first step, from scores (..., rows, keys): 1/sqrt(d_k), or beta* within bounds."""
    scores = np.asarray(scores)
    standard = np.full(scores.shape[:-2], unit)
    if thermostat.initial == "standard":
        return standard
    star = attention.beta_star(scores, standard, thermostat.beta_star)
    return np.clip(star, thermostat.bounds[0] * unit, thermostat.bounds[1] * unit)
