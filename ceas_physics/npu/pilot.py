"""A short run over a range of beta: what adaptive schedules need to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .kernels_read import Record
from .schedules import Array, Corridor, Path

RELAXATION = 0.25  # share of the sweeps at a beta that are not measured


class Readable(Protocol):
    """A unit of 64 replicas that can be run and read."""

    record: Record

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals with control (n, 2) from first to last and n_steps (n,), each ending with a read."""


@dataclass(frozen=True, eq=False)
class Pilot:
    """Energy fluctuations, relaxation and entropy against beta, (points,) each."""

    beta: Array
    energy_deviation: Array
    relaxation_time: Array
    entropy: Array

    @property
    def specific_heat_peak(self) -> float:
        """Beta at which beta^2 var E is largest, by a parabola through three points in log beta."""
        heat, x = (self.beta * self.energy_deviation) ** 2, np.log(self.beta)
        k = int(np.clip(heat.argmax(), 1, len(x) - 2))
        a, b, _ = np.polyfit(x[k - 1 : k + 2], heat[k - 1 : k + 2], 2)
        peak = -b / (2 * a) if a < 0 else x[heat.argmax()]
        return float(np.exp(np.clip(peak, x[k - 1], x[k + 1])))

    def settle(self, corridor: Corridor) -> Corridor:
        """The corridor with what it leaves open measured: beta_c, H(beta_c)."""
        beta_c = self.specific_heat_peak if corridor.beta_c is None else corridor.beta_c
        entropy_c = corridor.entropy_c
        if entropy_c is None:
            entropy_c = float(np.interp(np.log(beta_c), np.log(self.beta), self.entropy))
        return replace(corridor, beta_c=beta_c, entropy_c=entropy_c)

    def constant_speed(self) -> Path:
        """Path with dbeta/dt proportional to 1/(tau sigma_E), from the first to the last beta."""
        cost = self.relaxation_time * self.energy_deviation
        cost = np.maximum(cost, 1e-3 * cost.max())
        time = np.concatenate([[0.0], np.cumsum(0.5 * (cost[1:] + cost[:-1]) * np.diff(self.beta))])
        return lambda f: np.interp(f, time / time[-1], self.beta)


def measure(unit: Readable, ends: tuple[float, float], points: int, steps: int, per_sweep: int) -> Pilot:
    """Anneal a unit through `points` betas, geometrically spaced, with `steps` sweeps at each.

    sigma_E is that in time, averaged over the replicas: those that are caught in different valleys do not add to it.
    tau = 1 + 2 sum_k rho_k with rho the autocorrelation of the energy about the mean of the replicas, summed to its
    first negative value: there such replicas count as slow. per_sweep is the number of device steps that make a sweep.
    """
    beta = np.geomspace(*ends, points)
    skipped = int(RELAXATION * steps)
    rows = []
    for b in beta:
        unit.run(np.full((steps, 2), b), np.full(steps, per_sweep, np.int64))
        energy = unit.record.energy[skipped:steps]
        within = np.sqrt(energy.var(axis=0).mean())
        deviation = energy - energy.mean(axis=1, keepdims=True)
        rows.append((within, _relaxation(deviation), unit.record.entropy[skipped:steps].mean()))
    sigma, tau, entropy = np.array(rows).T
    return Pilot(beta, sigma, tau, entropy)


def _relaxation(deviation: Array) -> float:
    """1 + 2 sum rho_k over lags up to half the length, (time, replica); 1 where nothing fluctuates."""
    variance = (deviation**2).mean()
    if variance == 0.0:
        return 1.0
    total = 1.0
    for lag in range(1, len(deviation) // 2):
        rho = (deviation[lag:] * deviation[:-lag]).mean() / variance
        if rho <= 0.0:
            break
        total += 2.0 * rho
    return float(total)
