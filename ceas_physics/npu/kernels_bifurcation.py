"""Compiled: simulated bifurcation, ballistic and discrete, 64 replicas with replicas in the fastest axis."""

from __future__ import annotations

import numpy as np
from numba import njit

from .kernels_fields import add_noise, couple, signs
from .kernels_read import LANES, read


@njit(cache=True, nogil=True)
def step(x, y, machine, source, force, a, a0, c0, dt, walls):  # type: ignore[no-untyped-def]
    """One symplectic Euler step: y by the force at x, then x by the new y; source is what the neighbours see, f(x)."""
    couple(machine, source, force)
    for i in range(x.shape[0]):
        h, rate = machine.fields[i], dt * machine.live[i]
        for lane in range(LANES):
            momentum = y[i, lane] + rate * (c0 * (force[i, lane] + h) - (a0 - a) * x[i, lane])
            position = x[i, lane] + rate * a0 * momentum
            inside = abs(position) <= 1.0 or not walls
            y[i, lane] = momentum if inside else 0.0
            x[i, lane] = position if inside else (1.0 if position > 0.0 else -1.0)


@njit(cache=True, nogil=True)
def show(x, out, discrete):  # type: ignore[no-untyped-def]
    """f(x): x itself (ballistic) or its sign (discrete)."""
    for i in range(x.shape[0]):
        for lane in range(LANES):
            out[i, lane] = (1.0 if x[i, lane] >= 0.0 else -1.0) if discrete else x[i, lane]


@njit(cache=True, nogil=True)
def run(state, machine, settings, ramp, n_steps, reader, record, first):  # type: ignore[no-untyped-def]
    """Intervals in which a(t) goes linearly from ramp[k, 0] to ramp[k, 1], each ending with a read.

    Stops after the read that reaches the target; returns how many intervals were run.
    """
    x, y, force, history = state.x, state.y, state.force, state.history
    a0, c0, dt = settings.a0, settings.c0, settings.dt
    for k in range(n_steps.size):
        for t in range(n_steps[k]):
            a = ramp[k, 0] + (ramp[k, 1] - ramp[k, 0]) * (t + 0.5) / n_steps[k]
            now = state.done[0] % history.shape[0]
            show(x, history[now], settings.discrete)
            seen = history[(now + 1) % history.shape[0]]
            step(x, y, machine, seen, force, a, a0, c0, dt, True)
            if settings.noise > 0.0:
                add_noise(y, machine.live, state.rng, settings.noise * np.sqrt(dt))
            state.done[0] += 1
        signs(x, state.words)
        if read(state.words, reader, np.nan, record, first + k):
            return k + 1
    return n_steps.size
