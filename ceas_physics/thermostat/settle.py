"""The thermostat on score rows that do not change, and how the error of its entropy decays there."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ising.integers import as_integer

from .. import arguments as rules
from .. import attention
from .controller import Controller, Observables, initial_beta
from .settings import Thermostat

ROUNDING = 1e-9  # of the largest error


@rules.checked(
    scores=rules.readings, thermostat=rules.kind(Thermostat, "Thermostat()"), d_k=rules.count, steps=rules.count
)
def settle(
    scores: ArrayLike, thermostat: Thermostat, d_k: int, steps: int = 2048, visible: ArrayLike | None = None
) -> xr.Dataset:
    """Run the thermostat on score rows that do not change: what it does when nothing else moves.

    Parameters
    ----------
    scores : array_like, shape (head, rows, keys) or (rows, keys)
        Unscaled scores; every head has the same visible keys.
    thermostat : Thermostat
        With ``per_head_target`` the target is H(beta_c) of the head, beta_c its measured peak of C.
    d_k : int
        Sets the unit 1/sqrt(d_k) of beta; at least 1.
    steps : int
        Training steps to pretend; the reading "window" moves beta every ``thermostat.window`` of them.
    visible : array_like of bool, optional

    Returns
    -------
    xarray.Dataset
        ``beta``, ``entropy``, ``entropy_target``, ``beta_c``, ``blocked`` on (step, head), the start included: every
        window of the reading "window", every step of the others.
    """
    d_k = as_integer("d_k", d_k, 1)
    scores = np.asarray(scores, dtype=float)
    if scores.ndim not in (2, 3):
        raise ValueError(f"scores must be of shape (head, rows, keys) or (rows, keys), got {scores.shape}")
    rules.check_broadcast(scores=scores, visible=True if visible is None else visible)
    scores = np.where(True if visible is None else visible, scores, -np.inf)
    scores = scores[None] if scores.ndim == 2 else scores
    controller = _controller(scores, thermostat, 1.0 / math.sqrt(d_k))
    sigma = attention.head_mean(attention.sigma_qk(scores), scores)
    records = defaultdict(list)
    stride = thermostat.window if thermostat.reading == "window" else 1
    recorded = np.arange(0, steps + 1, stride)
    for _ in recorded:
        column = controller.beta[:, None]
        mean_entropy = attention.head_mean(attention.entropy(scores, column), scores)
        mean_variance = attention.head_mean(attention.score_variance(scores, column), scores)
        now = {"beta": controller.beta, "entropy": mean_entropy}
        now |= {"beta_c": controller.beta_c, "blocked": controller.blocked.copy()}
        for _ in range(stride):
            controller.step(Observables(mean_entropy, mean_variance, sigma))
        for name, value in (now | {"entropy_target": controller.target}).items():
            records[name].append(value)
    table = xr.Dataset({name: (("step", "head"), np.array(record)) for name, record in records.items()})
    return table.assign_coords(step=recorded)


def _controller(scores: np.ndarray, thermostat: Thermostat, unit: float) -> Controller:
    """A controller for scores (head, rows, keys), at its start."""
    beta_c = attention.pseudo_critical_beta(scores)
    own_target = None
    if thermostat.per_head_target:
        own_target = attention.head_mean(attention.entropy(scores, beta_c[:, None]), scores)
    visible_keys = (scores[0] > -np.inf).sum(axis=-1)
    controller = Controller(thermostat, visible_keys, initial_beta(thermostat, scores, unit), unit, own_target)
    if thermostat.beta_c == "measured":
        controller.beta_c = beta_c
    return controller


@dataclass(frozen=True)
class Oscillation:
    """An error that goes through zero: |error| ~ exp(-step/decay_time) between its zeros.

    ``decay_time`` and its error (one standard deviation of the fit) are in steps, negative for a growing error;
    ``period`` is twice the mean distance of sign changes, nan for fewer than two; ``sign_changes`` counts them.
    """

    decay_time: float
    decay_time_error: float
    period: float
    sign_changes: int


@rules.checked(error=rules.shaped("time"), step=rules.optional(rules.shaped("time")))
def oscillation(error: ArrayLike, step: ArrayLike | None = None) -> Oscillation:
    """Decay time and period of a signed error, such as H - H_target of one head in a ``settle`` trace.

    The decay time comes from a straight line through ln of the largest |error| between neighbouring sign changes; an
    error without three such lobes gives nan for it, one that does not shrink inf. Errors below 1e-9 of the largest
    count as 0.

    Parameters
    ----------
    error : array_like, shape (times,)
    step : array_like, optional
        Training steps of the errors; 0, 1, 2, ... by default.
    """
    error = np.asarray(error, dtype=float)
    error = np.where(np.abs(error) > ROUNDING * np.abs(error).max(), error, 0.0)
    step = np.arange(len(error)) if step is None else np.asarray(step, dtype=float)
    if step.shape != error.shape or not (np.diff(step) > 0).all():
        raise ValueError(f"step must rise and have the shape {error.shape} of error, got shape {step.shape}")
    crossings = np.flatnonzero(np.sign(error[1:]) * np.sign(error[:-1]) < 0)
    count = len(crossings)
    period = 2.0 * float(np.diff(step[crossings]).mean()) if count > 1 else math.nan
    lobes = np.split(np.arange(len(error)), crossings + 1)[:-1]  # the last lobe may not have reached its largest error
    if len(lobes) < 3:
        return Oscillation(math.nan, math.nan, period, count)
    tops = np.array([lobe[np.argmax(np.abs(error[lobe]))] for lobe in lobes])
    span = float(np.ptp(step[tops]))
    (slope, _), covariance = np.polyfit((step[tops] - step[0]) / span, np.log(np.abs(error[tops])), 1, cov=True)
    if slope == 0.0:
        return Oscillation(math.inf, math.nan, period, count)
    return Oscillation(float(-span / slope), span * math.sqrt(covariance[0, 0]) / float(slope) ** 2, period, count)
