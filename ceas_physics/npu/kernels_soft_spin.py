"""Compiled: soft spins (coherent Ising machine) with or without amplitude control, replicas in the fastest axis."""

from __future__ import annotations

import numpy as np
from numba import njit

from .kernels_fields import add_noise, couple, signs
from .kernels_read import LANES, read


@njit(cache=True, nogil=True)
def step(x, error, machine, source, force, mean, pump, settings):  # type: ignore[no-untyped-def]
    """One Euler step, `error` the amplitude control e_i (n_sites, 64), or (0, 64) where e_i = 1.

    source is the x that the neighbours see, force (n_sites, 64) and mean (64,) are scratch.
    """
    couple(machine, source, force)
    mean[:] = 0.0
    if settings.has_fields:
        for i in range(x.shape[0]):
            for lane in range(LANES):
                mean[lane] += abs(source[i, lane]) / x.shape[0]
    eps, dt, b, target = settings.coupling, settings.dt, settings.control_rate, settings.control_target
    for i in range(x.shape[0]):
        h, rate = machine.fields[i], dt * machine.live[i]
        if error.shape[0]:
            for lane in range(LANES):
                here, e = x[i, lane], error[i, lane]
                field = force[i, lane] + h * mean[lane]
                x[i, lane] = here + rate * ((pump - 1.0 - here * here) * here + eps * e * field)
                error[i, lane] = min(max(e - dt * b * e * (here * here - target), 0.0), settings.control_most)
        else:
            for lane in range(LANES):
                here = x[i, lane]
                field = force[i, lane] + h * mean[lane]
                x[i, lane] = here + rate * ((pump - 1.0 - here * here) * here + eps * field)


@njit(cache=True, nogil=True)
def run(state, machine, settings, ramp, temperatures, betas, n_steps, reader, record, first):  # type: ignore[no-untyped-def]
    """Intervals in which the pump goes linearly from ramp[k, 0] to ramp[k, 1], each ending with a read.

    temperatures (n,): noise of variance 2 T dt a step, besides that of the settings; betas (n,) of the read, or NaN.
    Stops after the read that reaches the target; returns how many intervals were run.
    """
    x, force, history = state.x, state.force, state.history
    mean = np.empty(LANES)
    for k in range(n_steps.size):
        amplitude = np.sqrt((2.0 * temperatures[k] + settings.noise**2) * settings.dt)
        for t in range(n_steps[k]):
            pump = ramp[k, 0] + (ramp[k, 1] - ramp[k, 0]) * (t + 0.5) / n_steps[k]
            source = x
            if history.shape[0] > 1:
                now = state.done[0] % history.shape[0]
                history[now] = x
                source = history[(now + 1) % history.shape[0]]
            step(x, state.y, machine, source, force, mean, pump, settings)
            if amplitude > 0.0:
                add_noise(x, machine.live, state.rng, amplitude)
            state.done[0] += 1
        signs(x, state.words)
        if read(state.words, reader, betas[k], record, first + k):
            return k + 1
    return n_steps.size
