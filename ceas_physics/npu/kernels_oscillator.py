"""Compiled: phase oscillators with second-harmonic injection, replicas in the fastest axis."""

from __future__ import annotations

import numpy as np
from numba import njit

from ising.doubles import fma, load8, splat8, store

from .kernels_fields import add_noise, couple, signs
from .kernels_read import LANES, read

ROUND = 6755399441055744.0  # 1.5 2^52: adding and subtracting it rounds to an integer
PI_HIGH, PI_LOW = 3.141592653589793, 1.2246467991473532e-16


@njit(inline="always")
def _one_minus(z, number, rest):  # type: ignore[no-untyped-def]
    """1 - z/number rest: a step of a Taylor series from its end."""
    return fma(z * splat8(-1.0 / number), rest, splat8(1.0))


@njit(inline="always")
def sine_cosine(x):  # type: ignore[no-untyped-def]
    """Sines and cosines of eight numbers to 1e-13 for |x| < 1e3: Taylor series about the nearest multiple of pi."""
    one, half, rounding = splat8(1.0), splat8(0.5), splat8(ROUND)
    k = (x * splat8(1.0 / PI_HIGH) + rounding) - rounding
    odd = k - splat8(2.0) * ((half * k + rounding) - rounding)
    sign = one - splat8(2.0) * odd * odd
    r = fma(k, splat8(-PI_LOW), fma(k, splat8(-PI_HIGH), x))
    z = r * r
    s = _one_minus(z, 272.0, _one_minus(z, 342.0, one))
    s = _one_minus(z, 110.0, _one_minus(z, 156.0, _one_minus(z, 210.0, s)))
    s = _one_minus(z, 20.0, _one_minus(z, 42.0, _one_minus(z, 72.0, s)))
    s = _one_minus(z, 6.0, s)
    c = _one_minus(z, 240.0, _one_minus(z, 306.0, one))
    c = _one_minus(z, 90.0, _one_minus(z, 132.0, _one_minus(z, 182.0, c)))
    c = _one_minus(z, 12.0, _one_minus(z, 30.0, _one_minus(z, 56.0, c)))
    c = _one_minus(z, 2.0, c)
    return sign * r * s, sign * c


@njit(cache=True, nogil=True)
def show(phase, sine, cosine):  # type: ignore[no-untyped-def]
    """Sines and cosines of the phases, (n_sites, 64) each."""
    for at in range(0, phase.size, 8):
        s, c = sine_cosine(load8(phase, at))
        store(sine, at, s)
        store(cosine, at, c)


@njit(cache=True, nogil=True)
def step(phase, sine, cosine, seen, machine, force, injection, settings):  # type: ignore[no-untyped-def]
    """One Euler step; sine, cosine of the phases now, seen[0], seen[1] those that the neighbours see.

    force (2, n_sites, 64) is scratch.
    """
    couple(machine, seen[0], force[0])
    couple(machine, seen[1], force[1])
    strength, dt = settings.coupling, settings.dt
    for i in range(phase.shape[0]):
        h, rate = machine.fields[i], dt * machine.live[i]
        for lane in range(LANES):
            s, c = sine[i, lane], cosine[i, lane]
            pull = s * (force[1, i, lane] + h) - c * force[0, i, lane]
            phase[i, lane] -= rate * (strength * pull + 2.0 * injection * s * c)


@njit(cache=True, nogil=True)
def run(state, machine, settings, ramp, temperatures, betas, n_steps, reader, record, first):  # type: ignore[no-untyped-def]
    """Intervals in which the injection goes linearly from ramp[k, 0] to ramp[k, 1], each ending with a read.

    temperatures (n,): noise of variance 2 T dt a step, besides that of the settings; betas (n,) of the read, or NaN.
    Stops after the read that reaches the target; returns how many intervals were run.
    """
    phase, force, history = state.x, state.force, state.history
    for k in range(n_steps.size):
        amplitude = np.sqrt((2.0 * temperatures[k] + settings.noise**2) * settings.dt)
        for t in range(n_steps[k]):
            injection = ramp[k, 0] + (ramp[k, 1] - ramp[k, 0]) * (t + 0.5) / n_steps[k]
            now = state.done[0] % history.shape[0]
            show(phase, history[now, 0], history[now, 1])
            seen = history[(now + 1) % history.shape[0]]
            step(phase, history[now, 0], history[now, 1], seen, machine, force, injection, settings)
            if amplitude > 0.0:
                add_noise(phase, machine.live, state.rng, amplitude)
            state.done[0] += 1
        show(phase, force[0], force[1])
        signs(force[1], state.words)
        if read(state.words, reader, betas[k], record, first + k):
            return k + 1
    return n_steps.size
